"""`caption` with the demo checkpoint: a folder of odd and broken pictures gets what `describe` says of each alone."""

from __future__ import annotations

import json
import re
import shutil
import struct
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.llavacli.running import process

ROOT = Path(__file__).parent.parent.parent
LLAVACLI = [sys.executable, "-m", "llavacli"]


@pytest.fixture
def photos(home: Path) -> Path:
    """Modes, sizes and formats in a row; five that are broken in five ways."""
    folder = home / "photos"
    folder.mkdir()
    for name in ("shapes.png", "wide.png"):
        shutil.copy(ROOT / "examples" / name, folder)
    shapes = Image.open(ROOT / "examples" / "shapes.png").convert("RGB")
    for mode in ("L", "P", "RGBA", "1"):
        shapes.convert(mode).save(folder / f"mode-{mode}.png")
    shapes.convert("CMYK").save(folder / "cmyk.jpg")
    shapes.resize((1, 90)).save(folder / "thin.png")
    shapes.resize((600, 31)).save(folder / "flat.webp")
    whole = (folder / "shapes.png").read_bytes()
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "huge.png").write_bytes(bomb())
    (folder / "gone.png").symlink_to("nowhere.png")
    return Path("photos")


def bomb() -> bytes:
    """A PNG whose header promises a picture of 60000 x 60000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.slow
def test_captions_are_what_describe_says(photos: Path) -> None:
    names = sorted(str(path) for path in photos.iterdir())
    how = ["--device", "cpu", "--dtype", "float32", "--max-tokens", "24", "--tokens"]
    described = process([*LLAVACLI, "describe", "-q", "--json", *how, *names], timeout=120)
    captioned = process([*LLAVACLI, "caption", "photos", "-o", "out.jsonl", "-b", "4", *how], timeout=120)
    assert (described.returncode, captioned.returncode) == (3, 3)
    ours = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    theirs = [json.loads(line) for line in described.stdout.splitlines()]
    kept = ("status", "text", "token_ids", "prompt_text", "finish_reason", "images")
    assert {each["source"]: [each[name] for name in kept] for each in ours} == {
        each["source"]: [each[name] for name in kept] for each in theirs
    }
    rates = re.search(r"([\d.]+) captions/s, (\d+) tokens/s", captioned.stderr.decode())
    assert rates is not None
    lengths = [each["usage"]["completion_tokens"] for each in ours if not each["error"]]
    assert float(rates[2]) / float(rates[1]) == pytest.approx(sum(lengths) / len(lengths), rel=0.1)
    codes = {each["source"]: each["error"]["code"] for each in ours if each["error"]}
    assert codes == {
        "photos/empty.png": "input_unreadable",
        "photos/gone.png": "input_missing",
        "photos/half.png": "input_unreadable",
        "photos/huge.png": "input_too_large",
        "photos/text.jpg": "input_unreadable",
    }
