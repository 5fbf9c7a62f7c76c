"""Encoders and decoders alone, what is made of two of them, and the parts of whole models, beside the reference."""

import pytest
import torch
import transformers

import llavacli_core as core
from llavacli_core.errors import BadOption, BrokenModel, UnsupportedModel
from tests.reference.captioners import BY_NAME, DECODERS, ENCODERS, SIDE, START, scaled, write

pytestmark = pytest.mark.parity

ENCODER_CLASSES = {"vit": "ViTModel", "deit": "DeiTModel", "beit": "BeitModel", "swin": "SwinModel"}
DECODER_CLASSES = {
    "gpt2": "GPT2LMHeadModel",
    "trocr": "TrOCRForCausalLM",
    "bert": "BertLMHeadModel",
    "roberta-untied": "RobertaForCausalLM",
}
PIXELS = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
IDS = torch.randint(4, 90, (2, 6), generator=torch.Generator().manual_seed(0))
SWITCHES = {"output_hidden_states": True, "output_attentions": True}


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)


def same(ours, theirs, *, without=()) -> None:
    """Every value that both give."""
    names = [name for name in theirs if name not in without]
    assert list(ours) == names
    for name in names:
        close(ours[name], theirs[name] if isinstance(ours[name], torch.Tensor) else tuple(theirs[name]))


def noisy(model):
    """The model with every parameter random, and attention as the textbook has it."""
    generator = torch.Generator().manual_seed(1)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            parameter.copy_(scaled(name, torch.randn(parameter.shape, generator=generator)))
    return model.eval()


@pytest.mark.parametrize("name", ENCODER_CLASSES)
@torch.no_grad()
def test_encoders(name, tmp_path):
    cls = ENCODER_CLASSES[name]
    pooled = {"use_mean_pooling": False} if name == "beit" else {}
    config = type(ENCODERS[name]).from_dict(ENCODERS[name].to_dict() | pooled)
    theirs = noisy(getattr(transformers, cls)(config, add_pooling_layer=False))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(core, cls).from_pretrained(tmp_path / "theirs")
    assert not ours.training
    same(ours(PIXELS, **SWITCHES), theirs(PIXELS, **SWITCHES), without=("reshaped_hidden_states",))
    ours.save_pretrained(tmp_path / "ours")
    again = getattr(transformers, cls).from_pretrained(tmp_path / "ours", add_pooling_layer=False)
    close(again(PIXELS).last_hidden_state, ours(PIXELS, return_dict=False)[0])


@pytest.mark.parametrize("name", DECODER_CLASSES)
@torch.no_grad()
def test_decoders(name, tmp_path):
    cls = DECODER_CLASSES[name]
    changes = {"is_decoder": True, "add_cross_attention": True, "cross_attention_hidden_size": None}
    theirs = noisy(getattr(transformers, cls)(type(DECODERS[name]).from_dict(DECODERS[name].to_dict() | changes)))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(core, cls).from_pretrained(tmp_path / "theirs")
    states = torch.randn(2, 5, 40, generator=torch.Generator().manual_seed(0))
    labels = IDS.clone()
    labels[0, 4:] = -100
    call = {"input_ids": IDS, "encoder_hidden_states": states, "labels": labels, "use_cache": False}
    same(ours(**call, **SWITCHES), theirs(**call, **SWITCHES))
    close(ours(IDS).logits, theirs(IDS).logits)
    close(ours(inputs_embeds=ours.get_input_embeddings()(IDS)).logits[:, -1:], ours(IDS).logits[:, -1:])
    ours.save_pretrained(tmp_path / "ours")
    again, loading = getattr(transformers, cls).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not loading["missing_keys"]
    close(again.eval()(IDS, encoder_hidden_states=states).logits, ours(IDS, encoder_hidden_states=states).logits)


def test_what_is_no_part_of_a_captioner(tmp_path):
    with pytest.raises(BadOption, match="cross-attention"):
        core.GPT2LMHeadModel(core.GPT2Config(n_layer=1))
    with pytest.raises(BadOption, match="no words"):
        core.ViTModel(core.ViTConfig(num_hidden_layers=1, hidden_size=24)).get_input_embeddings()
    with pytest.raises(BadOption, match="encoder and a decoder"):
        core.VisionEncoderDecoderModel()
    config = core.VisionEncoderDecoderConfig(encoder=core.CLIPVisionConfig(), decoder=core.BertConfig())
    with pytest.raises(UnsupportedModel, match="clip"):
        core.VisionEncoderDecoderModel(config)
    write(BY_NAME["swin+bert"], tmp_path)
    with pytest.raises(BrokenModel, match="none of its weights"):
        core.ViTModel.from_pretrained(tmp_path, config=core.ViTConfig(num_hidden_layers=1))


@pytest.mark.parametrize("size", [32, 40], ids=["of another size", "of one size"])
def test_made_of_an_encoder_and_a_decoder(size, tmp_path):
    small = {"intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder = core.ViTModel(core.ViTConfig(hidden_size=size, **small, image_size=SIDE, patch_size=8))
    words = {"d_model": 40, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 48}
    decoder = core.TrOCRForCausalLM(core.TrOCRConfig(vocab_size=96, **words, max_position_embeddings=20))
    model = core.VisionEncoderDecoderModel(encoder=encoder, decoder=decoder)
    assert model.training
    assert model.config.decoder.is_decoder
    assert model.encoder.config is model.config.encoder
    assert model.encoder.network is encoder.network
    assert model.get_decoder().network is decoder.network
    model.config.decoder_start_token_id, model.config.pad_token_id = START, 1
    loss = model(PIXELS, labels=IDS).loss
    loss.backward()
    assert next(encoder.parameters()).grad is not None
    model.eval().save_pretrained(tmp_path)
    theirs, loading = transformers.VisionEncoderDecoderModel.from_pretrained(tmp_path, output_loading_info=True)
    assert all("pooler" in name for name in loading["missing_keys"])  # which no answer depends on
    close(theirs.eval()(PIXELS, labels=IDS).loss, loss)


@torch.no_grad()
def test_parts_of_a_captioner(tmp_path):
    theirs = write(BY_NAME["vit+gpt2"], tmp_path)
    model = core.VisionEncoderDecoderModel.from_pretrained(tmp_path)
    seen = model.encoder(PIXELS)
    close(seen.last_hidden_state, theirs.encoder(PIXELS).last_hidden_state)
    expected = model(PIXELS, decoder_input_ids=IDS).logits
    close(model(encoder_outputs=seen, decoder_input_ids=IDS).logits, expected)
    close(model(encoder_outputs=model.get_encoder()(PIXELS, return_dict=False), decoder_input_ids=IDS).logits, expected)
    assert torch.equal(model.generate(encoder_outputs=seen), model.generate(PIXELS))
    states = model.network.project(seen.last_hidden_state)
    close(model.decoder(IDS, encoder_hidden_states=states).logits, expected)
    for parameter in model.encoder.parameters():
        parameter.requires_grad = False
    assert model.num_parameters(only_trainable=True) < model.num_parameters()


@pytest.fixture(scope="module")
def llava(checkpoint, reference):
    """Our LLaVA and the reference's."""

    def make(base):
        return core.AutoModelForImageTextToText.from_pretrained(checkpoint(base)), reference(base).model

    return make


@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window", "vip", "video"])
@torch.no_grad()
def test_parts_of_a_llava(base, llava):
    model, theirs = llava(base)
    whole = model.model
    assert type(whole).__name__ == type(theirs.model).__name__
    hidden = theirs.model.language_model(IDS).last_hidden_state
    for part in (whole, whole.language_model, model.language_model, model.get_decoder()):
        close(part(IDS).last_hidden_state, hidden)
    close(model.lm_head(hidden), theirs.lm_head(hidden))
    close(model.language_model(inputs_embeds=model.get_input_embeddings()(IDS)).last_hidden_state, hidden)
    counted = sum(parameter.numel() for parameter in theirs.model.language_model.parameters())
    counted += 0 if model.network.decoder.head is None else theirs.lm_head.weight.numel()
    assert sum(parameter.numel() for parameter in model.language_model.parameters()) == counted
    side = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    seen = theirs.model.vision_tower(pixels, output_hidden_states=True)
    ours = model.vision_tower(pixels, output_hidden_states=True)
    for one, other in zip(ours.hidden_states, seen.hidden_states, strict=True):
        close(one, other)
    assert all(parameter.requires_grad for parameter in model.multi_modal_projector.parameters())


@pytest.mark.parametrize("base", ["llava-1.5", "llava-interleave"])
@torch.no_grad()
def test_more_and_fewer_words(base, llava, tmp_path):
    model, theirs = llava(base)
    size = theirs.get_input_embeddings().weight.shape[0]
    expected = theirs(IDS).logits
    assert model.resize_token_embeddings().weight.shape[0] == size
    words = model.resize_token_embeddings(size + 3, pad_to_multiple_of=4)
    wide = -(-(size + 3) // 4) * 4
    assert words.weight.shape[0] == model.config.text_config.vocab_size == wide
    close(words.weight[size:], theirs.get_input_embeddings().weight.mean(0).expand(wide - size, -1))
    logits = model(IDS).logits
    assert logits.shape[-1] == wide
    close(logits[..., :size], expected)
    assert model.generate(IDS, max_new_tokens=4).shape[1] == IDS.shape[1] + 4
    model.tie_weights()
    model.gradient_checkpointing_enable()
    model.save_pretrained(tmp_path)
    close(type(theirs).from_pretrained(tmp_path).eval()(IDS).logits, logits)
    torch.manual_seed(0)
    random = model.resize_token_embeddings(wide + 200, mean_resizing=False).weight[wide:]
    assert 0.015 < random.std() < 0.025
    model.resize_token_embeddings(size)
    close(model(IDS).logits, expected)


@pytest.mark.parametrize("name", ["vit+gpt2", "deit+bert-untied", "beit+trocr-scaled"])
@torch.no_grad()
def test_more_words_of_a_captioner(name, tmp_path):
    theirs = write(BY_NAME[name], tmp_path / "theirs")
    model = core.VisionEncoderDecoderModel.from_pretrained(tmp_path / "theirs")
    model.decoder.resize_token_embeddings(100)
    assert model.config.decoder.vocab_size == 100
    logits = model(PIXELS, decoder_input_ids=IDS).logits
    close(logits[..., :96], theirs(PIXELS, decoder_input_ids=IDS).logits)
    assert model.generate(PIXELS, max_new_tokens=3).shape[1] == 4
    model.save_pretrained(tmp_path / "ours")
    again = type(theirs).from_pretrained(tmp_path / "ours").eval()
    close(again(PIXELS, decoder_input_ids=IDS).logits, logits)
