"""What is alive while a network computes, beside its weights and its KV cache: the widest moment of each network.

Counted by following the forward passes in `nn`: which tensors are held by whom when the largest of them are made. In a
function call, what was passed in lives as long as the call. Numbers are per position, times `itemsize` at the end.

D hidden size  M size within the MLP  P positions of a tile  H heads
"""

from __future__ import annotations

from collections.abc import Sequence

from llavacli_core.config import DecoderConfig, EncoderConfig, ModelConfig, SwinConfig

ACT_TENSORS = {"quick_gelu": 3}  # of size M: its input, what the sigmoid gets, what it gives; one-step functions: 2
TILES_AT_ONCE = 32  # as `nn.llava` has it


def encoding(config: EncoderConfig, tiles: int, itemsize: int, *, kept: int = 0, eager: bool = False) -> int:
    """Bytes of a tower's widest moment, with so many tiles at once, and `kept` hidden states beside the last."""
    if isinstance(config, SwinConfig):
        return max(_swin_stage(config, stage, tiles, eager=eager) for stage in range(len(config.depths))) * itemsize
    size, positions = config.hidden_size, config.num_positions
    numbers = (_layer(size, config.intermediate_size, config.hidden_act) + kept * size) * positions * tiles
    scores = config.num_attention_heads * positions**2
    if config.relative_position_bias or config.shared_relative_position_bias:
        numbers += 3 * scores  # the shared one, the layer's, and their sum
    return numbers * itemsize + (_eager(scores * tiles, itemsize) if eager else 0)


def connecting(config: ModelConfig, tiles: int, itemsize: int) -> int:
    """Bytes of the projector's widest moment: the selected states side by side, and two of the decoder's size."""
    layers = len(config.connector.vision_feature_layers)
    numbers = config.vision.hidden_size * layers * (2 if layers > 1 else 1) + 2 * config.decoder.hidden_size
    return numbers * config.vision.num_positions * tiles * itemsize


def prefilling(config: DecoderConfig, length: int, past: int, itemsize: int, *, eager: bool = False) -> int:
    """Bytes of the decoder's widest moment, for `length` positions at once behind `past` that are cached."""
    size, width = config.hidden_size, config.intermediate_size
    queries, keys = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    qkv, turned = queries + 2 * keys, queries + keys
    # The embeddings, held by the caller, the block's input, and that normalised; then what attention makes.
    repeated = 0 if queries == keys else 2 * queries  # kernels that know no groups get keys and values repeated
    attention = 3 * size + qkv + max(qkv, 3 * turned, turned + repeated + 2 * queries + size)
    mlp = 4 * size + 4 * width  # gate and up, stacked from two or computed as one; the activation; their product
    scores = _eager(config.num_attention_heads * length * (past + length), itemsize) if eager else 0
    return max(attention, mlp) * length * itemsize + scores + config.vocab_size * (itemsize + 4)


def _layer(size: int, width: int, act: str) -> int:
    """An encoder's layer, per position: in attention, or where its MLP is widest."""
    return max(8 * size, 2 * size + ACT_TENSORS.get(act, 2) * width)


def _swin_stage(config: SwinConfig, stage: int, pictures: int, *, eager: bool) -> int:
    """Numbers alive in a layer of a stage: its windows' biases are there once for each window."""
    rows, cols = (-(-edge >> stage) for edge in config.patch_grid)
    size, area = config.embed_dim << stage, config.window_size**2
    windows = -(-rows // config.window_size) * -(-cols // config.window_size)
    scores = windows * config.num_heads[stage] * area**2 * pictures
    layer = _layer(size, int(size * config.mlp_ratio), config.hidden_act)
    return layer * rows * cols * pictures + scores * (5 if eager else 2)


def _eager(scores: int, itemsize: int) -> int:
    """Bytes of attention scores written out: before and after scaling or masking, and as float32 from the softmax."""
    return scores * (2 * itemsize + 4)


def batches(tiles: Sequence[int]) -> int:
    """How many tiles go through the tower at once at most, where each of `tiles` is a pass."""
    return min(TILES_AT_ONCE, max(tiles, default=0))
