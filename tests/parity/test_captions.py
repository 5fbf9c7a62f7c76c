"""Captioners through the engine: greedy and by beams, as long as the checkpoint asks for, are the reference's."""

import json

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoImageProcessor, GenerationConfig, PreTrainedTokenizerFast, ViTImageProcessorPil

import llavacli_core as core
from llavacli_core.checkpoint import load
from llavacli_core.nn import product, settling
from llavacli_core.options import Sampling
from tests import flash
from tests.parity.asking import finish
from tests.reference import captioners, pictures

pytestmark = pytest.mark.parity

NAMES = ("vit+gpt2", "deit+trocr", "beit+roberta", "swin+bert", "vit-plain+trocr-sinusoidal")
PICTURES = (pictures.photo(), pictures.sized(31, 97), pictures.in_mode("L"))


def small_files(folder):
    """A tokenizer of as many words as there are ids, and a preprocessor."""
    words = {f"w{number}": number for number in range(captioners.VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w5"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="w0", pad_token="w1", eos_token="w3", unk_token="w5"
    ).save_pretrained(folder)
    side = captioners.SIDE
    ViTImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory):
    """The folder of a captioner by name, and the reference loaded from it; `values` join its generation_config.json."""

    def make(name, **values):
        folder = tmp_path_factory.mktemp("captioner")
        model = captioners.write(captioners.BY_NAME[name], folder)
        small_files(folder)
        asked = json.loads((folder / "generation_config.json").read_text()) | values
        (folder / "generation_config.json").write_text(json.dumps(asked))
        model.generation_config = GenerationConfig.from_pretrained(folder)
        return core.load(folder, device="cpu", dtype="float32"), Reference(folder, model)

    return make


class Reference:
    def __init__(self, folder, model):
        self.model = model
        self.processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

    @torch.no_grad()
    def __call__(self, picture, **options):
        pixels = self.processor(pictures.upright(picture).convert("RGB"), return_tensors="pt")["pixel_values"]
        return tuple(self.model.generate(pixels, do_sample=False, **options)[0, 1:].tolist())


def caption(engine, picture, **sampling):
    return finish(engine.generate([core.Message("user", core.Image(picture))], Sampling(**sampling)))


def trimmed(ids):
    """The reference's ids up to the first end; what follows is padding of its own."""
    return ids[: ids.index(captioners.END) + 1] if captioners.END in ids else ids


@pytest.mark.parametrize("name", NAMES)
def test_captions(name, captioner):
    engine, reference = captioner(name)
    for picture in PICTURES:
        done = caption(engine, picture, max_tokens=30)
        assert done.token_ids == trimmed(reference(picture, max_new_tokens=30, num_beams=1))
        assert done.text == engine.processor.tokenizer.decode(done.token_ids)
        assert (done.prompt_text, done.usage.prompt_tokens) == ("", 1)
        assert caption(engine, picture).token_ids == trimmed(reference(picture, num_beams=1))  # 20 tokens
        for beams in (3, 4):
            options = {"max_new_tokens": 16, "num_beams": beams}
            assert caption(engine, picture, max_tokens=16, beams=beams).token_ids == trimmed(
                reference(picture, **options)
            )


ASKED = (
    {"max_length": 12},
    {"max_new_tokens": 9, "min_new_tokens": 6},
    {"max_length": 24, "min_length": 10},
    {"no_repeat_ngram_size": 2},
    {"forced_bos_token_id": 7},
    {"repetition_penalty": 1.6},
    {"suppress_tokens": [65, 9, 53], "begin_suppress_tokens": [12]},
    {"max_length": 10, "forced_eos_token_id": 3},
    {"no_repeat_ngram_size": 3, "length_penalty": 2.0, "early_stopping": True, "max_length": 18},
)


@pytest.mark.parametrize("kernel", ["eager", "flash"])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_by_every_kernel(name, kernel, captioner, monkeypatch):
    engine, _ = captioner(name)
    stand_in = flash.install(monkeypatch)
    monkeypatch.setattr(load, "choose_kernel", lambda *_: kernel)
    other = core.load(engine.processor.located.folder, device="cpu", dtype="float32")
    for picture in PICTURES:
        assert caption(other, picture, max_tokens=12).token_ids == caption(engine, picture, max_tokens=12).token_ids
    assert bool(stand_in.calls) == (kernel == "flash")


@pytest.mark.skipif(not product.prefers_onednn(torch.float32), reason="oneDNN does not compute on this processor")
@pytest.mark.parametrize("name", NAMES)
def test_the_same_with_weights_in_blocks(name, captioner, monkeypatch):
    monkeypatch.setattr(settling, "LARGE", 0)
    monkeypatch.setattr(settling, "TOKENS", 1)
    for module in (settling, load):
        monkeypatch.setattr(module, "reorders", product.prefers_onednn)
    engine, reference = captioner(name)
    for picture in PICTURES:
        for beams in (1, 3):
            expected = trimmed(reference(picture, max_new_tokens=16, num_beams=beams))
            assert caption(engine, picture, max_tokens=16, beams=beams).token_ids == expected
    assert engine.network.decoder.blocks[0].up.weight.is_mkldnn


@pytest.mark.parametrize("values", ASKED, ids=", ".join)
@pytest.mark.parametrize("name", ["vit+gpt2", "deit+trocr"])
def test_what_generation_config_asks_for(name, values, captioner):
    engine, reference = captioner(name, **values)
    for beams in (1, 4):
        done = caption(engine, PICTURES[0], beams=beams)
        assert done.token_ids == trimmed(reference(PICTURES[0], num_beams=beams))


@pytest.mark.parametrize("workers", [None, 2])
def test_captions_together_are_captions_alone(workers, captioner):
    engine, _ = captioner("deit+trocr")
    asked = [
        ([core.Message("user", core.Image(PICTURES[place % 3]))], Sampling(max_tokens=length))
        for place, length in enumerate((3, 30, 12, 1, 25, 8))
    ]
    done = {index: event for index, event in engine.batch(asked, 4, workers) if isinstance(event, core.Done)}
    for index, (messages, sampling) in enumerate(asked):
        assert done[index].token_ids == finish(engine.generate(messages, sampling)).token_ids


@pytest.mark.parametrize(
    "messages",
    [
        [core.Message("user", [core.Image(PICTURES[0]), "What is this?"])],
        [core.Message("system", "Be brief."), core.Message("user", core.Image(PICTURES[0]))],
        [core.Message("user", [core.Image(PICTURES[0]), core.Image(PICTURES[1])])],
        [core.Message("user", "Hello")],
        [core.Message("user", core.Video("clip.mp4"))],
        [],
    ],
)
def test_anything_but_one_picture_is_refused(messages, captioner):
    engine, _ = captioner("vit+gpt2")
    with pytest.raises((core.errors.BadOption, core.errors.InputError), match=r"caption|no message"):
        next(engine.generate(messages))


def test_a_session_captions_one_picture_after_the_other(captioner):
    engine, _ = captioner("vit+gpt2")
    session = engine.session()
    for picture in PICTURES:
        assert finish(session.generate(core.Image(picture))).token_ids == caption(engine, picture).token_ids
    with pytest.raises(core.errors.BadOption, match="caption"):
        next(session.generate("And now?"))


def test_it_says_that_it_takes_no_prompt(captioner):
    engine, _ = captioner("vit+gpt2")
    assert (engine.info.family, engine.info.template, engine.info.takes_prompt) == (
        "vision-encoder-decoder",
        None,
        False,
    )


def test_what_is_not_followed_is_said(captioner):
    engine, _ = captioner("vit+gpt2", bad_words_ids=[[7]])
    (warning,) = caption(engine, PICTURES[0], max_tokens=2).warnings
    assert "bad_words_ids" in warning


def test_a_caption_is_gone_on_with_as_far_as_there_are_positions(captioner):
    engine, _ = captioner("vit+gpt2", eos_token_id=None)
    have = engine.info.max_positions
    session = engine.session()
    done = finish(session.generate(core.Image(PICTURES[0]), Sampling(max_tokens=have - 4)))
    *_, done = session.go_on(Sampling(max_tokens=100))
    assert len(done.token_ids) == have - 1
    with pytest.raises(core.errors.TooLong, match=f"{have} positions"):
        next(session.go_on(Sampling(max_tokens=1)))
    assert session.messages[-1].text == done.text
