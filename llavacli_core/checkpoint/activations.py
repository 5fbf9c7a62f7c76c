"""What is alive while a network computes, beside its weights and its KV cache: the widest moment of each network.

Counted by following the forward passes in `nn`: which tensors are held by whom when the largest of them are made. In a
function call, what was passed in lives as long as the call. Numbers are per position, times `itemsize` at the end.

D hidden size  M size within the MLP  P positions of a tile  H heads
"""

from __future__ import annotations

from collections.abc import Sequence

from llavacli_core.config import DecoderConfig, EncoderConfig, ModelConfig, SwinConfig
from llavacli_core.portions import SLICE, SMALL_MATRIX, TILES_AT_ONCE, TOWER_SLICE

SCORE_BYTES = 8  # of eager attention: before and after the mask, or before and after rounding from float32


def encoding(
    config: EncoderConfig, tiles: int, itemsize: int, *, kept: int = 0, eager: bool = False, amx: bool = False
) -> int:
    """Bytes of a tower's widest moment, with so many tiles at once, and `kept` hidden states beside the last.

    `amx`: the processor multiplies by tiles, so that large matrices are sliced, too.
    """
    if isinstance(config, SwinConfig):
        return max(_swin_stage(config, stage, tiles) for stage in range(len(config.depths))) * itemsize
    size, positions = config.hidden_size, config.num_positions * tiles
    scores = config.num_attention_heads * config.num_positions**2
    width = config.intermediate_size
    within = _sliced(positions, size * width * itemsize, TOWER_SLICE if amx else positions)
    between = 3 if amx and config.hidden_act == "quick_gelu" else 2  # `nn.activations` makes one more there
    attention = 8 * size * positions * itemsize
    mlp = (3 * size * positions + between * width * within) * itemsize
    if config.relative_position_bias or config.shared_relative_position_bias:
        attention += 3 * scores * itemsize  # the shared one, the layer's, and their sum
    if eager:
        attention += SCORE_BYTES * scores * tiles
    return max(attention, mlp) + kept * size * positions * itemsize


def connecting(config: ModelConfig, tiles: int, itemsize: int) -> int:
    """Bytes of the projector's widest moment: the selected states side by side, and two of the decoder's size."""
    layers = len(config.connector.vision_feature_layers)
    numbers = config.vision.hidden_size * layers * (2 if layers > 1 else 1) + 2 * config.decoder.hidden_size
    return numbers * config.vision.num_positions * tiles * itemsize


def prefilling(
    config: DecoderConfig, length: int, past: int, itemsize: int, *, eager: bool = False, amx: bool = False
) -> int:
    """Bytes of the decoder's widest moment, for `length` positions at once behind `past` that are cached."""
    size, width = config.hidden_size, config.intermediate_size
    queries, keys = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    qkv, turned = queries + 2 * keys, queries + keys
    # The embeddings, held by the caller, the block's input, and that normalised; then what attention makes.
    repeated = 0 if queries == keys else 2 * queries  # kernels that know no groups get keys and values repeated
    attention = 3 * size + qkv + max(3 * queries, queries + 3 * keys, turned + repeated + 2 * queries + size)
    # Gate and up, stacked from two or computed as one; the activation; their product.
    mlp = 4 * size * length + 4 * width * _sliced(length, 2 * width * size * itemsize, SLICE if amx else length)
    scores = SCORE_BYTES * config.num_attention_heads * length * (past + length) if eager else 0
    return max(attention * length * itemsize + scores, mlp * itemsize) + config.vocab_size * itemsize


def _sliced(positions: int, matrix: int, large: int) -> int:
    """Positions that go through an MLP at a time, whose largest matrix has so many bytes; `large` if they are many."""
    at_once = max(1, SLICE if matrix <= SMALL_MATRIX else large)
    pieces = max(1, -(-positions // at_once))  # equal ones
    return -(-positions // pieces)


def _swin_stage(config: SwinConfig, stage: int, pictures: int) -> int:
    """Numbers alive in a layer of a stage: in attention, whose bias is there once for each window, or in its MLP."""
    rows, cols = (-(-edge >> stage) for edge in config.patch_grid)
    size, area = config.embed_dim << stage, config.window_size**2
    windows = -(-rows // config.window_size) * -(-cols // config.window_size)
    patches, scores = rows * cols * pictures, windows * config.num_heads[stage] * area**2 * pictures
    attention = max(8 * size * patches + scores, 5 * size * patches + 2 * scores)
    return max(attention, (2 * size + 2 * int(size * config.mlp_ratio)) * patches)


def widening(config: DecoderConfig, length: int, itemsize: int) -> int:
    """Bytes of the same where `nn.product` multiplies in float32: gate and up in both formats, and their matrix."""
    size, width = config.hidden_size, config.intermediate_size
    return length * (4 * size * itemsize + 4 * size + 2 * width * (4 + itemsize)) + 2 * width * size * 4


def batches(tiles: Sequence[int]) -> int:
    """How many tiles go through the tower at once at most, where each of `tiles` is a pass."""
    return min(TILES_AT_ONCE, max(tiles, default=0))
