"""Checkpoints that are stored in bitsandbytes' forms, written by transformers, against what it makes of them."""

import json

import pytest
import torch
from bitsandbytes import functional
from transformers import BitsAndBytesConfig

import llavacli_core as core
from llavacli_core.checkpoint.load import load_weights
from llavacli_core.checkpoint.quantize import quantization
from llavacli_core.errors import BadOption, BrokenModel, UnsupportedModel
from llavacli_core.families.registry import family_of
from llavacli_core.nn import bnb
from llavacli_core.nn.linear import Joined, Linear
from llavacli_core.options import Placement
from llavacli_core.schemes import BNB_8BIT, Scheme
from tests.parity.asking import assert_same
from tests.reference import captioners, quantizing, rewriting
from tests.reference.answering import Reference
from tests.reference.captioners import SIDE, START
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

CASE, LENGTH = BY_NAME["photo"], 10
NESTED = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
OURS_KEEPS = ("lm_head", "vision_tower", "multi_modal_projector")
FORMS = {  # the config, the modules that are kept, and what we say of it
    "nf4": (NESTED, ("lm_head",), "bnb-nf4"),
    "fp4": ({"load_in_4bit": True}, ("lm_head",), "bnb-fp4"),
    "int8": ({"load_in_8bit": True}, ("lm_head",), "bnb-8bit"),
    "int8, outliers": ({"load_in_8bit": True, "llm_int8_threshold": 0.5}, ("lm_head",), "bnb-8bit"),
    "skipping": (NESTED, (*OURS_KEEPS, "k_proj", "down_proj"), "bnb-nf4"),
}


@pytest.fixture
def stored(checkpoint, tmp_path):
    """The folder of a checkpoint in a form of FORMS, by a config that says `more`; and the reference that wrote it."""

    def write(form, base="llava-1.5", **more):
        values, kept, _ = FORMS[form]
        values = values | more
        folder = rewriting.copied(checkpoint(base), tmp_path / "stored")
        there = Reference(folder)
        there.model = quantizing.quantized(there.model, BitsAndBytesConfig(**values), kept)
        there.model.save_pretrained(folder)
        return folder, there

    return write


@pytest.mark.parametrize("form", FORMS)
def test_stored_forms_answer_as_the_reference(form, stored):
    folder, there = stored(form)
    expected = there.answer(CASE, LENGTH)
    engine = core.load(str(folder), device="cpu", dtype="float32")
    assert engine.info.quant == FORMS[form][2]
    assert_same(engine, CASE, expected, LENGTH)
    attention = engine.network.decoder.blocks[0].attention
    assert isinstance(attention.qkv, Joined)
    assert isinstance(attention.qkv.products[1], Linear) == (form == "skipping")
    model = core.LlavaForConditionalGeneration.from_pretrained(folder)
    inputs = there.inputs(CASE)
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs).logits, there.model(**inputs).logits, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("compute", ["float32", "bfloat16", "float16", None])
@torch.no_grad()
def test_products_are_computed_in_the_format_that_is_asked_for(compute, dtype, stored):
    """To the last bit; a whole network, where each rounds the other's noise, would not tell."""
    more = {} if compute is None else {"bnb_4bit_compute_dtype": compute}
    folder, there = stored("nf4", **more)
    theirs = there.model.model.language_model.layers[0].mlp.down_proj
    x = torch.randn(3, theirs.in_features, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = theirs.to(dtype)(x)
    engine = core.load(folder, device="cpu", dtype=str(dtype).removeprefix("torch."))
    ours = engine.network.decoder.blocks[0].mlp.down
    assert torch.equal(ours(x), expected)
    assert (ours(x).dtype, ours.compute) == (dtype, getattr(torch, compute or "float32"))
    asked = core.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", **more).scheme()
    fresh = bnb.of([torch.eye(64, dtype=dtype)], (64,), asked)
    assert fresh.compute == ours.compute


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["bnb-8bit", "bnb-nf4", "bnb-fp4"])
@pytest.mark.parametrize(("out", "inputs"), [(150, 96), (128, 100), (64, 32)])
def test_a_matrix_in_pieces_is_quantized_as_the_whole(name, dtype, out, inputs):
    weight = torch.randn(out, inputs, generator=torch.Generator().manual_seed(0)).to(dtype)
    if name == "bnb-8bit":
        made = bnb.of(weight.split(64), (out,), BNB_8BIT)
        codes, scale, _ = functional.int8_vectorwise_quant(weight.half())
        assert torch.equal(made.codes, codes)
        assert torch.equal(made.scale, scale)
        return
    for nested in (False, True):
        made = bnb.of(weight.split(64), (out,), Scheme(name, 4, nested=nested))
        packed, state = functional.quantize_4bit(weight, compress_statistics=nested, quant_type=name[-3:])
        assert torch.equal(made.packed, packed)
        assert made.state.as_dict().keys() == state.as_dict().keys()
        restored = [functional.dequantize_4bit(packed, each) for each in (made.state, state)]
        assert torch.equal(*restored)


def test_another_format_of_products_is_told(stored):
    folder, _ = stored("nf4")
    asked = {"load_in_4bit": True, "bnb_4bit_compute_dtype": "int4"}
    rewriting.edited(folder, "config.json", lambda values: values.update(quantization_config=asked))
    with pytest.raises(BrokenModel, match="bnb_4bit_compute_dtype"):
        core.load(str(folder), device="cpu")


@pytest.mark.parametrize("form", ["nf4", "fp4", "int8"])
def test_the_documents_config_quantizes_as_the_reference_does(form, checkpoint):
    values = FORMS[form][0] | {"bnb_4bit_use_double_quant": False}  # what stacks share changes with nested scales
    there = Reference(checkpoint("llava-1.5"))
    there.model = quantizing.quantized(there.model, BitsAndBytesConfig(**values), OURS_KEEPS)
    ours = core.LlavaForConditionalGeneration.from_pretrained(
        checkpoint("llava-1.5"), quantization_config=core.BitsAndBytesConfig(**values)
    )
    inputs = there.inputs(CASE)
    with torch.no_grad():
        torch.testing.assert_close(ours(**inputs).logits, there.model(**inputs).logits, rtol=0, atol=1e-3)
    assert ours.dtype == torch.float32
    with pytest.raises(BadOption, match="cannot be saved"):
        ours.save_pretrained("nowhere")


def test_modules_to_skip_are_skipped(checkpoint):
    config = core.BitsAndBytesConfig(load_in_4bit=True, llm_int8_skip_modules=["layers.1", "down_proj"])
    network = core.LlavaForConditionalGeneration.from_pretrained(
        checkpoint("llava-1.5"), quantization_config=config.to_dict()
    ).network
    kept = [isinstance(block.mlp.gate_up, Linear) for block in network.decoder.blocks]
    assert kept == [False, True, False]
    assert all(isinstance(block.mlp.down, Linear) for block in network.decoder.blocks)


def test_stored_bits_stay_as_they_are(stored):
    folder, _ = stored("nf4")
    assert core.load(str(folder), device="cpu", quantize="4bit").info.quant == "bnb-nf4"
    with pytest.raises(BadOption, match="stored quantized already"):
        core.load(str(folder), device="cpu", quantize="8bit")


def test_other_quantizers_forms_are_refused(checkpoint, tmp_path):
    folder = rewriting.copied(checkpoint("llava-1.5"), tmp_path / "awq")
    rewriting.edited(folder, "config.json", lambda values: values.update(quantization_config={"quant_method": "awq"}))
    with pytest.raises(UnsupportedModel, match="awq"):
        core.load(str(folder), device="cpu")


@pytest.mark.parametrize(("asked", "held", "like"), [("8bit", "int8", 0.999), ("4bit", "int4", 0.97)])
@torch.no_grad()
def test_a_captioner_decodes_quantized(asked, held, like, tmp_path):
    reference = captioners.write(captioners.BY_NAME["vit-wide+trocr-wide"], tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    family = family_of(config)
    placement = Placement(device="cpu", dtype="float32", quantize=asked)
    network = load_weights(tmp_path, family.read(config), family.names(config), placement)
    assert quantization(network) == held
    assert isinstance(network.projection or network.encoder.blocks[0].up, Linear)
    pixels, ids = torch.randn(1, 3, SIDE, SIDE), torch.tensor([[START, 7, 30, 4]])
    rows = network.start(network.encode(pixels))
    logits = torch.cat([network.step(ids[:, place : place + 1], rows) for place in range(4)], 1)
    expected = reference(pixels, ids).logits
    assert torch.corrcoef(torch.stack((logits.flatten(), expected.flatten())))[0, 1] > like
