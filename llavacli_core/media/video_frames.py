"""Chosen frames of a clip, decoded with PyAV: no more is decoded than they hang on, and several cores work at it.

Every frame is, to the last bit, what decoding the clip from its first packet to its last gives. Where that is not
certain beforehand (see `bitstream`), or turns out otherwise on the way, the clip is decoded from its first packet.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Event

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from llavacli_core.errors import UnreadableInput
from llavacli_core.media.bitstream import Role
from llavacli_core.media.chosen import Chosen, Pictures
from llavacli_core.media.containers import opened, video_stream
from llavacli_core.media.footage import Footage
from llavacli_core.media.names import shown
from llavacli_core.media.packets import Listing, Run, list_packets, packets_of, timeline
from llavacli_core.media.sampling import Choose, Timeline, refuse_beyond_memory
from llavacli_core.media.upright import picture

MAX_WORKERS = 16
WAITING = 2  # runs of compressed packets that lie ready beside those being decoded


class Inexact(Exception):
    """Decoding a part did not give what was expected of it; only decoding everything tells."""


def decode(footage: Footage, choose: Choose) -> Chosen:
    """The frames that `choose` picks.

    Raises UnreadableInput for what is no video or holds no frame that can be decoded. Where the tail of a file is
    damaged or missing, the clip is what can be decoded of it.
    """
    with opened(footage) as container:
        stream = video_stream(container, footage)
        size = stream.width, stream.height
        listing = list_packets(container, stream)

    def bounded(timeline: Timeline) -> tuple[int, ...]:
        numbers = choose(timeline)
        refuse_beyond_memory(len(numbers), *size)
        return numbers

    return _decoded(footage, listing, bounded)


def _decoded(footage: Footage, listing: Listing, choose: Choose) -> Chosen:
    """The short way where the listing is exact, else, or where it turns out not to be, the long way."""
    if listing.exact:
        numbers = choose(listing.timeline)
        try:
            found = _decode_runs(footage, listing, listing.runs(numbers))
            return Chosen({number: found[listing.order[number]] for number in numbers})
        except Inexact:
            pass
    return _decode_all(footage, listing, choose)


def _decode_runs(footage: Footage, listing: Listing, runs: list[Run]) -> Pictures:
    """The wanted frames, by the numbers of their packets.

    Packets are read here, in order; each run's are decoded by whoever is free.
    """
    workers = min(len(runs), os.cpu_count() or 1, MAX_WORKERS)
    room, stop = BoundedSemaphore(workers + WAITING), Event()
    with ExitStack() as held, ExitStack() as working:  # files are closed last, when no thread decodes from them
        decoders = _Decoders(footage, held, max((os.cpu_count() or 1) // max(workers, 1), 1))
        container = held.enter_context(opened(footage))
        stream = video_stream(container, footage)
        decoders.add(stream.codec_context)  # here packets are only read
        pool = working.enter_context(ThreadPoolExecutor(workers, "decode"))
        working.callback(stop.set)  # whatever ends this early, Ctrl-C too, ends the threads at their next packet
        futures: list[Future[Pictures]] = []
        for run, packets in _gathered(packets_of(container, stream), listing, runs):
            room.acquire()
            future = pool.submit(_decode_run, decoders, listing, run, packets, stop)
            future.add_done_callback(lambda _: room.release())
            futures.append(future)
        found: Pictures = {}
        for future in futures:
            found.update(future.result())
    if len(found) < sum(len(run.wanted) for run in runs):
        raise Inexact
    return found


class _Decoders:
    """Decoders for the threads to take and give back; opened when there is none left to take."""

    def __init__(self, footage: Footage, held: ExitStack, threads: int) -> None:
        self.footage, self.held, self.threads = footage, held, threads
        self.free: SimpleQueue[VideoCodecContext] = SimpleQueue()

    def take(self) -> VideoCodecContext:
        """A decoder that remembers nothing."""
        try:
            return self.free.get_nowait()
        except Empty:
            container = self.held.enter_context(opened(self.footage))
            self.add(video_stream(container, self.footage).codec_context)
            return self.take()

    def add(self, decoder: VideoCodecContext) -> None:
        """One more, not open yet."""
        decoder.thread_count = self.threads
        decoder.thread_type = "AUTO" if self.threads > 1 else "SLICE"
        self.free.put(decoder)

    def give_back(self, decoder: VideoCodecContext) -> None:
        """Make a decoder forget what it has seen, for the next to take."""
        decoder.flush_buffers()
        self.free.put(decoder)


def _gathered(
    source: Iterable[Packet[VideoStream]], listing: Listing, runs: list[Run]
) -> Iterator[tuple[Run, list[tuple[int, Packet[VideoStream]]]]]:
    """Each run with its numbered packets, in order of their last ones; without those that nothing wanted hangs on."""
    gathered: dict[int, list[tuple[int, Packet[VideoStream]]]] = {run.start: [] for run in runs}
    left = list(runs)
    for number, packet in enumerate(source):
        for run in [run for run in left if run.start <= number]:
            if number in run.wanted or Role.DISPOSABLE not in listing.roles[number]:
                gathered[run.start].append((number, packet))
            if number == run.stop - 1:
                left.remove(run)
                yield run, gathered.pop(run.start)
        if not left:
            return


def _decode_run(
    decoders: _Decoders, listing: Listing, run: Run, packets: list[tuple[int, Packet[VideoStream]]], stop: Event
) -> Pictures:
    """The wanted frames of one run, by the numbers of their packets, told apart by their time stamps."""
    numbers = {listing.pts[number]: number for number in run.wanted}
    first = listing.pts[run.start] or 0
    found, last = Pictures(), -math.inf
    try:
        decoder = decoders.take()
        for packet in [*(packet for _, packet in packets), None]:
            if stop.is_set():
                return {}
            for frame in decoder.decode(packet):
                if frame.pts is None or frame.pts <= last or frame.interlaced_frame:
                    raise Inexact
                if frame.is_corrupt and frame.pts >= first:  # before that come frames that look back across it
                    raise Inexact
                last = frame.pts
                if frame.pts in numbers:
                    found[numbers[frame.pts]] = picture(frame)
        decoders.give_back(decoder)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Inexact from error
    return found


def _decode_all(footage: Footage, listing: Listing, choose: Choose) -> Chosen:
    """Decode from the first packet on: first what the packets' count suggests, and again if that is not the frames'."""
    numbers: tuple[int, ...] = choose(listing.timeline) if listing.order else ()
    while True:
        (found, whole), times = _decode_through(footage, numbers)
        if not times:
            raise UnreadableInput(
                f"{shown(footage.name)}: the video is damaged: no frame of it can be decoded",
                hint="fetch or export it again",
            )
        with opened(footage) as container:
            stamps = [time for time in times if time is not None]
            actual = choose(timeline(video_stream(container, footage), stamps, len(times)))
        if set(actual) <= found.keys():
            return Chosen({number: found[number] for number in actual}, whole)
        numbers = actual


def _decode_through(footage: Footage, numbers: Sequence[int]) -> tuple[Chosen, list[int | None]]:
    """The frames of these numbers, and the time stamps of all there are; packets that do not decode are passed over.

    Those before the first frame are no damage: a recording may begin anywhere.
    """
    wanted, whole = set(numbers), True
    found: Pictures = {}
    times: list[int | None] = []
    with opened(footage) as container:
        stream = video_stream(container, footage)
        stream.thread_type = "AUTO"
        for frame in _frames(stream.codec_context, packets_of(container, stream)):
            if frame is None:
                whole &= not times
                continue
            if len(times) in wanted:
                found[len(times)] = picture(frame)
            times.append(frame.pts)
    return Chosen(found, whole), times


def _frames(decoder: VideoCodecContext, packets: Iterable[Packet[VideoStream]]) -> Iterator[VideoFrame | None]:
    """All frames, with None where a packet does not decode."""
    for packet in chain(packets, [None]):
        try:
            yield from decoder.decode(packet)
        except (av.FFmpegError, ValueError):
            yield None
