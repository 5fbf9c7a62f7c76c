"""One checkpoint in every form it may be published in: the answers stay those of the form transformers writes."""

import pytest
import torch

import llavacli_core as core
from llavacli_core.errors import TemplateError
from tests.parity.asking import assert_same
from tests.reference import ANSWER_LENGTH, rewriting
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

CASE = BY_NAME["two pictures"]
BASES = ("llava-1.5", "llava-interleave", "next-mistral")

FORMS = {
    "hub weight names": [rewriting.renamed(rewriting.hub_layout)],
    "in-memory weight names": [rewriting.renamed(rewriting.memory_layout)],
    "mixed weight names": [rewriting.renamed(rewriting.mixed_layout)],
    "sharded": [rewriting.sharded],
    "mixed weight names, sharded": [rewriting.renamed(rewriting.mixed_layout), rewriting.sharded],
    "known leftovers": [rewriting.with_leftovers],
    "old config": [rewriting.old_config],
    "new config": [rewriting.new_config],
    "preprocessor_config.json": [rewriting.hub_preprocessor],
    "no processor_config.json": [rewriting.without_processor],
    "no num_additional_image_tokens": [rewriting.without_additional_tokens],
    "chat_template.json": [rewriting.template_in_json],
    "template in tokenizer_config.json": [rewriting.template_in_tokenizer_config],
    "template in processor_config.json": [rewriting.template_in_processor_config],
    "named templates": [rewriting.named_templates],
    "no generation_config.json": [rewriting.without_generation_config],
    "as on the Hub": [rewriting.hub],
}
SOME = {
    "legacy preprocessor": ("llava-1.5", [rewriting.legacy_preprocessor]),
    "legacy preprocessor, tiles": ("next-vicuna", [rewriting.legacy_preprocessor]),
    "old config, plain rope": ("next-vicuna", [rewriting.old_config]),
    "old config, window": ("next-mistral-window", [rewriting.old_config]),
    "old config, windows by layer": ("next-qwen", [rewriting.old_config]),
    "old config, llama 3": ("next-llama3", [rewriting.old_config]),
    "as on the Hub, yi": ("next-yi", [rewriting.hub]),
    "old config, pinpoints by default": ("next-336", [rewriting.old_config]),
    "no head, and nothing said of ties": ("llava-interleave", [rewriting.without_ties]),
    "a tied head written out": ("llava-interleave", [rewriting.with_tied_head]),
    "a tied pair under the head's name": ("llava-interleave", [rewriting.with_the_head_alone]),
}
ALL = [pytest.param(base, form, id=f"{base}-{name}") for base in BASES for name, form in FORMS.items()]
ALL += [pytest.param(base, form, id=name) for name, (base, form) in SOME.items()]


@pytest.mark.parametrize(("base", "form"), ALL)
def test_the_form_does_not_matter(base, form, checkpoint, engine, answer, tmp_path):
    folder = rewriting.copied(checkpoint(base), tmp_path / "checkpoint", *form)
    assert_same(engine(folder), CASE, answer(base, CASE.name), ANSWER_LENGTH)


def without_template(folder):
    (folder / "chat_template.jinja").unlink()


@pytest.mark.parametrize(
    ("base", "dialect"),
    [("llava-1.5", "vicuna"), ("next-mistral", "mistral"), ("next-qwen", "chatml"), ("next-llama3", "llama3")],
)
def test_a_dialect_by_name_stands_in_for_the_template(base, dialect, checkpoint, answer, tmp_path):
    folder = rewriting.copied(checkpoint(base), tmp_path / "checkpoint", without_template)
    engine = core.load(str(folder), device="cpu", dtype="float32", template=dialect)
    assert engine.info.template == dialect
    assert_same(engine, CASE, answer(base, CASE.name), ANSWER_LENGTH)


def test_without_a_template_the_choices_are_listed(checkpoint, tmp_path):
    folder = rewriting.copied(checkpoint("next-mistral"), tmp_path / "checkpoint", without_template)
    with pytest.raises(TemplateError) as caught:
        core.load(str(folder), device="cpu")
    assert all(name in caught.value.hint for name in ("mistral", "vicuna", "chatml", "llama3", "vip"))


def scaled_rope(folder):
    linear = {"rope_type": "linear", "factor": 2.5}
    rewriting.edited(folder, "config.json", lambda values: values["text_config"]["rope_parameters"].update(linear))


def rope_scaling_by_its_newer_key(folder):
    rewriting.old_config(folder)
    linear = {"rope_scaling": {"rope_type": "linear", "factor": 2.5}}
    rewriting.edited(folder, "config.json", lambda values: values["text_config"].update(linear))


def other_pixels(folder):
    """Bilinear, not the usual mean and deviation, a square onto which the picture is padded first."""
    values = {"resample": 2, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.3, 0.2, 0.1], "rescale_factor": 0.004}
    padded = {"image_processor_type": "LlavaImageProcessor", "do_pad": True}
    rewriting.edited(folder, "processor_config.json", lambda config: config["image_processor"].update(values | padded))


def other_tiles(folder):
    values = {"resample": 2, "image_mean": [0.4, 0.5, 0.6], "do_center_crop": False}
    rewriting.edited(folder, "processor_config.json", lambda config: config["image_processor"].update(values))


def several_layers(folder):
    """Two layers of the tower, side by side: the projector's input is twice as wide."""
    tensors = rewriting.weights(folder)
    name = "multi_modal_projector.linear_1.weight"
    rewriting.resave(folder, tensors | {name: torch.cat((tensors[name], tensors[name].flip(0)), dim=1)})
    rewriting.edited(folder, "config.json", lambda values: values.update(vision_feature_layer=[-3, 2]))


def biased(folder):
    """A bias wherever Llama's config can ask for one."""
    tensors = rewriting.weights(folder)
    parts = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    matrices = [name for name in tensors if name.startswith("language_model") and name.split(".")[-2] in parts]
    biases = {name.replace("weight", "bias"): tensors[name][:, 0].clone() for name in matrices}
    rewriting.resave(folder, tensors | biases)
    both = {"attention_bias": True, "mlp_bias": True}
    rewriting.edited(folder, "config.json", lambda values: values["text_config"].update(both))


def selecting(strategy):
    """Every position of the tower, [CLS] included, or all but the first, even where there is no [CLS]."""

    def change(folder):
        for name in ("config.json", "processor_config.json"):
            rewriting.edited(folder, name, lambda values: values.update(vision_feature_select_strategy=strategy))

    return change


def without_a_projector_bias(folder):
    tensors = {
        name: tensor
        for name, tensor in rewriting.weights(folder).items()
        if not (name.startswith("multi_modal_projector") and name.endswith("bias"))
    }
    rewriting.resave(folder, tensors)
    rewriting.edited(folder, "config.json", lambda values: values.update(multimodal_projector_bias=False))


def a_head_of_its_own(folder):
    """A head that was trained by itself, though config.json still says that it is the embedding."""
    tensors = rewriting.weights(folder)
    words = tensors["language_model.model.embed_tokens.weight"]
    rewriting.resave(folder, tensors | {"language_model.lm_head.weight": words.flip(0).contiguous()})


CHANGES = {
    "linear rope": ("llava-1.5", [scaled_rope]),
    "linear rope, old config": ("next-vicuna", [scaled_rope, rewriting.old_config]),
    "linear rope, rope_type": ("next-vicuna", [rope_scaling_by_its_newer_key]),
    "other pixels": ("llava-1.5", [other_pixels]),
    "other tiles": ("next-vicuna", [other_tiles]),
    "several layers": ("llava-1.5", [several_layers]),
    "no projector bias": ("next-vicuna", [without_a_projector_bias]),
    "biases": ("next-llama3", [biased]),
    "[CLS] kept": ("llava-1.5", [selecting("full")]),
    "a head of its own": ("llava-interleave", [a_head_of_its_own]),
    "the first patch dropped": ("llava-interleave", [selecting("default")]),
}


@pytest.mark.parametrize(("base", "change"), CHANGES.values(), ids=CHANGES)
def test_what_a_form_changes_it_changes_alike(base, change, checkpoint, engine, reference, tmp_path):
    folder = rewriting.copied(checkpoint(base), tmp_path / "checkpoint", *change)
    changed = reference(folder).answer(CASE, ANSWER_LENGTH)
    assert changed.token_ids != reference(base).answer(CASE, ANSWER_LENGTH).token_ids
    assert_same(engine(folder), CASE, changed, ANSWER_LENGTH)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_stored_in_sixteen_bits(dtype, checkpoint, engine, reference, tmp_path):
    folder = rewriting.copied(checkpoint("next-mistral"), tmp_path / "checkpoint", rewriting.stored_as(dtype))
    assert_same(engine(folder), CASE, reference(folder).answer(CASE, ANSWER_LENGTH), ANSWER_LENGTH)
