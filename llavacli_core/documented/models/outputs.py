"""What documented models give back: named values that are also a mapping, and a tuple of those that are there."""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

Several = tuple[Tensor, ...]


@dataclass
class ModelOutput:
    """Reached by attribute, by key, or by number; keys and numbers count only what is not None."""

    def to_tuple(self) -> tuple[Any, ...]:
        """The values that are there, in the order of their fields."""
        return tuple(value for _, value in self.items())

    def keys(self) -> KeysView[str]:
        """The names of the values that are there."""
        return dict(self.items()).keys()

    def values(self) -> list[Any]:
        """The values that are there."""
        return [value for _, value in self.items()]

    def items(self) -> list[tuple[str, Any]]:
        """Names and values of what is there."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, value) for name, value in pairs if value is not None]

    def get(self, key: str, default: Any = None) -> Any:
        """The value called `key`, or the default where it is not there."""
        return dict(self.items()).get(key, default)

    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())


class WithPast(ModelOutput):
    """One that holds a KV cache."""

    past_key_values: Any

    @property
    def cache(self) -> Any:
        """`past_key_values`, as transformers calls it from 5.24 on."""
        return self.past_key_values


@dataclass
class VisionOutput(ModelOutput):
    """Of `get_image_features` and `get_video_features`: `pooler_output` holds what takes the tokens' places."""

    last_hidden_state: Tensor | None = None
    pooler_output: Any = None
    hidden_states: Several | None = None
    attentions: Several | None = None


@dataclass
class BaseModelOutput(ModelOutput):
    """Of an encoder."""

    last_hidden_state: Tensor | None = None
    hidden_states: Several | None = None
    attentions: Several | None = None


@dataclass
class BaseModelOutputWithPast(WithPast):
    """Of a LLaVA without its head."""

    last_hidden_state: Tensor | None = None
    past_key_values: Any = None
    hidden_states: Several | None = None
    attentions: Several | None = None
    image_hidden_states: Tensor | None = None
    video_hidden_states: Tensor | None = None


@dataclass
class CausalLMOutputWithPast(WithPast):
    """Of a LLaVA: `image_hidden_states` and `video_hidden_states` are what took their tokens' places."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Any = None
    hidden_states: Several | None = None
    attentions: Several | None = None
    image_hidden_states: Tensor | None = None
    video_hidden_states: Tensor | None = None


@dataclass
class CausalLMOutputWithCrossAttentions(ModelOutput):
    """Of a decoder alone."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    hidden_states: Several | None = None
    attentions: Several | None = None
    cross_attentions: Several | None = None


@dataclass
class Seq2SeqLMOutput(WithPast):
    """Of an encoder with a decoder."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Any = None
    decoder_hidden_states: Several | None = None
    decoder_attentions: Several | None = None
    cross_attentions: Several | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: Several | None = None
    encoder_attentions: Several | None = None


@dataclass
class GenerateOutput(ModelOutput):
    """Of `generate` with `return_dict_in_generate`: ids [B, length], and for beams what each sequence scored [B]."""

    sequences: Tensor | None = None
    sequences_scores: Tensor | None = None
