"""The same checkpoint in other published forms: functions that rewrite files of a folder, its meaning unchanged."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Rewrite = Callable[[Path], None]


def copied(source: Path, target: Path, *rewrites: Rewrite) -> Path:
    """A copy of `source` at `target`, rewritten."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for rewrite in rewrites:
        rewrite(target)
    return target


def edited(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the JSON file `name` in place; made anew where it is absent."""
    path = folder / name
    values = json.loads(path.read_text()) if path.exists() else {}
    change(values)
    path.write_text(json.dumps(values, indent=2))


# Weights


def hub_layout(name: str) -> str:
    """As llava-hf published: the tower keeps its `vision_model`, the pool stands beside it."""
    if "vision_resampler" in name:
        return name.removeprefix("model.")
    return re.sub(r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model.", name)


def memory_layout(name: str) -> str:
    """As the module tree has been named since transformers 4.52."""
    if name.startswith("language_model.lm_head"):
        return name.removeprefix("language_model.")
    if name.startswith("language_model.model."):
        return "model.language_model." + name.removeprefix("language_model.model.")
    return "model." + hub_layout(name)


def mixed_layout(name: str) -> str:
    """Every tensor by a layout of its own."""
    layouts = (hub_layout, memory_layout, str)
    return layouts[sum(map(ord, name)) % 3](name)


def renamed(layout: Callable[[str], str]) -> Rewrite:
    return lambda folder: resave(folder, {layout(name): tensor for name, tensor in weights(folder).items()})


def stored_as(dtype: torch.dtype) -> Rewrite:
    """The weights in another number format, and the config saying so."""

    def rewrite(folder: Path) -> None:
        resave(folder, {name: tensor.to(dtype) for name, tensor in weights(folder).items()})
        edited(folder, "config.json", lambda values: values.update(dtype=str(dtype).removeprefix("torch.")))

    return rewrite


def with_leftovers(folder: Path) -> None:
    """Buffers that old files carry and nothing needs."""
    extra = {
        "vision_tower.vision_model.embeddings.position_ids": torch.arange(5)[None],
        "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8),
        "language_model.model.layers.1.self_attn.rotary_emb.inv_freq": torch.ones(8),
    }
    resave(folder, weights(folder) | extra)


def sharded(folder: Path, shards: int = 3) -> None:
    """Several files and an index."""
    tensors = weights(folder)
    (folder / "model.safetensors").unlink()
    index = {name: f"model-{number % shards + 1:05}-of-{shards:05}.safetensors" for number, name in enumerate(tensors)}
    for file in set(index.values()):
        save_file({name: tensors[name] for name in index if index[name] == file}, folder / file, {"format": "pt"})
    total = sum(tensor.nbytes for tensor in tensors.values())
    content = {"metadata": {"total_size": total}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))


def with_tied_head(folder: Path) -> None:
    """The head written out although it is the embedding."""
    tensors = weights(folder)
    head = tensors["language_model.model.embed_tokens.weight"].clone()
    resave(folder, tensors | {"language_model.lm_head.weight": head})


def with_the_head_alone(folder: Path) -> None:
    """A tied pair under the head's name."""
    tensors = weights(folder)
    resave(
        folder, {"language_model.lm_head.weight": tensors.pop("language_model.model.embed_tokens.weight"), **tensors}
    )


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def resave(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


# config.json


def old_config(folder: Path) -> None:
    """As transformers 4 wrote it: old names, flat rope keys, nested keys left out where the class says the same."""

    def change(values: dict[str, Any]) -> None:
        values["torch_dtype"] = values.pop("dtype")
        values |= {"ignore_index": -100, "vocab_size": values["text_config"]["vocab_size"]}
        for key in ("multimodal_projector_bias", "image_seq_length", "tie_word_embeddings"):
            values.pop(key, None)
        flatten_rope(values["text_config"])
        for part in ("text_config", "vision_config"):
            values[part] = without_defaults(values[part])

    edited(folder, "config.json", change)


def flatten_rope(text: dict[str, Any]) -> None:
    """`rope_parameters` as the keys it replaced: `rope_theta` and `rope_scaling`."""
    rope = text.pop("rope_parameters")
    text["rope_theta"] = rope["rope_theta"]
    if rope["rope_type"] != "default":
        text["rope_scaling"] = {"type": rope["rope_type"], "factor": rope["factor"]}


def without_defaults(part: dict[str, Any]) -> dict[str, Any]:
    """A nested config without the keys whose value its class gives anyway."""
    from transformers import AutoConfig

    defaults = AutoConfig.for_model(part["model_type"]).to_dict()
    theta = (defaults.get("rope_parameters") or {}).get("rope_theta")
    defaults |= {"rope_theta": theta, "head_dim": part["hidden_size"] // part["num_attention_heads"]}
    if part["model_type"] == "llama":
        defaults["num_key_value_heads"] = part["num_attention_heads"]
    kept = {key: value for key, value in part.items() if key not in defaults or defaults[key] != value}
    return kept | {"model_type": part["model_type"], "torch_dtype": "bfloat16"}


def old_vip_config(folder: Path) -> None:
    """`vision_feature_layers`, as before transformers 5.23."""
    old_config(folder)

    def change(values: dict[str, Any]) -> None:
        values["vision_feature_layers"] = values.pop("vision_feature_layer")

    edited(folder, "config.json", change)


def one_token_for_both(folder: Path) -> None:
    """config.json gives pictures the videos' token, as early copies of LLaVA-NeXT-Video's did."""
    edited(folder, "config.json", lambda values: values.update(image_token_index=values["video_token_index"]))


def new_config(folder: Path) -> None:
    """The names of transformers 5, none of the old ones."""

    def change(values: dict[str, Any]) -> None:
        values["image_token_id"] = values.pop("image_token_index")
        if "video_token_index" in values:
            values["video_token_id"] = values.pop("video_token_index")
        if isinstance(values["vision_feature_layer"], int):
            values["vision_feature_layer"] = [values["vision_feature_layer"]]

    edited(folder, "config.json", change)


def without_ties(folder: Path) -> None:
    """Nothing says whether the head is the embedding, as in configs from before it was written down."""

    def change(values: dict[str, Any]) -> None:
        for part in (values, values["text_config"]):
            part.pop("tie_word_embeddings", None)

    edited(folder, "config.json", change)


# Preprocessor and processor


def hub_preprocessor(folder: Path) -> None:
    """preprocessor_config.json for the pictures, processor_config.json for the rest: as on the Hub."""
    edited(folder, "processor_config.json", lambda values: move_image_part(folder, values))


def move_image_part(folder: Path, values: dict[str, Any]) -> None:
    image = values.pop("image_processor")
    (folder / "preprocessor_config.json").write_text(json.dumps(image | {"aspect_ratio_setting": "anyres"}))


def legacy_preprocessor(folder: Path) -> None:
    """preprocessor_config.json in the form of 2022: sizes as integers, a feature extractor, rescaling not mentioned."""
    hub_preprocessor(folder)

    def change(values: dict[str, Any]) -> None:
        for key in ("size", "crop_size"):
            if key in values:
                values[key] = next(iter(values[key].values()))
        for key in ("do_rescale", "rescale_factor", "do_convert_rgb", "do_pad", "image_processor_type"):
            values.pop(key, None)
        values["feature_extractor_type"] = "CLIPFeatureExtractor"

    edited(folder, "preprocessor_config.json", change)


def video_preprocessor(folder: Path) -> None:
    """As on the Hub: a file for pictures, one for frames, both of 2024."""
    hub_preprocessor(folder)
    frames = take_video_part(folder) | {"image_processor_type": "LlavaNextVideoImageProcessor"}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(frames))


def frames_like_pictures(folder: Path) -> None:
    """Nothing says how frames are prepared: as pictures, less the tiles."""
    take_video_part(folder)


def pictures_like_frames(folder: Path) -> None:
    """preprocessor_config.json is the video processor's, which was once saved to that name, and has no pinpoints."""
    hub_preprocessor(folder)
    frames = take_video_part(folder) | {"image_processor_type": "LlavaNextVideoImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(frames))


def take_video_part(folder: Path) -> dict[str, Any]:
    part: dict[str, Any] = {}
    edited(folder, "processor_config.json", lambda values: part.update(values.pop("video_processor")))
    del part["video_processor_type"]
    return part


def without_processor(folder: Path) -> None:
    """No processor_config.json: the patch, the strategy and [CLS] are the config's to tell."""
    hub_preprocessor(folder)
    (folder / "processor_config.json").unlink()


def without_additional_tokens(folder: Path) -> None:
    """processor_config.json from before `num_additional_image_tokens`."""
    edited(folder, "processor_config.json", lambda values: values.pop("num_additional_image_tokens"))


# Templates


def template_in_json(folder: Path) -> None:
    """chat_template.json, and a decoy in tokenizer_config.json: the language model's own, which knows no pictures."""
    template = take_template(folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    decoy = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    edited(folder, "tokenizer_config.json", lambda values: values.update(chat_template=decoy))


def template_in_tokenizer_config(folder: Path) -> None:
    template = take_template(folder)
    edited(folder, "tokenizer_config.json", lambda values: values.update(chat_template=template))


def template_in_processor_config(folder: Path) -> None:
    template = take_template(folder)
    edited(folder, "processor_config.json", lambda values: values.update(chat_template=template))


def named_templates(folder: Path) -> None:
    """A list of named templates, of which `default` is meant."""
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": take_template(folder)}]
    edited(folder, "tokenizer_config.json", lambda values: values.update(chat_template=named))


def take_template(folder: Path) -> str:
    path = folder / "chat_template.jinja"
    template = path.read_text()
    path.unlink()
    return template


# Generation


def without_generation_config(folder: Path) -> None:
    (folder / "generation_config.json").unlink()


# As a whole


def hub(folder: Path) -> None:
    """All of it as on the Hub in 2024."""
    renamed(hub_layout)(folder)
    old_config(folder)
    hub_preprocessor(folder)
    template_in_json(folder)
    edited(folder, "tokenizer_config.json", lambda values: values.update(tokenizer_class="LlamaTokenizer"))
