"""Readers of a captioner's `decoder` section: GPT-2, TrOCR, BERT, RoBERTa, each with its class's defaults."""

from __future__ import annotations

from collections.abc import Callable

from llavacli_core.config import TextDecoderConfig
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.activations import activation
from llavacli_core.families.decoders import MOST_LAYERS
from llavacli_core.families.keys import Keys


def read_text_decoder(keys: Keys) -> TextDecoderConfig:
    """The `decoder` section, or the config.json of a decoder alone."""
    return READERS[text_decoder_type(keys)](keys)


def text_decoder_type(keys: Keys) -> str:
    """The decoder's model_type; UnsupportedModel for one that is not known."""
    name = keys.get("model_type", default="bert")  # what VisionEncoderDecoderConfig assumes
    if not isinstance(name, str) or name not in READERS:
        raise UnsupportedModel(f"{keys.where}: the decoder {name!r} is not supported", hint=_why_not(name))
    return name


def _gpt2(keys: Keys) -> TextDecoderConfig:
    """GPT-2: normalised before each sublayer and at the end; learned positions; the head is the embedding."""
    size = keys.integer("n_embd", "hidden_size", default=768)
    layers = keys.integer("n_layer", "num_hidden_layers", default=12, most=MOST_LAYERS)
    heads = _heads(keys, size, "n_head", "num_attention_heads", default=12)
    factor = 1.0 if keys.flag("scale_attn_weights", default=True) else (size / heads) ** 0.5
    deeper = keys.flag("scale_attn_by_inverse_layer_idx", default=False)
    return TextDecoderConfig(
        vocab_size=keys.integer("vocab_size", default=50257),
        hidden_size=size,
        intermediate_size=keys.integer("n_inner", default=4 * size),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_act=activation(keys, "activation_function", default="gelu_new"),
        layer_norm_eps=keys.number("layer_norm_epsilon", default=1e-5),
        max_position_embeddings=keys.integer("n_positions", "max_position_embeddings", default=1024),
        position_offset=0,
        sinusoidal=False,
        skip_padding=False,
        pad_token_id=token_id(keys, "pad_token_id", default=None),
        embedding_scale=1.0,
        embedding_norm=False,
        token_types=0,
        pre_norm=True,
        final_norm=True,
        score_factors=tuple(factor / (layer + 1 if deeper else 1) for layer in range(layers)),
        cross_attention_hidden_size=_cross_size(keys, size),
        head_act=None,
        tie_word_embeddings=keys.flag("tie_word_embeddings", default=True),
    )


def _trocr(keys: Keys) -> TextDecoderConfig:
    """TrOCR: normalised behind each sublayer; positions learned, from row 2 on, or sinusoidal, from behind padding."""
    size = keys.integer("d_model", "hidden_size", default=1024)
    layers = keys.integer("decoder_layers", "num_hidden_layers", default=12, most=MOST_LAYERS)
    learned = keys.flag("use_learned_position_embeddings", default=True)
    padding = token_id(keys, "pad_token_id", default=1)
    if not learned and padding is None:
        raise keys.fault("pad_token_id", "a token id, where positions are sinusoidal", None)
    return TextDecoderConfig(
        vocab_size=keys.integer("vocab_size", default=50265),
        hidden_size=size,
        intermediate_size=keys.integer("decoder_ffn_dim", default=4096),
        num_hidden_layers=layers,
        num_attention_heads=_heads(keys, size, "decoder_attention_heads", "num_attention_heads", default=16),
        hidden_act=activation(keys, "activation_function", default="gelu"),
        layer_norm_eps=1e-5,
        max_position_embeddings=keys.integer("max_position_embeddings", default=512),
        position_offset=2 if learned or padding is None else padding + 1,
        sinusoidal=not learned,
        skip_padding=not learned,
        pad_token_id=padding,
        embedding_scale=size**0.5 if keys.flag("scale_embedding", default=False) else 1.0,
        embedding_norm=keys.flag("layernorm_embedding", default=True),
        token_types=0,
        pre_norm=False,
        final_norm=False,
        score_factors=(1.0,) * layers,
        cross_attention_hidden_size=keys.integer("cross_attention_hidden_size", default=size),
        head_act=None,
        tie_word_embeddings=keys.flag("tie_word_embeddings", default=True),
    )


def _bert(keys: Keys) -> TextDecoderConfig:
    """BERT: normalised behind each sublayer; learned positions; segment embeddings; a head that transforms first."""
    return _bert_like(keys, vocab_size=30522, padding=token_id(keys, "pad_token_id", default=0), skip_padding=False)


def _roberta(keys: Keys) -> TextDecoderConfig:
    """RoBERTa: BERT, but positions are counted from behind the padding's own."""
    padding = token_id(keys, "pad_token_id", default=1)
    if padding is None:
        raise keys.fault("pad_token_id", "a token id", None)
    return _bert_like(keys, vocab_size=50265, padding=padding, skip_padding=True)


def _bert_like(keys: Keys, *, vocab_size: int, padding: int | None, skip_padding: bool) -> TextDecoderConfig:
    """What the two share."""
    size = keys.integer("hidden_size", default=768)
    layers = keys.integer("num_hidden_layers", default=12, most=MOST_LAYERS)
    keys.choice("position_embedding_type", among=("absolute",), default="absolute")
    offset = padding + 1 if skip_padding and padding is not None else 0
    act = activation(keys, "hidden_act", default="gelu")
    return TextDecoderConfig(
        vocab_size=keys.integer("vocab_size", default=vocab_size),
        hidden_size=size,
        intermediate_size=keys.integer("intermediate_size", default=3072),
        num_hidden_layers=layers,
        num_attention_heads=_heads(keys, size, "num_attention_heads", default=12),
        hidden_act=act,
        layer_norm_eps=keys.number("layer_norm_eps", default=1e-12),
        # RoBERTa's number is that of the table's rows, of which the first are padding's.
        max_position_embeddings=keys.integer("max_position_embeddings", default=512, least=offset + 1) - offset,
        position_offset=offset,
        sinusoidal=False,
        skip_padding=skip_padding,
        pad_token_id=padding,
        embedding_scale=1.0,
        embedding_norm=True,
        token_types=keys.integer("type_vocab_size", default=2),
        pre_norm=False,
        final_norm=False,
        score_factors=(1.0,) * layers,
        cross_attention_hidden_size=_cross_size(keys, size),
        head_act="gelu" if skip_padding else act,  # RoBERTa's head has GELU whatever its layers have
        tie_word_embeddings=keys.flag("tie_word_embeddings", default=True),
    )


READERS: dict[str, Callable[[Keys], TextDecoderConfig]] = {
    "gpt2": _gpt2,
    "trocr": _trocr,
    "bert": _bert,
    "roberta": _roberta,
}


def _why_not(name: object) -> str:
    """What to say of a decoder that is not among them."""
    known = f"known decoders: {', '.join(READERS)}"
    if name == "distilbert":
        return f"DistilBERT has no decoder with cross-attention, in transformers neither; {known}"
    return known


def _heads(keys: Keys, size: int, *names: str, default: int) -> int:
    """The number of heads, which must share the channels out evenly."""
    heads = keys.integer(*names, default=default)
    if size % heads:
        raise keys.fault(names[0], f"a divisor of the hidden size, {size}", heads)
    return heads


def token_id(keys: Keys, name: str, *, default: int | None) -> int | None:
    """A token id; an explicit null means none, as does -1, and a missing key the class's default."""
    value = keys.values.get(name, default)
    return None if value in (None, -1) else keys.integer(name, default=value, least=0)


def _cross_size(keys: Keys, size: int) -> int:
    """Only TrOCR's cross-attention takes states of another size than its own."""
    stated = keys.integer("cross_attention_hidden_size", default=size)
    if stated != size:
        raise keys.fault("cross_attention_hidden_size", f"null or the hidden size, {size}", stated)
    return stated
