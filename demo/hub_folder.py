"""The trained network as a folder in the Hub's own file format, which transformers loads as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from demo.architecture import POSITIONS, config, preprocessor, processor
from demo.network import Student
from demo.tokenizer import BOS, CHAT_TEMPLATE, EOS, PAD, SPECIAL
from llavacli_core.families.names import LLAVA_NEXT, Target, rename

# The names tables know several prefixes; these are the Hub's.
_PREFIXES = ("vision_tower.vision_model.", "multi_modal_projector.", "language_model.model.", "image_newline")


def write(folder: Path, student: Student, tokenizer: Tokenizer) -> None:
    """Write every file of the checkpoint, weights in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in hub_tensors(student).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _json(folder / "config.json", config(tokenizer.get_vocab_size()))
    _json(folder / "preprocessor_config.json", preprocessor())
    _json(folder / "processor_config.json", processor())
    _json(folder / "generation_config.json", {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD})
    _json(folder / "special_tokens_map.json", _special_tokens())
    _json(folder / "tokenizer_config.json", _tokenizer_config())
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))


def hub_tensors(student: Student) -> dict[str, Tensor]:
    """The network's tensors under the Hub's names, stacked matrices apart; LLaVA has no use for CLIP's last norm."""
    rows: dict[str, list[tuple[str, Target]]] = {}
    for theirs, target in LLAVA_NEXT.items():
        if target is not None and theirs.startswith(_PREFIXES):
            rows.setdefault(target.name, []).append((theirs, target))
    tensors = {}
    for name, tensor in plain_weights(student).items():
        numbers = re.findall(r"(?<=\.)\d+(?=\.)", name)
        sources = rows[re.sub(r"(?<=\.)\d+(?=\.)", "{}", name)]
        parts = tensor.chunk(1 + max(target.part for _, target in sources))
        for theirs, target in sources:
            tensors[theirs.format(*numbers)] = parts[target.part].detach().clone()
    size = len(tensors["vision_tower.vision_model.pre_layrnorm.weight"])
    tensors["vision_tower.vision_model.post_layernorm.weight"] = torch.ones(size)
    tensors["vision_tower.vision_model.post_layernorm.bias"] = torch.zeros(size)
    return tensors


def plain_weights(student: Student) -> dict[str, Tensor]:
    """The network's state with stacked matrices whole again, under the names an untrained `Llava` has."""
    state: dict[str, Tensor] = {}
    for name, tensor in student.llava.state_dict().items():
        state[re.sub(r"parametrizations\.(\w+)\.original\d+", r"\1", name)] = tensor
    for name, module in student.llava.named_modules():
        if hasattr(module, "parametrizations"):
            state[f"{name}.weight"] = module.weight.detach()
    return state


def _special_tokens() -> dict[str, Any]:
    """special_tokens_map.json."""
    pad, bos, eos, image = SPECIAL
    return {"bos_token": bos, "eos_token": eos, "pad_token": pad, "additional_special_tokens": [image]}


def _tokenizer_config() -> dict[str, Any]:
    """tokenizer_config.json."""
    token = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return _special_tokens() | {
        "added_tokens_decoder": {str(index): {"content": content, **token} for index, content in enumerate(SPECIAL)},
        "clean_up_tokenization_spaces": False,
        "extra_special_tokens": {"image_token": SPECIAL[3]},
        "image_token": SPECIAL[3],
        "model_max_length": POSITIONS,
        "padding_side": "left",
        "processor_class": "LlavaNextProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file as the Hub's are written."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_weights(folder: Path, student: Student) -> None:
    """Continue from a checkpoint that `write` made."""
    stored = load_file(folder / "model.safetensors")
    state = student.llava.state_dict()
    for theirs, tensor in stored.items():
        target = rename(theirs, LLAVA_NEXT)
        if target is None:
            continue
        stem, _, end = target.name.rpartition(".")
        apart = f"{stem}.parametrizations.{end}.original{target.part}"
        if apart in state:
            state[apart].copy_(tensor)
        else:
            parts = state[target.name].chunk(3 if ".qkv." in target.name else 1)
            parts[target.part].copy_(tensor)
