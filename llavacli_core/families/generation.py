"""The reader of generation_config.json, or of the same keys in the config.json of older checkpoints."""

from __future__ import annotations

from typing import Any

from llavacli_core.config import GenerationDefaults
from llavacli_core.families.keys import Keys, is_number
from llavacli_core.families.text_decoders import token_id

TEXT_SECTIONS = ("decoder", "generator", "text_config")

# Keys that change what transformers' greedy or beam search says and are not followed here, with what changes nothing.
UNHEEDED: dict[str, Any] = {
    "bad_words_ids": None,
    "diversity_penalty": 0.0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "exponential_decay_length_penalty": None,
    "guidance_scale": None,
    "renormalize_logits": False,
    "sequence_bias": None,
}


def read_generation(generation: dict[str, Any], config: dict[str, Any]) -> GenerationDefaults:
    """What generation_config.json asks for; where there is none, config.json.

    There the top level counts first, then the text's section, as in transformers' GenerationConfig.from_model_config.
    """
    if generation:
        keys = Keys(generation, "generation_config.json")
    else:
        section: Any = next((config[name] for name in TEXT_SECTIONS if config.get(name)), {})
        stated = {key: value for key, value in config.items() if value is not None}
        keys = Keys({**Keys(section, "config.json").values, **stated}, "config.json")
    return GenerationDefaults(
        eos_token_ids=keys.integers("eos_token_id"),
        bos_token_id=token_id(keys, "bos_token_id", default=None),
        pad_token_id=token_id(keys, "pad_token_id", default=None),
        decoder_start_token_id=token_id(keys, "decoder_start_token_id", default=None),
        max_length=_count(keys, "max_length"),
        max_new_tokens=_count(keys, "max_new_tokens"),
        min_length=keys.integer("min_length", default=0, least=0),
        min_new_tokens=_count(keys, "min_new_tokens", least=0),
        forced_bos_token_id=token_id(keys, "forced_bos_token_id", default=None),
        forced_eos_token_id=keys.integers("forced_eos_token_id"),
        no_repeat_ngram_size=keys.integer("no_repeat_ngram_size", default=0, least=0),
        repetition_penalty=keys.number("repetition_penalty", default=1.0),
        num_beams=keys.integer("num_beams", default=1),
        length_penalty=_signed(keys, "length_penalty", default=1.0),
        early_stopping=_early_stopping(keys),
        suppress_tokens=keys.integers("suppress_tokens"),
        begin_suppress_tokens=keys.integers("begin_suppress_tokens"),
        unheeded=tuple(name for name, usual in UNHEEDED.items() if keys.get(name, default=usual) != usual),
    )


def _count(keys: Keys, name: str, *, least: int = 1) -> int | None:
    """A number of tokens; None where nothing is said."""
    return None if keys.get(name) is None else keys.integer(name, least=least)


def _signed(keys: Keys, name: str, *, default: float) -> float:
    """A number, which may be negative or zero."""
    value = keys.get(name, default=default)
    if not is_number(value):
        raise keys.fault(name, "a number", value)
    return float(value)


def _early_stopping(keys: Keys) -> bool | str:
    """True, false or "never"."""
    if keys.get("early_stopping") == "never":
        return "never"
    return keys.flag("early_stopping", default=False)
