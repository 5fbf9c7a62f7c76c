"""Roles of packets, and that no packet at all stops the telling."""

from __future__ import annotations

import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.media.bitstream import INTRA, Role, rule_for
from tests.media.clip_files import Recipe, made

GROUPS = {"g": "10", "keyint_min": "10", "sc_threshold": "0", "bf": "2"}
CODECS = ["h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9", "libdav1d", *sorted(INTRA)]
KEY, PLAIN = True, False  # what the container says
RECORD = b"\x01d\x00\x1f\xff" + bytes(30)


def roles(recipe: Recipe) -> list[Role]:
    with av.open(io.BytesIO(made(recipe))) as container:
        stream = container.streams.video[0]
        rule = rule_for(stream.codec_context.name, stream.codec_context.extradata)
        assert rule is not None
        return [rule(memoryview(packet), packet.is_keyframe) for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi"])
def test_h264_after_lengths_and_after_start_codes(container):
    found = roles(Recipe(container=container, options=GROUPS, length=30))
    assert [number for number, role in enumerate(found) if Role.ACCESS in role] == [0, 10, 20]
    assert 3 <= sum(Role.DISPOSABLE in role for role in found) <= 20
    assert not any(Role.STRANGE in role for role in found)


def test_open_groups_of_h264_are_no_access_points():
    found = roles(Recipe(options=GROUPS | {"x264-params": "open-gop=1"}, length=30))
    assert [number for number, role in enumerate(found) if Role.ACCESS in role] == [0]


def test_hidden_frames():
    shown = rule_for("vp8", None)(memoryview(b"\x11"), PLAIN)
    assert (shown, rule_for("vp8", None)(memoryview(b"\x00"), KEY)) == (Role.NEEDED, Role.ACCESS | Role.HIDDEN)
    assert rule_for("vp9", None)(memoryview(b"\x84\x00"), PLAIN) == Role.HIDDEN


def test_codecs_without_a_rule():
    assert rule_for("wmv2", None) is None


@pytest.mark.parametrize("codec", CODECS)
@given(st.binary(max_size=200), st.sampled_from([None, b"", b"\x01", RECORD]), st.booleans())
def test_any_bytes_at_all(codec, data, extradata, key):
    assert isinstance(rule_for(codec, extradata)(memoryview(data), key), Role)


@pytest.mark.parametrize("codec", CODECS[:5])
@given(st.lists(st.binary(max_size=12), max_size=5))
def test_any_units_at_all(codec, units):
    data = b"".join(b"\x00\x00\x01" + unit for unit in units)
    assert isinstance(rule_for(codec, None)(memoryview(data), KEY), Role)
