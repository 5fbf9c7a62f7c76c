"""What a checkpoint is: frozen dataclasses, fields named as in config.json, every value settled by `families`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """A vision transformer: CLIP or SigLIP, told apart by values alone."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int
    patch_size: int
    num_channels: int
    hidden_act: str
    layer_norm_eps: float
    class_token: bool  # CLIP puts a [CLS] position before the patches; SigLIP has none
    pre_layernorm: bool  # CLIP normalises the embeddings before the first layer
    patch_bias: bool  # SigLIP's patch projection adds a bias

    @property
    def side(self) -> int:
        """Patches along one edge of a tile; what does not fill a patch is left out, as a convolution does."""
        return self.image_size // self.patch_size


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """A rotary decoder: Llama, Mistral or Qwen2, told apart by values alone."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    hidden_act: str
    rms_norm_eps: float
    max_position_embeddings: int
    rope_theta: float
    rope_factor: float  # linear scaling: positions are divided by this
    sliding_windows: tuple[int | None, ...]  # per layer, how far back it may look; None: all the way
    qkv_bias: bool  # Qwen2 adds a bias to query, key and value
    output_bias: bool  # Llama's `attention_bias` puts one on the attention's output too
    mlp_bias: bool
    tie_word_embeddings: bool  # as stated; a checkpoint without a head tensor ties in any case


@dataclass(frozen=True, kw_only=True)
class ConnectorConfig:
    """The way from the tower's patches to the decoder's embeddings."""

    vision_feature_layers: tuple[int, ...]  # indices into hidden states 0 (embeddings) .. num_hidden_layers
    vision_feature_select_strategy: str  # "default" drops [CLS], "full" keeps every position
    projector_hidden_act: str
    projector_bias: bool
    image_newline: bool  # NeXT: tiles are unpadded, and each row of patches ends in a learned newline


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One checkpoint's whole network, as the readers in `families` settled it."""

    family: str  # config.json's model_type
    vision: VisionConfig
    connector: ConnectorConfig
    decoder: DecoderConfig
    image_token_id: int
    image_grid_pinpoints: tuple[tuple[int, int], ...] | None  # (height, width) in pixels; None: seen whole
    dtype: str  # the number format of the stored tensors
    eos_token_ids: tuple[int, ...]  # config.json's own; generation_config.json's replace them


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """How a picture becomes tiles: preprocessor_config.json in any of its published forms."""

    do_resize: bool
    shortest_edge: int | None  # resize so that the shorter edge has this many pixels ...
    size: tuple[int, int] | None  # ... or to exactly this (height, width)
    resample: int  # Pillow's number: 2 bilinear, 3 bicubic
    do_center_crop: bool
    crop_size: tuple[int, int] | None  # (height, width)
    do_rescale: bool
    rescale_factor: float
    do_normalize: bool
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    pad_to_square: bool  # LlavaImageProcessor's do_pad: onto a square of the mean colour, before resizing
    image_grid_pinpoints: tuple[tuple[int, int], ...] | None  # AnyRes; None: the picture is one tile


@dataclass(frozen=True, kw_only=True)
class GenerationDefaults:
    """What a checkpoint asks of its answers: generation_config.json, or the same keys in an older config.json."""

    eos_token_ids: tuple[int, ...] = ()
    bos_token_id: int | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None
    max_length: int | None = None  # in tokens, the prompt's included; None where nothing is said
    max_new_tokens: int | None = None  # replaces max_length
    min_length: int = 0  # the prompt's tokens included
    min_new_tokens: int | None = None  # replaces min_length
    forced_bos_token_id: int | None = None
    forced_eos_token_id: tuple[int, ...] = ()
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False  # or "never"
