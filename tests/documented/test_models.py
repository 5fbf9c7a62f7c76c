"""The documented LLaVA classes beside the reference: every output, every way of calling, saving and making."""

import copy

import pytest
import torch
import transformers

import llavacli_core as core
from llavacli_core.errors import BadOption, MissingWeight, UnknownWeight
from tests.documented.renamed import features, names
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

NAMES = {
    "llava-1.5": "Llava",
    "llava-interleave": "Llava",
    "next-mistral-window": "LlavaNext",
    "vip": "VipLlava",
    "video": "LlavaNextVideo",
}
CASES = {"video": "two clips around a picture"}


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def made(checkpoint, reference):
    """Our model, the reference's (with attention as the textbook has it), and the reference's inputs."""

    def make(base, case=None, cls="ForConditionalGeneration"):
        case = BY_NAME[case or CASES.get(base, "two pictures")]
        model = getattr(core, NAMES[base] + cls).from_pretrained(checkpoint(base))
        theirs = reference(base).model
        theirs.set_attn_implementation("eager")
        return model, theirs, dict(reference(base).inputs(case))

    return make


@pytest.fixture(scope="module")
def padded(made):
    """A long and a short row, padded on one side, and what belongs to both."""

    def pad(base, side):
        model, theirs, long = made(base, "photo")
        _, _, short = made(base, "text only")
        ids, mask = long["input_ids"], torch.ones_like(long["input_ids"])
        gap = ids.shape[1] - short["input_ids"].shape[1]
        filling = ids.new_full((1, gap), 5)
        other = (filling, short["input_ids"]) if side == "left" else (short["input_ids"], filling)
        dark = (mask[:, :gap] * 0, mask[:, gap:]) if side == "left" else (mask[:, gap:], mask[:, :gap] * 0)
        inputs = long | {
            "input_ids": torch.cat((ids, torch.cat(other, 1))),
            "attention_mask": torch.cat((mask, torch.cat(dark, 1))),
        }
        return model, theirs, inputs, short

    return pad


@pytest.mark.parametrize("base", NAMES)
@torch.no_grad()
def test_every_output(base, made):
    model, theirs, inputs = made(base)
    switches = {"output_hidden_states": True, "output_attentions": True}
    ours, expected = model(**inputs, **switches), theirs(**inputs, **switches)
    assert list(ours.keys()) == names(expected)
    close(ours.logits, expected.logits)
    for name in ("hidden_states", "attentions"):
        assert len(ours[name]) == len(expected[name])
        for one, other in zip(ours[name], expected[name], strict=True):
            close(one, other)
    for kind in ("image", "video"):
        if f"{kind}_hidden_states" in ours:
            seen = ours[f"{kind}_hidden_states"]
            close(seen, features(expected, kind).view_as(seen))
    assert ours[0] is ours.logits
    assert ours.past_key_values.get_seq_length() == inputs["input_ids"].shape[1]
    assert ours.cache is ours.past_key_values
    assert model(**inputs, return_dict=False, use_cache=False)[0].shape == ours.logits.shape


@pytest.mark.parametrize("base", NAMES)
@torch.no_grad()
def test_without_a_head(base, made):
    model, theirs, inputs = made(base, cls="Model")
    close(model(**inputs).last_hidden_state, theirs.model(**inputs).last_hidden_state)
    assert not hasattr(model, "generate")


@pytest.mark.parametrize("base", NAMES)
@torch.no_grad()
def test_features(base, made):
    model, theirs, inputs = made(base)
    given = {name: inputs[name] for name in ("pixel_values", "image_sizes") if name in inputs}
    ours, expected = model.get_image_features(**given), theirs.get_image_features(**given)
    assert type(ours.pooler_output) is type(expected.pooler_output)
    for one, other in zip(ours.pooler_output, expected.pooler_output, strict=True):
        close(one, other)
    if base != "llava-interleave":  # SigLIP's norm behind its last layer is not built
        close(ours.last_hidden_state, expected.last_hidden_state)
    every = model.get_image_features(**given, output_hidden_states=True).hidden_states
    close(every[1], theirs.get_image_features(**given, output_hidden_states=True).hidden_states[1])


@torch.no_grad()
def test_video_features(made):
    model, theirs, inputs = made("video")
    ours = model.get_video_features(inputs["pixel_values_videos"])
    close(ours.pooler_output, theirs.get_video_features(inputs["pixel_values_videos"]).pooler_output)


@pytest.mark.parametrize("newline", [True, False])
@torch.no_grad()
def test_packing(newline, made):
    model, theirs, _ = made("next-mistral-window")
    features = [torch.randn(3, 4, 64), torch.randn(3, 4, 64)]  # the overview and two tiles each
    sizes = torch.tensor([[30, 60], [60, 30]])
    end = torch.randn(64) if newline else None
    ours, lengths = model.pack_image_features(features, sizes, "default", end)
    expected, counts = theirs.pack_image_features(features, sizes, "default", end)
    assert lengths.tolist() == counts.tolist()
    for one, other in zip(ours, expected, strict=True):
        close(one, other)


@torch.no_grad()
def test_other_layers_and_strategies(made):
    model, theirs, inputs = made("llava-1.5")
    close(model(**inputs, vision_feature_layer=1).logits, theirs(**inputs, vision_feature_layer=1).logits)
    chosen = {"vision_feature_layer": -1, "vision_feature_select_strategy": "full"}
    close(
        torch.stack(model.get_image_features(inputs["pixel_values"], **chosen).pooler_output),
        torch.stack(theirs.get_image_features(inputs["pixel_values"], **chosen).pooler_output),
    )
    with pytest.raises(ValueError, match="image tokens"):
        model(**inputs, vision_feature_select_strategy="full")
    with pytest.raises(BadOption, match="vision_feature_layer"):
        model(**inputs, vision_feature_layer=9)


@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
def test_loss_and_gradients(base, made):
    model, theirs, inputs = made(base)
    labels = torch.where(torch.arange(inputs["input_ids"].shape[1]) % 3 == 0, -100, inputs["input_ids"])
    theirs.zero_grad()
    ours, expected = model(**inputs, labels=labels), theirs(**inputs, labels=labels)
    torch.testing.assert_close(ours.loss, expected.loss, atol=1e-5, rtol=1e-5)
    ours.loss.backward()
    expected.loss.backward()
    gradient = theirs.get_input_embeddings().weight.grad
    torch.testing.assert_close(model.get_input_embeddings().weight.grad, gradient, atol=1e-4, rtol=1e-3)


def test_a_step_of_training_lowers_the_loss_and_changes_answers(made):
    model, _, inputs = made("llava-1.5")
    before = model.generate(**inputs, max_new_tokens=8)
    optimiser = torch.optim.SGD(model.train().parameters(), lr=0.5)
    losses = []
    for _ in range(3):
        loss = model(**inputs, labels=inputs["input_ids"]).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[2] < losses[0]
    assert not torch.equal(model.eval().generate(**inputs, max_new_tokens=8), before)


@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
@torch.no_grad()
def test_a_cached_second_call(base, made):
    model, theirs, inputs = made(base)
    ids = inputs.pop("input_ids")
    inputs.pop("attention_mask")
    first = model(ids[:, :-2], **inputs)
    second = model(ids[:, -2:], past_key_values=first.past_key_values)
    close(second.logits, theirs(ids, **inputs).logits[:, -2:])
    assert second.past_key_values.get_seq_length() == ids.shape[1]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
@torch.no_grad()
def test_padded_batches(base, side, padded):
    model, _, inputs, short = padded(base, side)
    tokens = inputs["attention_mask"].bool()
    close(model(**inputs).logits[1][tokens[1]], model(**short).logits[0])


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
def test_the_loss_of_a_padded_batch(base, side, kernel, padded, checkpoint):
    """The label right behind padding on the left is predicted from padding, so what padding looks at counts."""
    model, theirs, inputs, _ = padded(base, side)
    model = type(model).from_pretrained(checkpoint(base), attn_implementation=kernel)
    theirs.set_attn_implementation(kernel)
    theirs.zero_grad()
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    ours, expected = model(**inputs, labels=labels), theirs(**inputs, labels=labels)
    close(ours.logits, expected.logits)
    torch.testing.assert_close(ours.loss, expected.loss, atol=1e-5, rtol=1e-5)
    if kernel == "eager":  # whose gradient goes through scores that lost their digits to the mask added to them
        return
    ours.loss.backward()
    expected.loss.backward()
    gradient = theirs.get_input_embeddings().weight.grad
    torch.testing.assert_close(model.get_input_embeddings().weight.grad, gradient, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_positions_of_ones_own_and_scores_of_the_last(made):
    model, theirs, inputs = made("llava-1.5")
    positions = torch.arange(inputs["input_ids"].shape[1])[None] * 2 + 3
    expected = theirs(**inputs, position_ids=positions).logits
    close(model(**inputs, position_ids=positions, logits_to_keep=3).logits, expected[:, -3:])
    kept = torch.tensor([0, 4])
    close(model(**inputs, position_ids=positions, logits_to_keep=kept).logits, expected[:, kept])


@torch.no_grad()
def test_embeddings_instead_of_ids(made):
    model, _, inputs = made("llava-1.5")
    expected = model(**inputs).logits
    words = model.get_input_embeddings()(inputs.pop("input_ids"))
    close(model(inputs_embeds=words, **inputs).logits, expected)
    with pytest.raises(ValueError, match="input_ids or inputs_embeds"):
        model(**inputs)


ASKED = {
    "greedy": {},
    "three beams": {"max_new_tokens": 10, "num_beams": 3},
    "four beams": {"max_length": 90, "num_beams": 4, "num_return_sequences": 2, "length_penalty": 0.5},
    "early": {"max_new_tokens": 8, "num_beams": 3, "early_stopping": True, "no_repeat_ngram_size": 2},
    "penalty": {"max_new_tokens": 8, "repetition_penalty": 1.3, "min_new_tokens": 3},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("base", ["llava-1.5", "vip"])
def test_generate(base, asked, made):
    model, theirs, inputs = made(base)
    expected = theirs.generate(**inputs, do_sample=False, **asked)
    assert torch.equal(model.generate(**inputs, **asked), expected)


@pytest.mark.parametrize("beams", [1, 3])
def test_generate_over_clips(beams, made):
    model, theirs, inputs = made("video")
    asked = {"max_new_tokens": 8, "num_beams": beams, "do_sample": False}
    assert torch.equal(model.generate(**inputs, **asked), theirs.generate(**inputs, **asked))


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
def test_a_left_padded_batch_equals_single_answers(base, beams, padded):
    model, theirs, inputs, short = padded(base, "left")
    asked = {"max_new_tokens": 10, "num_beams": beams}
    together = model.generate(**inputs, **asked)
    assert torch.equal(together, theirs.generate(**inputs, do_sample=False, **asked))
    alone = model.generate(**short, **asked)[0, short["input_ids"].shape[1] :]
    assert together[1, inputs["input_ids"].shape[1] :][: len(alone)].tolist() == alone.tolist()


def test_an_ended_row_is_filled_up(padded):
    model, _, inputs, _ = padded("llava-1.5", "left")
    free = model.generate(**inputs, max_new_tokens=6)[:, inputs["input_ids"].shape[1] :]
    stop = free[0, 2].item()
    assert stop not in free[1].tolist()
    stopped = model.generate(**inputs, max_new_tokens=6, eos_token_id=stop, pad_token_id=7)
    new = stopped[:, inputs["input_ids"].shape[1] :]
    assert new[0].tolist() == [*free[0, :3].tolist(), 7, 7, 7]
    assert torch.equal(new[1], free[1])


def test_draws_follow_the_seed_and_differ_within_a_call(made):
    model, _, inputs = made("llava-1.5")
    asked = {"do_sample": True, "temperature": 3.0, "max_new_tokens": 8, "num_return_sequences": 3}
    torch.manual_seed(5)
    first = model.generate(**inputs, **asked)
    torch.manual_seed(5)
    assert torch.equal(model.generate(**inputs, **asked), first)
    assert len({tuple(row.tolist()) for row in first}) == 3
    assert torch.equal(model.generate(**inputs, do_sample=True, top_k=1), model.generate(**inputs))


def test_a_generation_config_and_an_output_with_names(made):
    model, theirs, inputs = made("llava-1.5")
    config = core.GenerationConfig(num_beams=3, max_new_tokens=6)
    output = model.generate(**inputs, generation_config=config, return_dict_in_generate=True)
    asked = {"num_beams": 3, "max_new_tokens": 6, "return_dict_in_generate": True, "output_scores": True}
    expected = theirs.generate(**inputs, do_sample=False, **asked)
    assert torch.equal(output.sequences, expected.sequences)
    close(output.sequences_scores, expected.sequences_scores)
    model.generation_config.max_new_tokens = 2
    assert model.generate(**inputs).shape[1] == inputs["input_ids"].shape[1] + 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_return_sequences": 2},
        {"do_sample": True, "temperature": 0.0},
        {"max_length": 3},
        {"max_new_tokens": 0},
        {"repetition_penalty": -1.0},
        {"output_scores": True},
        {"streamer": object()},
        {"bad_words_ids": [[3]]},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_generate_refuses(wrong, made):
    model, _, inputs = made("llava-1.5")
    with pytest.raises(BadOption):
        model.generate(**inputs, **wrong)


@pytest.mark.parametrize("shard", ["5GB", "100KB"])
@pytest.mark.parametrize("base", NAMES)
@torch.no_grad()
def test_saved_models_load_here_and_there(base, shard, made, tmp_path):
    model, theirs, inputs = made(base)
    expected = theirs(**inputs).logits
    model.save_pretrained(tmp_path, max_shard_size=shard)
    assert (tmp_path / "model.safetensors").exists() == (shard == "5GB")
    close(core.AutoModelForImageTextToText.from_pretrained(tmp_path)(**inputs).logits, expected)
    again, loading = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    close(again.eval()(**inputs).logits, expected)
    assert again.config.architectures == [type(model).__name__]


@torch.no_grad()
def test_a_model_may_be_saved_where_it_came_from(made, tmp_path):
    model, _, inputs = made("next-mistral-window")
    model.save_pretrained(tmp_path)
    expected = model(**inputs).logits
    again = type(model).from_pretrained(tmp_path)
    again.save_pretrained(tmp_path)
    close(again(**inputs).logits, expected)
    close(type(model).from_pretrained(tmp_path)(**inputs).logits, expected)


def test_state_dict_by_published_names(made):
    model, _, _ = made("next-mistral-window")
    weights = model.state_dict()
    assert weights["language_model.model.layers.1.self_attn.k_proj.weight"].shape == (32, 64)
    other = type(model)(copy.deepcopy(model.config))
    other.load_state_dict(weights)
    for name, weight in other.state_dict().items():
        assert torch.equal(weight, weights[name])
    with pytest.raises(UnknownWeight):
        other.load_state_dict(weights | {"stranger": torch.zeros(1)})
    weights.popitem()
    with pytest.raises(MissingWeight):
        other.load_state_dict(weights)


@pytest.mark.parametrize("name", ["Llava", "LlavaNext", "LlavaNextVideo", "VipLlava"])
def test_made_from_a_config(name):
    small = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = small | {"image_size": 28, "patch_size": 14}
    layers = {"vision_feature_layer": [1, -1]} if name == "VipLlava" else {}
    parts = core.CLIPVisionConfig(**vision), core.LlamaConfig(**small, vocab_size=40)
    config = getattr(core, f"{name}Config")(*parts, image_token_index=39, **layers)
    torch.manual_seed(0)
    model = getattr(core, f"{name}ForConditionalGeneration")(config)
    theirs = getattr(transformers, f"{name}Config")
    expected = getattr(transformers, f"{name}ForConditionalGeneration")(
        theirs(
            vision_config=transformers.CLIPVisionConfig(**vision),
            text_config=transformers.LlamaConfig(**small, vocab_size=40),
            **layers,
        )
    )
    tail = 32  # the norm behind CLIP's last layer, which nothing looks at
    assert model.num_parameters() == expected.num_parameters() - tail
    weights = model.state_dict()
    assert 0.015 < weights["language_model.model.layers.0.mlp.up_proj.weight"].std() < 0.025
    assert bool((weights["language_model.model.norm.weight"] == 1).all())
    assert model.config is config
    assert model.training
    assert model(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 40)


def test_number_formats_and_devices(made, checkpoint):
    model = core.LlavaForConditionalGeneration.from_pretrained(
        checkpoint("llava-1.5"), torch_dtype=torch.bfloat16, device_map="cpu", low_cpu_mem_usage=True
    )
    assert model.dtype == model.config.dtype == torch.bfloat16
    assert model.device == torch.device("cpu")
    _, _, inputs = made("llava-1.5")
    assert model.to(torch.float32).generate(**inputs, max_new_tokens=2).shape[1] == inputs["input_ids"].shape[1] + 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantization_config": "4bit"},
        {"quantization_config": {"load_in_4bit": True, "bnb_4bit_quant_type": "int4"}},
        {"attn_implementation": "fast"},
        {"device_map": {"a": 0, "b": 1}},
        {"stranger": 1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_from_pretrained_refuses(wrong, checkpoint):
    with pytest.raises(BadOption):
        core.LlavaForConditionalGeneration.from_pretrained(checkpoint("llava-1.5"), **wrong)


PENALTY = {"max_new_tokens": 6, "repetition_penalty": 1.4}
LENGTHS = {
    "penalty": PENALTY,
    "penalty and beams": PENALTY | {"num_beams": 2},
    "max_length": {"max_length": 90},
    "min_length": {"max_new_tokens": 9, "min_length": 88, "eos_token_id": list(range(0, 90, 2))},
}


@pytest.mark.parametrize("options", LENGTHS.values(), ids=LENGTHS)
def test_answers_behind_embeddings(options, made):
    """No ids are known of them, and lengths count them all the same."""
    model, theirs, inputs = made("llava-1.5")
    words = model.get_input_embeddings()(inputs["input_ids"]).detach()[:, :80]
    expected = theirs.generate(inputs_embeds=words, do_sample=False, **options)
    assert model.generate(inputs_embeds=words, do_sample=False, **options).tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["eos_token_id", "max_new_tokens", "repetition_penalty", "min_length"])
def test_none_switches_off(name, made):
    model, theirs, inputs = made("llava-1.5")
    stop = model.generate(**inputs, max_new_tokens=3)[0, -1].item()
    own = {"eos_token_id": stop, "max_new_tokens": 9, "repetition_penalty": 1.5, "min_length": 200}
    given = core.GenerationConfig(**{name: own[name]})
    asked = {"max_new_tokens": 25} if name != "max_new_tokens" else {}
    expected = theirs.generate(**inputs, do_sample=False, **asked)
    assert torch.equal(model.generate(**inputs, generation_config=given, **asked, **{name: None}), expected)


def test_without_top_k_all_may_be_drawn(made):
    model, _, inputs = made("llava-1.5")
    asked = {"do_sample": True, "temperature": 50.0, "max_new_tokens": 1, "num_return_sequences": 300}
    assert len(set(model.generate(**inputs, **asked)[:, -1].tolist())) <= 50
    assert len(set(model.generate(**inputs, top_k=None, **asked)[:, -1].tolist())) > 100


@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
def test_padding_is_known_without_a_mask(base, padded):
    model, theirs, inputs, _ = padded(base, "left")
    del inputs["attention_mask"]
    for asked in ({"pad_token_id": 5}, {"pad_token_id": 5, "eos_token_id": [5, 9]}):
        expected = theirs.generate(**inputs, max_new_tokens=6, do_sample=False, **asked)
        new = model.generate(**inputs, max_new_tokens=6, **asked)
        assert torch.equal(new, expected), asked


@pytest.mark.parametrize(
    "foreign", [{"sequence_bias": [[[5], 10.0]]}, {"guidance_scale": 1.5}, {"num_beam_groups": 2, "num_beams": 4}]
)
def test_a_generation_config_of_more_than_there_is(foreign, made):
    model, _, inputs = made("llava-1.5")
    with pytest.raises(BadOption, match="is not available"):
        model.generate(**inputs, generation_config=core.GenerationConfig(**foreign))
    neutral = core.GenerationConfig(guidance_scale=1.0, num_beam_groups=1, diversity_penalty=0.0)
    model.generate(**inputs, generation_config=neutral, max_new_tokens=1, streamer=None, stopping_criteria=None)
    with pytest.raises(BadOption, match="position_ids"):
        model.generate(**inputs, position_ids=torch.arange(3)[None])


@pytest.mark.parametrize("base", NAMES)
def test_parts_are_frozen_by_name(base, made):
    model, theirs, _ = made(base)
    for part in ("vision_tower", "multi_modal_projector", "lm_head", "layers.0.", "layernorm"):
        ours = sum(weight.numel() for name, weight in model.named_parameters() if part in name)
        unused = ("post_layernorm", "head.")  # of towers, which nobody reads: they are kept apart
        expected = {
            name: weight.numel()
            for name, weight in theirs.named_parameters()
            if part in name and not ("vision_tower" in name and any(each in name for each in unused))
        }
        assert ours == sum(expected.values()), part
        assert ours or (part, base) == ("lm_head", "llava-interleave"), part  # whose head is tied
    assert [id(weight) for _, weight in model.named_parameters()] == [id(weight) for weight in model.parameters()]


def test_what_a_partial_state_dict_lacks_is_told(made):
    model, _, _ = made("llava-1.5")
    weights = model.state_dict()
    lacking = next(iter(weights))
    del weights[lacking]
    missing, unexpected = model.load_state_dict({**weights, "strange": torch.zeros(1)}, strict=False)
    assert (missing, unexpected) == ([lacking], ["strange"])


def test_dropout_is_told(made):
    model, _, _ = made("llava-1.5")
    model.config.text_config.attention_dropout = 0.1
    with pytest.warns(UserWarning, match="dropout"):
        model.train()


def test_a_config_with_a_name_that_is_none(recwarn):
    """A document has this one."""
    config = core.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_bnb_4bit_quant_type="nf4")
    theirs = transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_bnb_4bit_quant_type="nf4")
    assert config.bnb_4bit_quant_type == theirs.bnb_4bit_quant_type == "fp4"
    assert "bnb_4bit_compute_bnb_4bit_quant_type" in str(recwarn.list[0].message)
    assert core.BitsAndBytesConfig(load_in_8bit=True).load_in_8bit


def test_fewer_beams_end_than_are_asked_for(made):
    model, theirs, inputs = made("llava-1.5")
    asked = {"num_beams": 2, "num_return_sequences": 2, "max_new_tokens": 1, "forced_eos_token_id": 2}
    expected = theirs.generate(**inputs, do_sample=False, pad_token_id=5, **asked)
    assert torch.equal(model.generate(**inputs, pad_token_id=5, **asked), expected)
