"""Whether a model fits, and what is advised where it does not; what cannot work is refused before weights are read."""

import shutil
from dataclasses import replace

import pytest
import torch

import llavacli_core as core
from llavacli_core.checkpoint.footprint import Footprint
from llavacli_core.checkpoint.host import Room
from llavacli_core.engine import fit as room
from llavacli_core.engine.fit import Fit, best_fit

MIB = 2**20


@pytest.fixture
def free(monkeypatch):
    """Sets the free memory, and free swap."""

    def set_to(size, swap=0):
        monkeypatch.setattr(room, "host_memory", lambda: Room(total=size, free=size))
        monkeypatch.setattr(room, "free_swap", lambda: swap)

    return set_to


def a_fit(size, *, mapped=0, free=100, dtype="float32", quant="none", swap=0):
    needs = Footprint(weights=size, mapped=mapped, cache=10, activations=10, overhead=0)
    return Fit(device="cpu", dtype=dtype, quant=quant, footprint=needs, room=Room(total=200, free=free), swap=swap)


def test_verdicts():
    assert a_fit(80).verdict == "fits"
    assert a_fit(81).verdict == "too large"
    assert a_fit(500, mapped=450).verdict == "from disk"
    assert a_fit(500, mapped=400).verdict == "too large"
    assert replace(a_fit(500), room=None).verdict == "fits"


def test_only_what_cannot_work_is_impossible():
    assert not a_fit(90).impossible  # more than is free in all, but that is an estimate
    assert a_fit(91).impossible
    assert not a_fit(91, swap=1).impossible
    assert not a_fit(1000, mapped=1000).impossible  # mapped weights are read again


def test_the_best_loses_least():
    wide, half = a_fit(500), a_fit(250, dtype="bfloat16")
    eight, four = a_fit(60, quant="8bit"), a_fit(30, quant="4bit")
    assert best_fit([wide, half, eight, four], wide) is eight
    assert best_fit([wide, half, four], wide) is four
    assert best_fit([wide, a_fit(250, mapped=240, dtype="bfloat16"), four], wide) is four
    assert best_fit([wide, half], wide) is None
    assert best_fit([wide, four], four) is four


def test_it_is_refused_before_weights_are_read(checkpoint, tmp_path, free):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("next-vicuna"), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    free(1000)
    with pytest.raises(core.errors.OutOfMemory, match="needs 1 MB of cpu memory") as caught:
        core.load(str(folder), dtype="bfloat16")
    assert caught.value.code == "out_of_memory"
    with pytest.raises(core.errors.BrokenModel):  # mapped weights are no reason; that they are missing is
        core.load(str(folder), dtype="float32")
    free(1000, swap=100 * MIB)
    with pytest.raises(core.errors.BrokenModel):
        core.load(str(folder), dtype="bfloat16")


def test_what_is_advised_fits(checkpoint, free):
    processor = core.load_processor(str(checkpoint("next-vicuna")))
    work = core.Work(prompt=1000, image_tokens=900, answer=100, tiles=5)
    wide = core.fit(processor, work, placement=core.Placement(dtype="float32"))
    half = core.fit(processor, work, placement=core.Placement(dtype="bfloat16"))
    assert half.footprint.cache * 2 == wide.footprint.cache
    free(wide.footprint.total)
    assert core.check_memory(processor, work).fits
    free(wide.footprint.pinned - 1)
    with pytest.raises(core.errors.OutOfMemory, match="with this prompt"):
        core.check_memory(processor, work, placement=core.Placement(dtype="float32"))


def test_a_request_as_work(checkpoint):
    processor = core.load_processor(str(checkpoint("next-vicuna")))
    picture = core.Image(b"P6 40 30 255\n" + bytes(40 * 30 * 3))
    request = processor.prepare([core.Message("user", [picture, "What is this?"])])
    work = core.work_of(processor, request, core.Sampling(max_tokens=7, beams=3))
    assert (work.prompt, work.image_tokens) == (len(request.token_ids), request.image_tokens)
    assert (work.answer, work.tiles, work.rows) == (7, len(request.pictures[0].tiles.pixels), 3)


def test_memory_that_fails_at_run_time_is_advised_on(engine, monkeypatch):
    from llavacli_core.checkpoint import footprint
    from llavacli_core.engine import forward

    monkeypatch.setattr(footprint, "REMAP_BYTES", 0)  # which outweighs so small a model
    loaded = engine("next-vicuna")

    def fail(*_, **__):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(loaded.network.decoder, "forward", fail)
    with pytest.raises(core.errors.OutOfMemory, match="not enough memory on cpu for a prompt") as caught:
        list(loaded.generate([core.Message("user", ["Hello"])]))
    assert caught.value.hint.startswith(forward.FEWER)
    assert "; --dtype bfloat16 needs " in caught.value.hint


def test_flash_is_refused_where_loading_would_refuse_it():
    processor = core.load_processor("demo")
    placement = core.Placement(device="cpu", attention="flash")
    with pytest.raises(core.errors.BadOption, match="CUDA devices only"):
        core.fit(processor, placement=placement)
    assert core.fits(processor, placement=placement) == []
