"""Pictures opened in other processes are those opened in this one, and whatever they do there stays there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

import llavacli_core as core
from llavacli_core.engine import hired, serving
from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.workers import Limits
from llavacli_core.messages import Image, Message, Video
from tests.engine import misbehaving
from tests.engine.staff import staffed
from tests.media.files import layered, noise, stored
from tests.reference.clips import Clip

DEMO = Path(core.__file__).parent / "demo_checkpoint"
JPEG = stored(noise(130, 70), "JPEG")
TIGHT = Limits(memory_bytes=2**28, image_seconds=2.0)


@pytest.fixture(scope="module")
def opener() -> Opener:
    return core.load_processor(DEMO).opener


@pytest.fixture(scope="module")
def opened(opener: Opener) -> Iterator[Open]:
    with staffed(opener, 2) as opened:
        yield opened


@pytest.fixture
def misled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hired, "MODULE", misbehaving.NAME)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures good and bad."""
    good = {
        "photo.jpg": JPEG,
        "printed.jpg": stored(noise(60, 80).convert("CMYK"), "JPEG"),
        "layered.png": stored(layered("RGBA")),
        "grey.png": stored(noise(31, 7).convert("L")),
        "paletted.gif": stored(noise(50, 50).convert("P"), "GIF"),
        "two\nlines.webp": stored(noise(33, 44), "WEBP"),
        os.fsdecode(b"not \xff UTF-8.png"): stored(noise(20, 20)),
        "-dash.png": stored(noise(300, 20)),
    }
    bad = {"cut.jpg": JPEG[:-200], "empty.png": b"", "words.txt": b"no picture", "paper.pdf": b"%PDF-1.7 ..."}
    for name, data in (good | bad).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder").mkdir()
    return tmp_path


def outcome(open: Open, part: Image | Video) -> tuple[Any, ...]:
    """All there is to know about how opening a part went."""
    try:
        prepared = open(part)
    except core.errors.CoreError as error:
        return type(error), str(error), error.hint
    assert prepared.source is part
    pixels = prepared.tiles.pixels if isinstance(part, Image) else prepared.pixels
    assert pixels.flags.writeable  # torch wants it
    grid = prepared.tiles.grid if isinstance(part, Image) else None
    return prepared.seen, grid, pixels.shape, pixels.dtype, pixels.tobytes()


def test_files_are_opened_the_same(folder: Path, opener: Opener, opened: Open):
    paths = [*sorted(folder.iterdir()), folder / "nowhere.png"]
    results = [outcome(opened, Image(path)) for path in paths]
    assert results == [outcome(opener.open, Image(path)) for path in paths]
    assert sum(isinstance(result[0], type) for result in results) == 6


class Somewhere:
    """A path of a class that other processes know nothing of."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize(
    "source",
    [
        JPEG,
        bytearray(JPEG),
        memoryview(JPEG),
        b"",
        noise(40, 50),
        layered("LA"),
        "ftp://host/picture.png",
        "https:///no-host.png",
        "file:///nowhere/at/all.png",
        "nul\0l.png",
        42,
    ],
    ids=lambda source: f"{type(source).__name__}-{str(source)[:8]!r}",
)
def test_other_sources_are_opened_the_same(source: Any, opener: Opener, opened: Open):
    assert outcome(opened, Image(source)) == outcome(opener.open, Image(source))


def test_other_kinds_of_paths(folder: Path, opener: Opener, opened: Open):
    for source in (Somewhere(folder / "photo.jpg"), str(folder / "photo.jpg"), (folder / "photo.jpg").as_uri()):
        assert outcome(opened, Image(source)) == outcome(opener.open, Image(source))


@pytest.mark.parametrize("mark", ["box:10%,10%,60%,60%:red", "scribble:1,1,60,40,90,15:alpha=0.3", "point:900,900"])
def test_marks_and_tiles(mark: str, opener: Opener, opened: Open):
    image = Image(JPEG, max_tiles=2, marks=[core.Mark.parse(mark)])
    assert outcome(opened, image) == outcome(opener.open, image)


def test_clips_are_opened_the_same(engine: Callable[[str], Any]):
    opener = engine("video").processor.opener
    sources = [Clip(12, 64, 48, encoded=encoded).source for encoded in (False, True)]
    with staffed(opener, 1) as opened:
        for source in (*sources, b"no clip", "nowhere.mp4"):
            video = Video(source, frames=3)
            assert outcome(opened, video) == outcome(opener.open, video)


def test_a_model_that_takes_no_clips(opener: Opener, opened: Open):
    assert outcome(opened, Video(b"clip")) == outcome(opener.open, Video(b"clip"))


def test_more_threads_than_workers(opener: Opener, opened: Open):
    images = [Image(stored(noise(20 + width, 30))) for width in range(24)]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda image: outcome(opened, image), images))
    assert results == [outcome(opener.open, image) for image in images]


CRASHED, TOO_LARGE = "input_unreadable", "input_too_large"


@pytest.mark.parametrize(
    ("deed", "code", "words"),
    [
        (b"!exit", CRASHED, "-: the decoder crashed on it"),
        (b"!abort", CRASHED, "-: the decoder crashed on it"),
        (b"!segfault", CRASHED, "-: the decoder crashed on it"),
        (b"!garble", CRASHED, "-: the decoder crashed on it"),
        (b"!fail", CRASHED, "-: cannot be opened (KeyError: 'exif')"),
        (b"!killed", TOO_LARGE, "-: opening it takes too much memory"),
        (b"!allocate", TOO_LARGE, "-: opening it takes too much memory"),
        (b"!sleep", CRASHED, "-: opening it takes more than 2 seconds"),
        (b"!stuck", CRASHED, "-: opening it takes more than 2 seconds"),
    ],
)
@pytest.mark.usefixtures("misled")
def test_a_picture_that_misbehaves(deed: bytes, code: str, words: str, opener: Opener):
    with staffed(opener, 1, TIGHT) as opened:
        with pytest.raises(core.errors.InputError) as caught:
            opened(Image(deed))
        assert (caught.value.code, str(caught.value)) == (code, words)
        assert caught.value.hint
        assert outcome(opened, Image(JPEG)) == outcome(opener.open, Image(JPEG))


def test_a_picture_beyond_the_memory(opener: Opener):
    bomb = stored(Pictures.new("RGB", (9000, 9000)))
    with staffed(opener, 1, TIGHT) as opened:
        with pytest.raises(core.errors.InputTooLarge, match="more than 178 megapixels, or than memory holds"):
            opened(Image(bomb))
        assert outcome(opened, Image(JPEG)) == outcome(opener.open, Image(JPEG))


@pytest.mark.usefixtures("misled")
def test_a_batch_goes_on_around_them():
    engine = core.load(DEMO, device="cpu", dtype="float32")
    deeds = [b"!abort", b"!sleep", b"!allocate", b"!exit", b"!fail"]
    sources = [noise(40 + place, 50) if place % 2 else deeds[place // 2] for place in range(10)]
    sources = [stored(source) if isinstance(source, Pictures.Image) else source for source in sources]
    requests = [
        ([Message("user", [Image(source), "What is this?"])], core.Sampling(max_tokens=5)) for source in sources
    ]
    pool = staffed(engine.processor.opener, 3, TIGHT)
    events = dict(serving.run(engine, requests, 4, lambda: False, opening=pool))
    alone = dict(engine.batch(requests[1::2]))
    assert [events[place].token_ids for place in range(1, 10, 2)] == [alone[place].token_ids for place in range(5)]
    codes = [events[place].error.code for place in range(0, 10, 2)]
    assert codes == [CRASHED, CRASHED, TOO_LARGE, CRASHED, CRASHED]


@pytest.mark.usefixtures("misled")
def test_a_picture_that_takes_long_keeps_no_other_waiting(opener: Opener):
    with ThreadPoolExecutor(1) as threads, staffed(opener, 2) as opened:
        stuck = threads.submit(opened, Image(b"!stuck"))
        opened(Image(JPEG))
        assert not stuck.done()
    assert "were ended" in str(stuck.exception())


@pytest.mark.usefixtures("misled")
def test_a_batch_answers_what_is_ready_before_what_is_not():
    engine = core.load(DEMO, device="cpu", dtype="float32")
    sources = [b"!stuck", JPEG, JPEG, JPEG]
    requests = [
        ([Message("user", [Image(source), "What is this?"])], core.Sampling(max_tokens=3)) for source in sources
    ]
    generation = engine.batch(requests, workers=2)
    done = []
    for index, event in generation:
        if isinstance(event, core.Done):
            done.append(index)
        if len(done) == 3:
            generation.stop()
    assert sorted(done) == [1, 2, 3]


def test_a_batch_in_workers_is_the_same_batch():
    engine = core.load(DEMO, device="cpu", dtype="float32")
    sources = [stored(noise(40 + 9 * place, 50)) for place in range(5)] + ["nowhere.png"]
    requests = [
        ([Message("user", [Image(source), "What is this?"])], core.Sampling(max_tokens=5)) for source in sources
    ]
    theirs, ours = dict(engine.batch(requests, workers=2)), dict(engine.batch(requests))
    assert [(theirs[n].text, theirs[n].images) for n in range(5)] == [(ours[n].text, ours[n].images) for n in range(5)]
    assert str(theirs[5].error) == str(ours[5].error)


def test_a_pool_serves_several_batches_and_openers():
    engine = core.load(DEMO, device="cpu", dtype="float32")
    requests = [([Message("user", [Image(JPEG), "What is this?"])], core.Sampling(max_tokens=5))]
    alone = dict(engine.batch(requests))[0]
    with core.Workers(2) as pool:
        first, second = (dict(engine.batch(requests, workers=pool))[0] for _ in range(2))
        other = replace(engine.processor.opener, model=None)  # counts no tokens
        assert pool.open(other, Image(JPEG)).seen.tokens == 0
    assert first.token_ids == second.token_ids == alone.token_ids
    assert first.images[0].tokens > 0


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_how_many_is_a_whole_number(workers: Any):
    with pytest.raises(core.errors.BadOption, match="workers must be"):
        core.load(DEMO, device="cpu").batch([], workers=workers)


def test_workers_that_cannot_be_started(opener: Opener, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hired, "MODULE", "no_such_module")
    with staffed(opener, 1) as opened:
        for _ in range(2):
            with pytest.raises(core.errors.CoreError, match="could not be started"):
                opened(Image(JPEG))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(core.errors.CoreError, match="could not be started"), staffed(opener, 2):
        pass
