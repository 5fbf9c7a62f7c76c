"""Readers of `text_config`: Llama, Mistral and Qwen2, each with its class's defaults for the keys a file leaves out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llavacli_core.config import DecoderConfig, Rope
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.activations import activation
from llavacli_core.families.keys import Keys

MOST_SCALING = 1e6  # of positions; no checkpoint comes near it
MOST_LAYERS = 1000  # of a hostile file; building ever more of them on the way to an error would take minutes


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What transformers' config class assumes for keys that config.json does not name."""

    vocab_size: int
    intermediate_size: int
    num_key_value_heads: int | None  # None: as many as there are heads
    max_position_embeddings: int
    sliding_window: int | None
    qkv_bias: bool
    eos_token_id: int | None


DECODERS = {
    "llama": Defaults(
        vocab_size=32000,
        intermediate_size=11008,
        num_key_value_heads=None,
        max_position_embeddings=2048,
        sliding_window=None,
        qkv_bias=False,
        eos_token_id=2,
    ),
    "mistral": Defaults(
        vocab_size=32000,
        intermediate_size=14336,
        num_key_value_heads=8,
        max_position_embeddings=131072,
        sliding_window=4096,
        qkv_bias=False,
        eos_token_id=2,
    ),
    "qwen2": Defaults(
        vocab_size=151936,
        intermediate_size=22016,
        num_key_value_heads=32,
        max_position_embeddings=32768,
        sliding_window=None,
        qkv_bias=True,
        eos_token_id=None,
    ),
}


WINDOW = 4096  # positions, of Qwen2, where nothing is stated


def decoder_type(keys: Keys) -> str:
    """The decoder's model_type; llama where config.json does not say."""
    name = keys.get("model_type", default="llama")
    if not isinstance(name, str) or name not in DECODERS:
        raise UnsupportedModel(
            f"{keys.where}: the decoder {name!r} is not supported", hint=f"known decoders: {', '.join(DECODERS)}"
        )
    return name


def read_decoder(keys: Keys) -> DecoderConfig:
    """`text_config` in any of its published forms."""
    name = decoder_type(keys)
    defaults = DECODERS[name]
    hidden_size = keys.integer("hidden_size", default=4096)
    heads = keys.integer("num_attention_heads", default=32)
    layers = keys.integer("num_hidden_layers", default=32, most=MOST_LAYERS)
    # An explicit null asks for as many key-value heads as heads, which a missing key does for Llama alone.
    kv_default = heads if "num_key_value_heads" in keys.values else defaults.num_key_value_heads or heads
    kv_heads = keys.integer("num_key_value_heads", default=kv_default)
    if heads % kv_heads:
        raise keys.fault("num_key_value_heads", f"a divisor of num_attention_heads, {heads}", kv_heads)
    positions = keys.integer("max_position_embeddings", default=defaults.max_position_embeddings)
    attention_bias = name == "llama" and keys.flag("attention_bias", default=False)
    return DecoderConfig(
        vocab_size=keys.integer("vocab_size", default=defaults.vocab_size),
        hidden_size=hidden_size,
        intermediate_size=keys.integer("intermediate_size", default=defaults.intermediate_size),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=keys.integer("head_dim", default=hidden_size // heads),
        hidden_act=activation(keys, "hidden_act", default="silu"),
        rms_norm_eps=keys.number("rms_norm_eps", default=1e-6),
        max_position_embeddings=positions,
        rope=_rope(keys, positions),
        sliding_windows=_sliding_windows(keys, name, layers),
        qkv_bias=defaults.qkv_bias or attention_bias,
        output_bias=attention_bias,
        mlp_bias=name == "llama" and keys.flag("mlp_bias", default=False),
        tie_word_embeddings=keys.flag("tie_word_embeddings", default=False),
    )


def eos_token_ids(keys: Keys) -> tuple[int, ...]:
    """The end-of-sequence ids that `text_config` names, or its class's default."""
    if "eos_token_id" in keys.values:
        return keys.integers("eos_token_id")
    default = DECODERS[decoder_type(keys)].eos_token_id
    return () if default is None else (default,)


def _rope(keys: Keys, positions: int) -> Rope:
    """`rope_scaling` and `rope_theta`, else `rope_parameters` (transformers 5).

    A `type` or `factor` beside these sections, which a converter of LLaVA-NeXT-Video left there, means nothing.
    """
    rope = keys.section("rope_scaling" if keys.get("rope_scaling") else "rope_parameters")
    theta = rope.number("rope_theta", default=keys.number("rope_theta", default=10000.0))
    kind = rope.get("rope_type", "type", default="default")
    if kind == "default":
        return Rope(theta=theta)
    if kind == "linear":
        return Rope(theta=theta, kind=kind, factor=_factor(rope))
    if kind not in ("llama3", "yarn"):
        known = "default, linear, llama3, yarn"
        raise UnsupportedModel(f"{rope.where}: rotary scaling {kind!r} is not supported", hint=f"known: {known}")
    name = "original_max_position_embeddings"
    trained = (keys if keys.get(name) else rope).integer(name, default=positions)
    if kind == "llama3":
        slow, fast = rope.number("low_freq_factor"), rope.number("high_freq_factor")
        if not 0 < slow < fast:
            raise rope.fault("high_freq_factor", f"a number above low_freq_factor, {slow:g}, which is above 0", fast)
        return Rope(theta=theta, kind=kind, factor=_factor(rope), trained=trained, slow=slow, fast=fast)
    factor = _factor(rope, default=positions / trained)
    slow, fast = rope.number("beta_slow", default=1.0), rope.number("beta_fast", default=32.0)
    if theta <= 1:
        raise rope.fault("rope_theta", "a number above 1", theta)
    if slow > fast:
        raise rope.fault("beta_fast", f"a number from beta_slow, {slow:g}, on", fast)
    return Rope(
        theta=theta,
        kind=kind,
        factor=factor,
        trained=trained,
        slow=slow,
        fast=fast,
        whole=rope.flag("truncate", default=True),
        strength=_strength(rope, factor),
    )


def _factor(rope: Keys, default: float | None = None) -> float:
    """How many times more positions there are to be."""
    factor = rope.number("factor", default=default)
    if not 0 < factor <= MOST_SCALING:
        raise rope.fault("factor", f"a number above 0, {MOST_SCALING:g} at most", factor)
    return factor


def _strength(rope: Keys, factor: float) -> float:
    """What yarn multiplies cosines and sines by, which is what attention gains in sharpness."""

    def gain(scale: float) -> float:
        return 0.1 * scale * math.log(factor) + 1.0 if factor > 1 else 1.0

    implied = gain(1.0)
    if rope.get("mscale") and rope.get("mscale_all_dim"):
        implied = gain(rope.number("mscale")) / gain(rope.number("mscale_all_dim"))
    return rope.number("attention_factor", default=implied)


def _sliding_windows(keys: Keys, name: str, layers: int) -> tuple[int | None, ...]:
    """How far back each layer may look."""
    if name == "llama":
        return (None,) * layers
    if name == "mistral":
        # An explicit null switches the window off; a missing key means the class's 4096.
        stated = "sliding_window" in keys.values
        window = keys.get("sliding_window") if stated else DECODERS[name].sliding_window
        return (None if window is None else keys.integer("sliding_window", default=window),) * layers
    if not keys.flag("use_sliding_window", default=False) or keys.values.get("sliding_window", WINDOW) is None:
        return (None,) * layers
    window = keys.integer("sliding_window", default=WINDOW)
    kinds = keys.get("layer_types")
    if kinds is None:
        first = keys.integer("max_window_layers", default=28, least=0)
        kinds = ["sliding_attention" if layer >= first else "full_attention" for layer in range(layers)]
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise keys.fault("layer_types", f"{layers} words", kinds)
    return tuple(window if kind == "sliding_attention" else None for kind in kinds)
