"""Configs of vision encoders: CLIP, SigLIP, ViT, DeiT, BEiT, Swin, each with its documented defaults."""

from __future__ import annotations

from typing import Any, ClassVar

from llavacli_core.documented.configs.base import PreTrainedConfig

Edge = int | list[int] | tuple[int, int]


class CLIPVisionConfig(PreTrainedConfig):
    """The picture side of CLIP."""

    model_type: ClassVar[str] = "clip_vision_model"

    hidden_size: int = 768
    intermediate_size: int = 3072
    projection_dim: int = 512
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_channels: int = 3
    image_size: Edge = 224
    patch_size: Edge = 32
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    attention_dropout: float = 0.0
    initializer_range: float = 0.02
    initializer_factor: float = 1.0


class SiglipVisionConfig(PreTrainedConfig):
    """The picture side of SigLIP."""

    model_type: ClassVar[str] = "siglip_vision_model"

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_channels: int = 3
    image_size: Edge = 224
    patch_size: Edge = 16
    hidden_act: str = "gelu_pytorch_tanh"
    layer_norm_eps: float = 1e-6
    attention_dropout: float = 0.0
    vision_use_head: bool = True


class ViTConfig(PreTrainedConfig):
    """The vision transformer."""

    model_type: ClassVar[str] = "vit"

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    image_size: Edge = 224
    patch_size: Edge = 16
    num_channels: int = 3
    qkv_bias: bool = True
    encoder_stride: int = 16
    pooler_output_size: int | None = None
    pooler_act: str = "tanh"

    def settle(self, rest: dict[str, Any]) -> None:
        """The pooler is as wide as the layers unless it says otherwise."""
        if self.pooler_output_size is None:
            self.pooler_output_size = self.hidden_size


class DeiTConfig(ViTConfig):
    """ViT with a distillation token."""

    model_type: ClassVar[str] = "deit"


class BackboneConfig(PreTrainedConfig):
    """A network whose stages can be asked for by name or number; without being asked, it gives its last."""

    model_type: ClassVar[str] = ""

    def name_stages(self, count: int, rest: dict[str, Any]) -> None:
        """`stem`, then `stage1` to `stage<count>`."""
        self.stage_names = ["stem", *(f"stage{number}" for number in range(1, count + 1))]
        features, indices = rest.pop("out_features", None), rest.pop("out_indices", None)
        if features is None:
            features = [self.stage_names[index] for index in indices] if indices else self.stage_names[-1:]
        if indices is None:
            indices = [self.stage_names.index(feature) for feature in features]
        self.out_features, self.out_indices = list(features), list(indices)


class BeitConfig(BackboneConfig):
    """ViT with relative positions and layer scale."""

    model_type: ClassVar[str] = "beit"

    vocab_size: int = 8192
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    image_size: Edge = 224
    patch_size: Edge = 16
    num_channels: int = 3
    use_mask_token: bool = False
    use_absolute_position_embeddings: bool = False
    use_relative_position_bias: bool = False
    use_shared_relative_position_bias: bool = False
    layer_scale_init_value: float = 0.1
    drop_path_rate: float = 0.1
    use_mean_pooling: bool = True
    pool_scales: list[int] | tuple[int, ...] = (1, 2, 3, 6)
    use_auxiliary_head: bool = True
    auxiliary_loss_weight: float = 0.4
    auxiliary_channels: int = 256
    auxiliary_num_convs: int = 1
    auxiliary_concat_input: bool = False
    semantic_loss_ignore_index: int = 255
    add_fpn: bool = False
    reshape_hidden_states: bool = True

    def settle(self, rest: dict[str, Any]) -> None:
        """A stage per layer."""
        self.name_stages(self.num_hidden_layers, rest)


class SwinConfig(BackboneConfig):
    """The transformer of shifted windows."""

    model_type: ClassVar[str] = "swin"
    attribute_map: ClassVar[dict[str, str]] = {"num_attention_heads": "num_heads", "num_hidden_layers": "num_layers"}

    image_size: Edge = 224
    patch_size: Edge = 4
    num_channels: int = 3
    embed_dim: int = 96
    depths: list[int] | tuple[int, ...] = (2, 2, 6, 2)
    num_heads: list[int] | tuple[int, ...] = (3, 6, 12, 24)
    window_size: int = 7
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    drop_path_rate: float = 0.1
    hidden_act: str = "gelu"
    use_absolute_embeddings: bool = False
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    encoder_stride: int = 32

    def settle(self, rest: dict[str, Any]) -> None:
        """The width after the last stage, which is what a decoder attends to."""
        self.num_layers = len(self.depths)
        self.hidden_size = self.embed_dim * 2 ** (len(self.depths) - 1)
        self.name_stages(len(self.depths), rest)
