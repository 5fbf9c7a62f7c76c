"""Time from an H.264 clip of 60 s to 8 and to 32 of its 1,800 frames, against decoding all of it, and decord.

Promise: at least 4 and 1.8 times as fast as decoding all of it, at least 1.5 times as fast as decord where that is
installed. The frames are the very frames that decoding everything gives.

The clip has a cut every 4 s on average, as films have, and hence a key frame: how much must be decoded for a frame
depends on how far back its key frame lies. `--shots 1` is a hard case: one shot, with a key frame every 250 frames.
By default it is small; `--height 1080` is what cameras make.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from report import Report, parser
from timing import alternate

from llavacli_core.media.clip import read_clip
from llavacli_core.media.sampling import uniform
from llavacli_core.messages import Video

SECONDS, RATE = 60, 30
X264 = {"preset": "veryfast", "g": "250", "bf": "2"}
GOALS = {8: 4.0, 32: 1.8}
DECORD_GOAL = 1.5

Frames = np.ndarray[Any, Any]


def film(path: Path, height: int, shots: int) -> None:
    """Shots of different lengths: the camera pans over soft shapes, a thing moves before them, all in grain."""
    random = np.random.default_rng(0)
    width = height * 16 // 9

    def layer(cell: int, wide: int, high: int) -> Image.Image:
        noise = random.integers(0, 256, (high // cell + 1, wide // cell + 1, 3), dtype=np.uint8)
        return Image.fromarray(noise).resize((wide, high), Image.Resampling.BICUBIC)

    wide, high, total = width + 600, height + 300, SECONDS * RATE
    grounds = [Image.blend(layer(40, wide, high), layer(5, wide, high), 0.3) for _ in range(min(shots, 4))]
    grains = [random.integers(0, 8, (height, width, 1), dtype=np.uint8) for _ in range(8)]
    thing = layer(30, width // 6, height // 5)
    cuts = {int(place) for place in np.cumsum(random.dirichlet([8.0] * shots))[:-1] * total}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options=X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        shot = 0
        for number in range(total):
            shot += number in cuts
            left, top = (int(reach * (1 + np.sin(number / 97 + reach + shot))) for reach in (300, 150))
            picture = grounds[shot % len(grounds)].crop((left, top, left + width, top + height))
            picture.paste(thing, (number * 5 % width, height // 3 + number % (height // 5)))
            pixels = np.asarray(picture) // 2 + 60 + grains[number % 8]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def ours(path: Path, count: int) -> list[Image.Image]:
    """Our way, hash of the file included."""
    return list(read_clip(Video(path, frames=count), default_frames=None).pictures)


def decode_all(path: Path, count: int) -> list[Frames]:
    """Every frame decoded by as many threads as FFmpeg likes; the wanted ones in RGB."""
    wanted = set(uniform(SECONDS * RATE, count))
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        decoded = enumerate(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for number, frame in decoded if number in wanted]


def by_decord(path: Path, count: int) -> Frames:
    """decord's `get_batch`."""
    import decord

    reader = decord.VideoReader(str(path), ctx=decord.cpu(0))
    return np.asarray(reader.get_batch(list(uniform(SECONDS * RATE, count))).asnumpy())


def compare(
    report: Report, path: Path, what: str, count: int, others: Mapping[str, Callable[[Path, int], Any]], repeats: int
) -> None:
    """Measure so many frames of the clip."""
    reference = decode_all(path, count)
    for pictures in (ours(path, count), *(other(path, count) for other in others.values())):
        if not all(np.array_equal(mine, theirs) for mine, theirs in zip(pictures, reference, strict=True)):
            raise SystemExit("the frames are not those of decoding everything")
    runs: dict[str, Callable[[], object]] = {"ours": lambda: ours(path, count)}
    runs |= {name: lambda other=other: other(path, count) for name, other in others.items()}  # type: ignore[misc]
    seconds = alternate(runs, repeats, warm=True)
    for name in others:
        goal = GOALS[count] if name == "decode all" else DECORD_GOAL
        report.figure(what, seconds["ours"], seconds[name], at_least=goal, against=name)


def main() -> int:
    """Make the clip and measure both counts."""
    flags = parser(__doc__, repeats=2)
    flags.add_argument("--height", type=int, default=540)
    flags.add_argument("--shots", type=int, default=15)
    flags.add_argument("--clip", type=Path, help="where to keep the clip for another run")
    arguments = flags.parse_args()
    report = Report()
    others: dict[str, Callable[[Path, int], Any]] = {"decode all": decode_all}
    try:
        import decord  # noqa: F401
    except ImportError:
        print("decord is not installed: not compared", file=sys.stderr)
    else:
        others["decord"] = by_decord
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.clip or Path(folder) / "film.mp4"
        if not path.exists():
            film(path, arguments.height, arguments.shots)
        for count in GOALS:
            what = f"{count} of {SECONDS * RATE} frames, {arguments.height}p H.264"
            compare(report, path, what, count, others, arguments.repeats)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
