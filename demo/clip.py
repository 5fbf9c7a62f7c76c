"""Draw examples/shapes.mp4: a red circle crosses a white ground, a blue square turns, a green star appears halfway.

python -m demo.clip examples/shapes.mp4
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import av
from PIL import Image, ImageDraw

WIDTH, HEIGHT, RATE, FRAMES = 480, 360, 25, 150
SUPERSAMPLE = 3
RED, BLUE, GREEN = (214, 40, 40), (36, 84, 200), (40, 150, 70)

Points = list[tuple[float, float]]


def ring(x: float, y: float, radii: tuple[float, ...], count: int, turn: float) -> Points:
    """`count` points around (x, y), from `turn` degrees past the top, at these distances in turn."""
    angles = (math.radians(turn - 90 + 360 * number / count) for number in range(count))
    distances = (radii[number % len(radii)] for number in range(count))
    return [(x + r * math.cos(angle), y + r * math.sin(angle)) for r, angle in zip(distances, angles, strict=True)]


def frame(number: int) -> Image.Image:
    """One moment of it, its edges softened by drawing larger and averaging."""
    passed = number / (FRAMES - 1)
    shapes = [(BLUE, ring(350, 110, (75,), 4, 45 + 90 * passed)), (RED, ring(70 + 340 * passed, 270, (50,), 60, 0))]
    if passed > 0.5:
        shapes.append((GREEN, ring(120, 100, (70, 28), 10, 0)))
    picture = Image.new("RGB", (WIDTH * SUPERSAMPLE, HEIGHT * SUPERSAMPLE), "white")
    pen = ImageDraw.Draw(picture)
    for colour, points in shapes:
        pen.polygon([(x * SUPERSAMPLE, y * SUPERSAMPLE) for x, y in points], fill=colour)
    return picture.reduce(SUPERSAMPLE)


def main(path: Path) -> None:
    """Encode it in H.264, the index at the beginning of the file."""
    options = {"movflags": "faststart"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_image(frame(number))))
        container.mux(stream.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
