"""What a checkpoint is: frozen dataclasses, fields named as in config.json, every value settled by `families`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llavacli_core.schemes import Arithmetic


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """A vision transformer: CLIP, SigLIP, ViT, DeiT or BEiT, told apart by values alone."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: tuple[int, int]  # (height, width) in pixels
    patch_size: tuple[int, int]
    num_channels: int
    hidden_act: str
    layer_norm_eps: float
    class_token: bool  # a [CLS] position before the patches; SigLIP has none
    distillation_token: bool  # DeiT's second position before the patches
    position_embeddings: bool  # BEiT does without
    relative_position_bias: bool  # BEiT: each layer biases attention by the distance between two patches ...
    shared_relative_position_bias: bool  # ... or one bias serves all layers
    pre_layernorm: bool  # CLIP normalises the embeddings before the first layer
    final_layernorm: (
        bool  # the last hidden state is normalised; towers are read before, BEiT may leave that to a pooler
    )
    layer_scale: bool  # BEiT multiplies what a layer adds by learned factors
    patch_bias: bool  # CLIP's patch projection adds no bias
    qkv_bias: bool
    key_bias: bool  # BEiT's keys have no bias

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of patches; what does not fill a patch is left out, as a convolution does."""
        return self.image_size[0] // self.patch_size[0], self.image_size[1] // self.patch_size[1]

    @property
    def side(self) -> int:
        """Patches along one edge of a square tile."""
        return self.patch_grid[0]

    @property
    def num_positions(self) -> int:
        """Positions that the network gives out: the tokens before the patches, then the patches."""
        rows, cols = self.patch_grid
        return self.class_token + self.distillation_token + rows * cols


@dataclass(frozen=True, kw_only=True)
class SwinConfig:
    """A Swin transformer: attention within shifted windows, patches merged two by two between stages."""

    image_size: tuple[int, int]  # (height, width) in pixels
    patch_size: tuple[int, int]
    num_channels: int
    embed_dim: int  # hidden size of the first stage; each stage after it has twice as much
    depths: tuple[int, ...]  # layers of each stage
    num_heads: tuple[int, ...]  # of each stage
    window_size: int  # patches along a window's edge
    mlp_ratio: float
    hidden_act: str
    layer_norm_eps: float
    position_embeddings: bool
    qkv_bias: bool

    @property
    def hidden_size(self) -> int:
        """Size of the last stage's hidden states."""
        return self.embed_dim << (len(self.depths) - 1)

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of patches; a patch that the picture does not fill is padded."""
        return -(-self.image_size[0] // self.patch_size[0]), -(-self.image_size[1] // self.patch_size[1])

    @property
    def num_positions(self) -> int:
        """Positions that the network gives out: the patches left after merging."""
        merged = 1 << (len(self.depths) - 1)
        rows, cols = self.patch_grid
        return -(-rows // merged) * -(-cols // merged)


EncoderConfig = VisionConfig | SwinConfig


@dataclass(frozen=True, kw_only=True)
class Rope:
    """Rotary positions: the base of their frequencies, and how these are scaled for more positions than were trained.

    `linear` divides all by `factor`. `llama3` (Llama 3.1) and `yarn` (Peng et al. 2023) leave those that turn more
    than `fast` times within the `trained` positions, divide those that turn less than `slow` times, and blend between.
    """

    theta: float
    kind: Literal["default", "linear", "llama3", "yarn"] = "default"
    factor: float = 1.0
    trained: int = 0
    slow: float = 1.0
    fast: float = 1.0
    whole: bool = True  # in yarn, whether the blend begins and ends at whole numbers
    strength: float = 1.0  # what yarn multiplies cosines and sines by


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
    rope: Rope
    sliding_windows: tuple[int | None, ...]  # per layer, how far back it may look; None: all the way
    qkv_bias: bool  # Qwen2 adds a bias to query, key and value
    output_bias: bool  # Llama's `attention_bias` puts one on the attention's output too
    mlp_bias: bool
    tie_word_embeddings: bool  # as stated; a checkpoint without a head tensor ties in any case

    @property
    def positions(self) -> int:
        """Positions that prompt and answer have together: some ways of scaling make room for more than are stated."""
        if self.rope.kind == "linear":
            return int(self.max_position_embeddings * self.rope.factor)
        if self.rope.kind == "yarn":
            return max(self.max_position_embeddings, int(self.rope.trained * self.rope.factor))
        return self.max_position_embeddings

    @property
    def cache_size(self) -> int:
        """Numbers that one position's keys and values are made of, in one layer."""
        return 2 * self.num_key_value_heads * self.head_dim


@dataclass(frozen=True, kw_only=True)
class PoolingConfig:
    """How the patches of a video's frame become fewer, a window of stride x stride at a time."""

    mode: str  # "average", "max", or "conv", which has weights
    stride: int


@dataclass(frozen=True, kw_only=True)
class ConnectorConfig:
    """The way from the tower's patches to the decoder's embeddings."""

    vision_feature_layers: tuple[int, ...]  # indices into hidden states 0 (embeddings) .. num_hidden_layers
    vision_feature_select_strategy: str  # "default" drops [CLS], "full" keeps every position
    projector_hidden_act: str
    projector_bias: bool
    projector_layernorm_eps: float | None  # ViP: of a LayerNorm before the projector; None: there is none
    image_newline: bool  # NeXT: tiles are unpadded, and each row of patches ends in a learned newline
    pooling: PoolingConfig | None  # of videos' frames, which get no newlines; None: it takes no videos


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One checkpoint's whole network, as the readers in `families` settled it."""

    family: str  # config.json's model_type
    vision: VisionConfig
    connector: ConnectorConfig
    decoder: DecoderConfig
    image_token_id: int
    video_token_id: int | None  # None: it takes no videos
    default_frames: int | None  # of a video, where nobody says how many
    image_grid_pinpoints: tuple[tuple[int, int], ...] | None  # (height, width) in pixels; None: seen whole
    dtype: str  # the number format of the stored tensors
    arithmetic: Arithmetic  # of weights that are stored quantized
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
class TextDecoderConfig:
    """A captioner's decoder, with cross-attention: GPT-2, TrOCR, BERT or RoBERTa, told apart by values alone."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    hidden_act: str
    layer_norm_eps: float
    max_position_embeddings: int
    position_offset: int  # where in the table of positions the first of them stands
    sinusoidal: bool  # positions are computed, not learned
    skip_padding: bool  # padding takes no position of its own: it stands just before `position_offset`
    pad_token_id: int | None
    embedding_scale: float  # words are multiplied by this, positions are not
    embedding_norm: bool
    token_types: int  # BERT adds the first of so many segment embeddings to each word; 0: there are none
    pre_norm: bool  # GPT-2 normalises what goes into a sublayer, the others what comes out, residual included
    final_norm: bool
    score_factors: tuple[float, ...]  # per layer, what attention scores are multiplied by beside 1 / sqrt(head size)
    cross_attention_hidden_size: int  # of the encoder's states, as the decoder gets them
    head_act: str | None  # BERT's head is dense, activation, norm before the words, and adds a bias; None: words alone
    tie_word_embeddings: bool  # as stated; a checkpoint without a head tensor ties in any case

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def positions(self) -> int:
        """Positions that a text may take."""
        return self.max_position_embeddings

    @property
    def cache_size(self) -> int:
        """Numbers that one position's keys and values are made of, in one layer."""
        return 2 * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig:
    """A vision encoder and a text decoder that looks at its states: there is no prompt and no image token."""

    family: str  # config.json's model_type
    encoder: EncoderConfig
    decoder: TextDecoderConfig
    decoder_start_token_id: int | None  # what an answer begins with, and what labels are shifted in behind
    pad_token_id: int | None
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]  # config.json's own; generation_config.json's replace them
    dtype: str  # the number format of the stored tensors
    arithmetic: Arithmetic  # of weights that are stored quantized

    @property
    def projected(self) -> bool:
        """Whether a linear layer brings the encoder's states to the decoder's size."""
        return self.encoder.hidden_size != self.decoder.cross_attention_hidden_size


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
    suppress_tokens: tuple[int, ...] = ()  # never said
    begin_suppress_tokens: tuple[int, ...] = ()  # not said first
    unheeded: tuple[str, ...] = ()  # what else is asked for and changes answers, but is not followed

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if something is not followed."""
        if not self.unheeded:
            return ()
        return (f"generation_config.json asks for {', '.join(self.unheeded)}, which is not followed",)
