"""A clip's packets, listed without decoding any: which frame each is, when it is shown, what it hangs on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from llavacli_core.media.bitstream import Role, Rule, rule_for
from llavacli_core.media.sampling import Timeline

LIKELY_RATES = Fraction(1, 50)  # how far a stated rate may be from the measured one


@dataclass(frozen=True)
class Run:
    """Packets `start` (an access point) to `stop`, exclusive, of which some are wanted; all numbers of packets."""

    start: int
    stop: int
    wanted: frozenset[int]


@dataclass(frozen=True)
class Listing:
    """The packets in decoding order. `order` are the numbers of those that are shown, in display order.

    `exact` says that each of these is one frame, under a time stamp of its own, and that `roles` can be relied on.
    """

    pts: tuple[int | None, ...]
    roles: tuple[Role, ...]
    order: tuple[int, ...]
    exact: bool
    timeline: Timeline

    def runs(self, numbers: Sequence[int]) -> list[Run]:
        """What must be decoded for the frames of these numbers: from the access point that each hangs on."""
        accesses = [i for i, role in enumerate(self.roles) if Role.ACCESS in role]
        wanted: dict[int, list[int]] = {}
        for number in numbers:
            packet = self.order[number]
            at = bisect_right(accesses, packet) - 1
            if at and self._pts(packet) < self._pts(accesses[at]):
                at -= 1  # shown before the access point that it follows: it looks back across it
            wanted.setdefault(accesses[at], []).append(packet)
        return [Run(start, max(packets) + 1, frozenset(packets)) for start, packets in sorted(wanted.items())]

    def _pts(self, packet: int) -> int:
        pts = self.pts[packet]
        assert pts is not None  # only an exact listing has runs
        return pts


def list_packets(container: InputContainer, stream: VideoStream) -> Listing:
    """Read all packets of a stream once."""
    rule = rule_for(stream.codec_context.name, stream.codec_context.extradata)
    pts: list[int | None] = []
    roles: list[Role] = []
    sound, last = True, 0
    for packet in packets_of(container, stream):
        sound &= not packet.is_corrupt
        pts.append(packet.pts)
        roles.append(_role(packet, rule))
        last = packet.duration or last
    shown = [i for i, role in enumerate(roles) if Role.HIDDEN not in role]
    times = [time for i in shown if (time := pts[i]) is not None]
    known = len(set(times)) == len(shown) > 0
    order = sorted(shown, key=lambda i: pts[i] or 0) if known else shown
    exact = known and sound and not any(Role.STRANGE in role for role in roles) and Role.ACCESS in roles[0]
    if order == shown and stream.codec_context.has_b_frames:
        exact = False  # frames are reordered, their stamps are not: AVI knows decoding times alone
    return Listing(tuple(pts), tuple(roles), tuple(order), exact, timeline(stream, sorted(times), len(shown), last))


def timeline(stream: VideoStream, times: Sequence[int], total: int, last: int = 0) -> Timeline:
    """When `total` frames are shown, by the time stamps of all or some of them; `last` is the last's length.

    The rate is the container's where it agrees with the stamps, else theirs.
    """
    stated, tick = stream.average_rate, stream.time_base
    ascending = all(before < after for before, after in pairwise(times))
    if len(times) < max(total, 2) or not ascending or tick is None:
        return Timeline(total, stated)
    span = (times[-1] - times[0]) * tick
    measured = (total - 1) / span
    rate = stated if stated and abs(stated / measured - 1) < LIKELY_RATES + Fraction(1, total) else measured
    return Timeline(total, rate, tuple(time * tick for time in times), times[-1] * tick + (last * tick or 1 / rate))


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The stream's packets as far as the container can be read; the last ones of a damaged file may be missing."""
    try:
        for packet in container.demux(stream):
            if packet.size or packet.pts is not None:  # what is left is PyAV's sign to flush the decoder
                yield packet
    except (av.FFmpegError, OSError, IndexError):  # IndexError: at the end, PyAV stumbles over streams that came late
        return


def _role(packet: Packet[VideoStream], rule: Rule | None) -> Role:
    """The packet's role; STRANGE for those of which only decoding tells."""
    if rule is None or not packet.size:
        return Role.STRANGE
    role = rule(memoryview(packet), packet.is_keyframe)
    return role | Role.HIDDEN if packet.is_discard else role
