"""Conversations for the tests of those that are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from llavacli.sessions.records import Attachment, Header, Turn

ROOT = Path(__file__).parent.parent.parent


def answer(text: str, **facts: Any) -> Turn:
    """An answer as it is when it is done."""
    return Turn(role="assistant", parts=(text,), **{"finish_reason": "stop", **facts})


def texts() -> st.SearchStrategy[str]:
    """Any text, lone surrogates included; a pair of them is one character to JSON, and is none that Python makes."""
    any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
    return any_text.map(lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))


def conversations() -> st.SearchStrategy[tuple[Header, tuple[Turn, ...]]]:
    """How a conversation is held, and turns of both sides."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts(), inner, max_size=2),
        max_leaves=4,
    )
    objects = st.dictionaries(texts(), values, max_size=2)
    optional, numbers = st.none() | texts(), st.none() | st.integers(0, 2**53)
    moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    )
    attachments = st.builds(
        Attachment,
        kind=st.sampled_from(["image", "video"]),
        name=texts(),
        path=optional,
        stored=st.none(),
        sha256=optional,
        **dict.fromkeys(("width", "height", "tiles", "tokens", "max_tiles", "asked_frames"), numbers),
        asked_fps=st.none() | st.floats(0, 1000),
        marks=st.lists(texts(), max_size=2).map(tuple),
        frames=st.lists(st.integers(0, 2**53), max_size=2).map(tuple),
    )
    parts = st.lists(texts() | attachments, max_size=3).map(tuple)
    asked = st.builds(Turn, role=st.just("user"), parts=parts, created=moments)
    answered = st.builds(
        Turn,
        role=st.just("assistant"),
        parts=st.tuples(texts()),
        created=moments,
        finish_reason=optional,
        model=optional,
        params=objects,
        usage=objects,
        timing_ms=objects,
    )
    header = st.builds(Header, model=texts(), revision=optional, template=optional, system=optional, settings=objects)
    return st.tuples(header, st.lists(asked | answered, min_size=1, max_size=3).map(tuple))
