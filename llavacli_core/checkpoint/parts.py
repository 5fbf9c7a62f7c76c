"""What a network is made of, from its config alone: the shapes of every part's weights, and what they weigh.

Nothing is allocated and torch is not needed, so that it can be told before a download whether a model fits. That these
are the shapes which the networks in `nn` have is held by a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llavacli_core.config import (
    CaptionerConfig,
    ConnectorConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    SwinConfig,
    TextDecoderConfig,
    VisionConfig,
)

ITEMSIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
BLOCK = "decoder.blocks."
BEHIND = ("decoder.norm.", "decoder.head.")  # what follows the last block

MatrixBytes = Callable[[int, int], int]  # what a matrix [out, in] takes as a quantization stores it


@dataclass(frozen=True)
class Weights:
    """The matrices of linear layers, [out, in] each, stacked as the network has them; and how many numbers besides.

    Embeddings and convolutions count among the latter, as nobody quantizes them.
    """

    matrices: tuple[tuple[int, int], ...] = ()
    others: int = 0

    def __add__(self, more: Weights) -> Weights:
        return Weights(self.matrices + more.matrices, self.others + more.others)

    @property
    def parameters(self) -> int:
        """How many numbers."""
        return sum(rows * cols for rows, cols in self.matrices) + self.others

    def nbytes(self, itemsize: int, matrix_bytes: MatrixBytes | None = None) -> int:
        """Bytes with numbers of `itemsize` bytes; matrices take what `matrix_bytes` says, where it is given."""
        if matrix_bytes is None:
            return self.parameters * itemsize
        return sum(matrix_bytes(rows, cols) for rows, cols in self.matrices) + self.others * itemsize


@dataclass(frozen=True)
class Part:
    """What lies on one device as a whole. `name` is its path in the network: all parameters below it are its own."""

    name: str
    weights: Weights


def parts_of(config: ModelConfig | CaptionerConfig, *, whole: bool = False) -> list[Part]:
    """The parts of a config's network, in the order in which data flows; of a tower only what is built, or the `whole`.

    A decoder's block is a part for itself: `decoder.blocks.0` and so on. A tied head is none.
    """
    if isinstance(config, CaptionerConfig):
        return _captioner(config)
    depth = config.vision.num_hidden_layers if whole else max(config.connector.vision_feature_layers)
    return [
        Part("vision", _transformer(config.vision, depth)),
        Part("connector", _connector(config.connector, config.vision, config.decoder)),
        *_decoder(config.decoder),
    ]


def block_of(name: str) -> int:
    """The decoder's block that a parameter belongs to; -1: to none."""
    return int(name.removeprefix(BLOCK).partition(".")[0]) if name.startswith(BLOCK) else -1


def cache_bytes(config: ModelConfig | CaptionerConfig, itemsize: int) -> int:
    """Bytes of one position's keys and values in one block of the decoder."""
    return config.decoder.cache_size * itemsize


def _linear(cols: int, *rows: int, bias: bool) -> Weights:
    """As `nn.linear.Linear`: matrices of so many rows stacked, and their bias."""
    return Weights(((sum(rows), cols),), sum(rows) if bias else 0)


def _captioner(config: CaptionerConfig) -> list[Part]:
    """Encoder, projection, decoder."""
    encoder, decoder = config.encoder, config.decoder
    parts = [Part("encoder", _encoder(encoder))]
    if config.projected:
        parts.append(Part("projection", _linear(encoder.hidden_size, decoder.cross_attention_hidden_size, bias=True)))
    return parts + _text_decoder(decoder)


def _encoder(config: EncoderConfig) -> Weights:
    """A captioner's encoder, all of it."""
    return _swin(config) if isinstance(config, SwinConfig) else _transformer(config, config.num_hidden_layers)


def _transformer(config: VisionConfig, depth: int) -> Weights:
    """The vision transformer, with so many of its layers."""
    size, heads = config.hidden_size, config.num_attention_heads
    height, width = config.patch_size
    tokens = config.class_token + config.distillation_token
    per_size = config.num_channels * height * width + config.patch_bias + tokens
    per_size += config.num_positions * config.position_embeddings
    per_size += 2 * (config.pre_layernorm + config.final_layernorm)
    table = _distances(*config.patch_grid, heads, class_token=config.class_token)
    weights = Weights(others=per_size * size + table * config.shared_relative_position_bias)
    keyless = 2 * size * (config.qkv_bias and not config.key_bias)
    block = (
        _attention(size, bias=config.qkv_bias and config.key_bias)
        + _mlp(size, config.intermediate_size)
        + Weights(others=4 * size + keyless + 2 * size * config.layer_scale + table * config.relative_position_bias)
    )
    return sum([block] * depth, weights)


def _swin(config: SwinConfig) -> Weights:
    """Patches, stages, and the merging between them."""
    height, width = config.patch_size
    places = (config.image_size[0] // height) * (config.image_size[1] // width) * config.position_embeddings
    per_size = config.num_channels * height * width + 3 + places
    weights = Weights(others=per_size * config.embed_dim + 2 * config.hidden_size)
    for stage, (depth, heads) in enumerate(zip(config.depths, config.num_heads, strict=True)):
        size = config.embed_dim << stage
        table = _distances(config.window_size, config.window_size, heads, class_token=False)
        block = (
            _attention(size, bias=config.qkv_bias)
            + _mlp(size, int(size * config.mlp_ratio))
            + Weights(others=4 * size + table)
        )
        weights = sum([block] * depth, weights)
        if stage + 1 < len(config.depths):
            weights += _linear(4 * size, 2 * size, bias=False) + Weights(others=8 * size)
    return weights


def _attention(size: int, *, bias: bool) -> Weights:
    """An encoder's attention: query, key, value, and what brings them out."""
    return _linear(size, size, size, size, bias=bias) + _linear(size, size, bias=True)


def _mlp(size: int, intermediate: int) -> Weights:
    """A feed-forward part that is not gated."""
    return _linear(size, intermediate, bias=True) + _linear(intermediate, size, bias=True)


def _distances(rows: int, cols: int, heads: int, *, class_token: bool) -> int:
    """Numbers in a table of relative positions."""
    return ((2 * rows - 1) * (2 * cols - 1) + 3 * class_token) * heads


def _connector(config: ConnectorConfig, vision: VisionConfig, decoder: DecoderConfig) -> Weights:
    """Norm, pooling, projector, newline."""
    channels, size = vision.hidden_size * len(config.vision_feature_layers), decoder.hidden_size
    pooled = 0
    if config.pooling is not None and config.pooling.mode == "conv":
        pooled = channels * channels * config.pooling.stride**2 + channels
    norm = 0 if config.projector_layernorm_eps is None else 2 * channels
    return (
        _linear(channels, size, bias=config.projector_bias)
        + _linear(size, size, bias=config.projector_bias)
        + Weights(others=pooled + norm + size * config.image_newline)
    )


def _decoder(config: DecoderConfig) -> list[Part]:
    """Embedding, blocks, norm, head."""
    size, intermediate = config.hidden_size, config.intermediate_size
    queries, keys = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    block = (
        _linear(size, queries, keys, keys, bias=config.qkv_bias)
        + _linear(queries, size, bias=config.output_bias)
        + _linear(size, intermediate, intermediate, bias=config.mlp_bias)
        + _linear(intermediate, size, bias=config.mlp_bias)
        + Weights(others=2 * size)
    )
    return [
        Part("decoder.embedding", Weights(others=config.vocab_size * size)),
        *(Part(f"{BLOCK}{index}", block) for index in range(config.num_hidden_layers)),
        Part("decoder.norm", Weights(others=size)),
        *_head(config),
    ]


def _text_decoder(config: TextDecoderConfig) -> list[Part]:
    """Embedding and positions, blocks, norm, what stands before the head, head."""
    size = config.hidden_size
    block = (
        _linear(size, size, size, size, bias=True)
        + _linear(size, size, bias=True)
        + _linear(size, size, bias=True)  # of cross-attention: the query, then keys and values, then the way out
        + _linear(config.cross_attention_hidden_size, size, size, bias=True)
        + _linear(size, size, bias=True)
        + _mlp(size, config.intermediate_size)
        + Weights(others=6 * size)
    )
    places = 0 if config.sinusoidal else config.max_position_embeddings + config.position_offset
    transform = _linear(size, size, bias=True) + Weights(others=2 * size + config.vocab_size)
    parts = [
        Part("decoder.embedding", Weights(others=config.vocab_size * size)),
        Part("decoder.positions", Weights(others=places * size)),
        Part("decoder.token_types", Weights(others=config.token_types * size)),
        Part("decoder.embedding_norm", Weights(others=2 * size * config.embedding_norm)),
        *(Part(f"{BLOCK}{index}", block) for index in range(config.num_hidden_layers)),
        Part("decoder.norm", Weights(others=2 * size * config.final_norm)),
        Part("decoder.transform", Weights() if config.head_act is None else transform),
        *_head(config),
    ]
    return [part for part in parts if part.weights.parameters]


def _head(config: DecoderConfig | TextDecoderConfig) -> list[Part]:
    """The scores of words; none of its own where the embedding gives them."""
    if config.tie_word_embeddings:
        return []
    return [Part("decoder.head", _linear(config.hidden_size, config.vocab_size, bias=False))]
