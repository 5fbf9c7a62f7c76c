"""Checkpoints of random weights, made on the spot in the Hub's own format, at sizes worth measuring."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    Qwen2Config,
)

TEMPLATE = (  # says nothing but what is said, so that a conversation is the text of its turns
    "{% for message in messages %}{% for part in message['content'] %}"
    "{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endfor %}"
)

DECODERS = {  # hidden, mlp, layers, heads, key-value heads, vocabulary
    "2-layers": (64, 172, 2, 4, 4, 2048),
    "24-layers": (64, 172, 24, 4, 4, 2048),
    "0.2b": (768, 2048, 12, 12, 4, 32000),
    "0.5b": (896, 4864, 24, 14, 2, 151936),  # Qwen2's
    "0.5b-short": (896, 4864, 4, 14, 2, 151936),  # the same with a sixth of the layers, for machines without an hour
    "7b": (4096, 11008, 32, 32, 32, 32064),  # Vicuna's
}
BIASED = ("0.5b", "0.5b-short")  # Qwen2 has biases at query, key and value; the others are Llamas
TOWERS = {  # hidden, mlp, layers, heads, image, patch
    "2-layers": (32, 64, 2, 2, 28, 14),
    "24-layers": (32, 64, 2, 2, 28, 14),
    "0.2b": (768, 3072, 12, 12, 336, 14),
    "0.5b": (1024, 4096, 24, 16, 336, 14),  # CLIP-L/336, as below
    "0.5b-short": (1024, 4096, 4, 16, 336, 14),
    "7b": (1024, 4096, 24, 16, 336, 14),
}


def write_apart(folder: Path, size: str, dtype: torch.dtype) -> None:
    """`write` in a process of its own: what writing leaves in this one's allocator would speed up what comes after.

    Nobody has just written a checkpoint when asking it something, and page faults are up to a third of a long prompt.
    """
    writing = multiprocessing.get_context("spawn").Process(target=write, args=(folder, size, dtype))
    writing.start()
    writing.join()
    if writing.exitcode:
        raise SystemExit(f"writing the checkpoint failed with exit code {writing.exitcode}")


def write(folder: Path, size: str, dtype: torch.dtype = torch.float32, *, tiled: bool = True) -> int:
    """Write a checkpoint of random weights: llava_next, or without tiles llava; the bytes of its tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(size, dtype, tiled=tiled)
    config.save_pretrained(folder)
    with torch.device("meta"):
        model = (LlavaNextForConditionalGeneration if tiled else LlavaForConditionalGeneration)(config)
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: _random(name, parameter.shape, generator).to(dtype) for name, parameter in model.named_parameters()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_words(folder, config.text_config.vocab_size)
    edge = config.vision_config.image_size
    preprocessor = {
        "image_processor_type": "LlavaNextImageProcessor" if tiled else "CLIPImageProcessor",
        "size": {"shortest_edge": edge},
        "crop_size": {"height": edge, "width": edge},
    }
    if tiled:
        preprocessor["image_grid_pinpoints"] = config.image_grid_pinpoints
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return sum(tensor.nbytes for tensor in tensors.values())


def _config(size: str, dtype: torch.dtype, *, tiled: bool) -> LlavaNextConfig | LlavaConfig:
    hidden, mlp, layers, heads, kv_heads, vocabulary = DECODERS[size]
    tower_hidden, tower_mlp, tower_layers, tower_heads, image, patch = TOWERS[size]
    shared = {
        "text_config": (Qwen2Config if size in BIASED else LlamaConfig)(
            hidden_size=hidden,
            intermediate_size=mlp,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            vocab_size=vocabulary,
            max_position_embeddings=8192,
            bos_token_id=None,
            eos_token_id=0,  # never generated: its row of the head is kept out of reach
        ),
        "vision_config": CLIPVisionConfig(
            hidden_size=tower_hidden,
            intermediate_size=tower_mlp,
            num_hidden_layers=tower_layers,
            num_attention_heads=tower_heads,
            image_size=image,
            patch_size=patch,
        ),
        "dtype": str(dtype).removeprefix("torch."),
    }
    if not tiled:
        return LlavaConfig(image_token_index=1, image_seq_length=(image // patch) ** 2, **shared)
    pinpoints = [[image, 2 * image], [2 * image, image], [2 * image, 2 * image]]
    return LlavaNextConfig(image_token_id=1, image_grid_pinpoints=pinpoints, **shared)


def _random(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Weights that keep activations in range: ones for norms, else uniform with a width that falls with the fan-in."""
    if len(shape) == 1:
        return torch.ones(shape) if "norm" in name and name.endswith("weight") else torch.zeros(shape)
    width = (3 / shape[1:].numel()) ** 0.5
    values = torch.rand(shape, generator=generator).mul_(2 * width).sub_(width)
    if name == "lm_head.weight":
        values[0] = 0
    return values


def _write_words(folder: Path, vocabulary: int) -> None:
    """A byte-level tokenizer with ids enough for the vocabulary, and a template."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {"</s>": 0, "<image>": 1, **{letter: 2 + place for place, letter in enumerate(letters)}}
    vocab |= {f"<word {place}>": place for place in range(len(vocab), vocabulary)}
    tokenizer = Tokenizer(models.BPE(vocab, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("</s>", "<image>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
