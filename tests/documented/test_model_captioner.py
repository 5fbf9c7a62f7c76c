"""The documented encoder-decoder beside the reference: outputs, loss, caches, generation, saving, putting together."""

from copy import deepcopy

import pytest
import torch
import transformers

import llavacli_core as core
from llavacli_core.errors import BadOption, BrokenModel
from tests.documented.renamed import names
from tests.reference.captioners import BY_NAME, DECODERS, ENCODERS, SIDE, START, write

pytestmark = pytest.mark.parity

NAMES = ["vit+gpt2", "deit+trocr", "beit+roberta", "swin+bert", "vit-plain+trocr-sinusoidal", "deit+bert-untied"]
PIXELS = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(4, 90, (2, 7), generator=torch.Generator().manual_seed(0))
LABELS[1, 5:] = -100
IDS = LABELS[:, :4]


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)  # of scores around 10


def doubled(model, theirs, _):
    """Both in float64, and the pictures: random layers may magnify the rounding of float32 a thousand times."""
    return model.double(), deepcopy(theirs).double(), PIXELS.double()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Our model, the reference's, and the folder that it wrote."""
    ready = {}

    def make(name):
        if name not in ready:
            folder = tmp_path_factory.mktemp("captioner")
            ready[name] = write(BY_NAME[name], folder), folder
        theirs, folder = ready[name]
        return core.VisionEncoderDecoderModel.from_pretrained(folder), theirs, folder

    return make


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_every_output(name, made):
    model, theirs, pixels = doubled(*made(name))
    switches = {"output_hidden_states": True, "output_attentions": True}
    ours, expected = model(pixels, labels=LABELS, **switches), theirs(pixels, labels=LABELS, **switches)
    assert list(ours.keys()) == names(expected)
    for key in ours.keys() - {"past_key_values"}:
        one, other = ours[key], expected[key]
        close(one, other if isinstance(one, torch.Tensor) else tuple(other))
    assert ours[0] is ours.loss
    plain = model(pixels, labels=LABELS, return_dict=False)
    close(plain[1], expected.logits)


@pytest.mark.parametrize("name", ["vit+gpt2", "beit+roberta"])
def test_gradients(name, made):
    model, theirs, pixels = doubled(*made(name))
    model(pixels, labels=LABELS).loss.backward()
    theirs(pixels, labels=LABELS).loss.backward()
    expected = theirs.get_input_embeddings().weight.grad
    torch.testing.assert_close(model.get_input_embeddings().weight.grad, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["vit+gpt2", "deit+trocr"])
@torch.no_grad()
def test_later_calls(name, made):
    model, theirs, _ = made(name)
    expected = theirs(PIXELS, decoder_input_ids=IDS)
    first = model(PIXELS, decoder_input_ids=IDS[:, :2])
    seen = {"encoder_outputs": (first.encoder_last_hidden_state,)}
    second = model(decoder_input_ids=IDS[:, 2:], past_key_values=first.past_key_values, **seen)
    close(second.logits, expected.logits[:, 2:])
    assert second.past_key_values.get_seq_length() == 4
    again = model(PIXELS, decoder_input_ids=IDS[:, :2]).past_key_values
    traced = model(decoder_input_ids=IDS[:, 2:], past_key_values=again, output_hidden_states=True, **seen)
    close(traced.logits, expected.logits[:, 2:])
    assert traced.decoder_hidden_states[0].shape[1] == 2


@pytest.mark.parametrize("name", ["vit+gpt2", "swin+bert"])
@torch.no_grad()
def test_masks_and_embeddings(name, made):
    model, theirs, _ = made(name)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    ours = model(PIXELS, decoder_input_ids=IDS, decoder_attention_mask=mask).logits
    expected = theirs(PIXELS, decoder_input_ids=IDS, decoder_attention_mask=mask).logits
    close(ours[mask.bool()], expected[mask.bool()])
    words = model.get_input_embeddings()(IDS)
    close(model(PIXELS, decoder_inputs_embeds=words).logits, theirs(PIXELS, decoder_input_ids=IDS).logits)


@pytest.mark.parametrize("asked", [{}, {"max_new_tokens": 9}, {"max_length": 9, "num_beams": 3}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_generate(name, asked, made):
    model, theirs, _ = made(name)
    expected = theirs.generate(PIXELS, do_sample=False, **asked)
    assert torch.equal(model.generate(PIXELS, **asked), expected)
    assert torch.equal(model.generate(pixel_values=PIXELS, **asked), expected)


def test_generate_from_words_that_are_there(made):
    model, theirs, _ = made("vit+gpt2")
    asked = {"decoder_input_ids": IDS, "max_new_tokens": 5, "do_sample": False}
    assert torch.equal(model.generate(PIXELS, **asked), theirs.generate(PIXELS, **asked))
    with pytest.raises(BadOption, match="input_ids"):
        model.generate(PIXELS, input_ids=IDS)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "sinusoidal" not in name]
)  # which the reference cannot load
@torch.no_grad()
def test_saved_models_load_there(name, made, tmp_path):
    model, theirs, _ = made(name)
    model.save_pretrained(tmp_path)
    again, loading = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    expected = theirs(PIXELS, labels=LABELS).loss
    close(again.eval()(PIXELS, labels=LABELS).loss, expected)
    close(core.AutoModelForVision2Seq.from_pretrained(tmp_path)(PIXELS, labels=LABELS).loss, expected)


@pytest.mark.parametrize("pair", [("vit", "gpt2"), ("swin", "bert"), ("beit", "roberta")], ids="+".join)
@torch.no_grad()
def test_put_together_from_two(pair, tmp_path):
    torch.manual_seed(0)
    encoder = transformers.AutoModel.from_config(ENCODERS[pair[0]]).eval()
    plain = DECODERS[pair[1]].to_dict() | {"is_decoder": False, "add_cross_attention": False}
    decoder = transformers.AutoModelForCausalLM.from_config(type(DECODERS[pair[1]]).from_dict(plain)).eval()
    encoder.save_pretrained(tmp_path / "encoder")
    decoder.save_pretrained(tmp_path / "decoder")
    model = core.VisionEncoderDecoderModel.from_encoder_decoder_pretrained(
        tmp_path / "encoder", tmp_path / "decoder", decoder_use_cache=False
    )
    assert model.config.decoder.is_decoder
    assert model.config.decoder.add_cross_attention
    assert model.config.decoder.use_cache is False
    ours = model(PIXELS, decoder_input_ids=IDS)
    close(ours.encoder_last_hidden_state, encoder(PIXELS).last_hidden_state)
    close(model.get_input_embeddings().weight, decoder.get_input_embeddings().weight)
    crossed = next(
        weight for name, weight in model.state_dict().items() if "crossattention" in name and weight.dim() == 2
    )
    assert crossed.std() > 0
    model.config.decoder_start_token_id, model.config.pad_token_id = START, 1
    model.save_pretrained(tmp_path / "both")
    expected = transformers.VisionEncoderDecoderModel.from_pretrained(tmp_path / "both").eval()
    close(model(PIXELS, labels=LABELS).loss, expected(PIXELS, labels=LABELS).loss)


def test_putting_together_what_does_not_fit(made, tmp_path):
    _, _, folder = made("swin+bert")
    core.BertConfig().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(BrokenModel, match="none of its weights"):
        core.VisionEncoderDecoderModel.from_encoder_decoder_pretrained(
            tmp_path, tmp_path, encoder_config=core.ViTConfig(), decoder_config=core.BertConfig(num_hidden_layers=1)
        )
    with pytest.raises(BadOption, match="encoder_model"):
        core.VisionEncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path, tmp_path, encoder_model=object())


def test_made_from_configs():
    small = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    encoder = core.ViTConfig(**small, image_size=SIDE, patch_size=8)
    decoder = core.BertConfig(**small, vocab_size=50)
    config = core.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = core.VisionEncoderDecoderModel(config=config)
    assert model.config.encoder.hidden_size == 16
    assert model.config.decoder.add_cross_attention
    model.config.decoder_start_token_id, model.config.pad_token_id = 1, 0
    assert model(PIXELS, labels=LABELS % 50).loss.requires_grad
