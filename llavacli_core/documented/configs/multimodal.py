"""Configs of whole models: LLaVA, LLaVA-NeXT, LLaVA-NeXT-Video, ViP-LLaVA and encoder-decoders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.text import (
    BertConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    RobertaConfig,
    TrOCRConfig,
)
from llavacli_core.documented.configs.vision import (
    BeitConfig,
    CLIPVisionConfig,
    DeiTConfig,
    SiglipVisionConfig,
    SwinConfig,
    ViTConfig,
)
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.readers import PINPOINTS
from llavacli_core.families.towers import CLIP_LARGE_336

Given = dict[str, Any] | PreTrainedConfig | None
IMAGE_TOKEN = {"image_token_id": "image_token_index"}


@dataclass(frozen=True)
class Section:
    """A config within a config: its class where the file does not say, and what it is where there is none at all."""

    model_type: str
    values: dict[str, Any] = field(default_factory=dict)


TOWER = Section("clip_vision_model", {**CLIP_LARGE_336, "vocab_size": 32000, "projection_dim": 768})
LANGUAGE = Section("llama")


class ComposedConfig(PreTrainedConfig):
    """A config with configs inside."""

    sections: ClassVar[dict[str, Section]] = {}

    def settle(self, rest: dict[str, Any]) -> None:
        """Sections given as dictionaries, or not given, become configs."""
        for name, section in self.sections.items():
            given = getattr(self, name)
            if not isinstance(given, PreTrainedConfig):
                values = section.values if given is None else given
                setattr(self, name, class_of(values.get("model_type", section.model_type))(**values))


class LlavaConfig(ComposedConfig):
    """LLaVA-1.5 and llava-interleave."""

    model_type: ClassVar[str] = "llava"
    attribute_map: ClassVar[dict[str, str]] = IMAGE_TOKEN
    sections: ClassVar[dict[str, Section]] = {"vision_config": TOWER, "text_config": LANGUAGE}

    vision_config: Given = None
    text_config: Given = None
    image_token_index: int = 32000
    image_seq_length: int = 576
    projector_hidden_act: str = "gelu"
    vision_feature_select_strategy: str = "default"
    vision_feature_layer: int | list[int] = -2
    multimodal_projector_bias: bool = True
    tie_word_embeddings: bool = False

    def settle(self, rest: dict[str, Any]) -> None:
        """Older files say in `text_config` alone that the head is the embedding."""
        super().settle(rest)
        self.tie_word_embeddings = self.tie_word_embeddings or self.get_text_config().tie_word_embeddings


class LlavaNextConfig(ComposedConfig):
    """LLaVA-NeXT."""

    model_type: ClassVar[str] = "llava_next"
    attribute_map: ClassVar[dict[str, str]] = IMAGE_TOKEN
    sections: ClassVar[dict[str, Section]] = {"vision_config": TOWER, "text_config": LANGUAGE}

    vision_config: Given = None
    text_config: Given = None
    image_token_index: int = 32000
    projector_hidden_act: str = "gelu"
    vision_feature_select_strategy: str = "default"
    vision_feature_layer: int | list[int] = -2
    multimodal_projector_bias: bool = True
    tie_word_embeddings: bool = False
    image_grid_pinpoints: list[list[int]] | None = None
    image_seq_length: int = 576

    def settle(self, rest: dict[str, Any]) -> None:
        """The grids of the paper, where none are given."""
        super().settle(rest)
        if self.image_grid_pinpoints is None:
            self.image_grid_pinpoints = [list(pair) for pair in PINPOINTS]


class LlavaNextVideoConfig(ComposedConfig):
    """LLaVA-NeXT-Video."""

    model_type: ClassVar[str] = "llava_next_video"
    attribute_map: ClassVar[dict[str, str]] = {**IMAGE_TOKEN, "video_token_id": "video_token_index"}
    sections: ClassVar[dict[str, Section]] = {"vision_config": TOWER, "text_config": LANGUAGE}

    vision_config: Given = None
    text_config: Given = None
    image_token_index: int = 32001
    video_token_index: int = 32000
    projector_hidden_act: str = "gelu"
    vision_feature_select_strategy: str = "default"
    vision_feature_layer: int | list[int] = -2
    multimodal_projector_bias: bool = True
    tie_word_embeddings: bool = False
    image_grid_pinpoints: list[list[int]] | None = None
    spatial_pool_mode: str = "average"
    spatial_pool_stride: int = 2
    image_seq_length: int = 576
    video_seq_length: int = 288

    def settle(self, rest: dict[str, Any]) -> None:
        """The grids of the paper, where none are given; a tied head may be said of in `text_config` alone."""
        super().settle(rest)
        if self.image_grid_pinpoints is None:
            self.image_grid_pinpoints = [list(pair) for pair in PINPOINTS]
        self.tie_word_embeddings = self.tie_word_embeddings or self.get_text_config().tie_word_embeddings


class VipLlavaConfig(ComposedConfig):
    """ViP-LLaVA."""

    model_type: ClassVar[str] = "vipllava"
    attribute_map: ClassVar[dict[str, str]] = {**IMAGE_TOKEN, "vision_feature_layers": "vision_feature_layer"}
    sections: ClassVar[dict[str, Section]] = {"vision_config": TOWER, "text_config": LANGUAGE}

    vision_config: Given = None
    text_config: Given = None
    image_token_index: int = 32000
    projector_hidden_act: str = "gelu"
    projector_layernorm_eps: float = 1e-5
    vision_feature_layer: int | list[int] | tuple[int, ...] = (-2, -5, -8, -11, 6)
    image_seq_length: int = 576
    tie_word_embeddings: bool = False


class VisionEncoderDecoderConfig(ComposedConfig):
    """A vision encoder and a language decoder that attends to it."""

    model_type: ClassVar[str] = "vision-encoder-decoder"
    sections: ClassVar[dict[str, Section]] = {
        "encoder": Section("vit"),
        "decoder": Section("bert", {"is_decoder": True, "add_cross_attention": True}),
    }

    encoder: Given = None
    decoder: Given = None
    is_encoder_decoder: bool = True

    @classmethod
    def from_encoder_decoder_configs(
        cls, encoder_config: PreTrainedConfig, decoder_config: PreTrainedConfig, **kwargs: Any
    ) -> VisionEncoderDecoderConfig:
        """The two put together; the decoder's config is changed to be a decoder with cross-attention."""
        decoder_config.update({"is_decoder": True, "add_cross_attention": True})
        return cls(encoder=encoder_config.to_dict(), decoder=decoder_config.to_dict(), **kwargs)


CLASSES: tuple[type[PreTrainedConfig], ...] = (
    *(LlavaConfig, LlavaNextConfig, LlavaNextVideoConfig, VipLlavaConfig, VisionEncoderDecoderConfig),
    *(CLIPVisionConfig, SiglipVisionConfig, ViTConfig, DeiTConfig, BeitConfig, SwinConfig),
    *(LlamaConfig, MistralConfig, Qwen2Config, GPT2Config, TrOCRConfig, BertConfig, RobertaConfig),
)


def class_of(model_type: str) -> type[PreTrainedConfig]:
    """The class that config.json's `model_type` names."""
    for each in CLASSES:
        if each.model_type == model_type:
            return each
    known = ", ".join(each.model_type for each in CLASSES)
    raise UnsupportedModel(f"the model type {model_type!r} is not supported", hint=f"known: {known}")
