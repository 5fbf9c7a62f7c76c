"""The keywords of a tokenizer's call: those that are followed, and those that may be said but ask for nothing here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llavacli_core.documented.errors import WrongType
from llavacli_core.errors import BadOption

HEEDED = (
    *("add_special_tokens", "padding", "truncation", "max_length"),
    *("pad_to_multiple_of", "padding_side", "return_attention_mask", "return_token_type_ids"),
)
# What was typed never acts as a control token, so there is nothing to sanitize.
IDLE = ("verbose", "sanitize_control_tokens")
UNAVAILABLE = (
    *("text_pair", "text_target", "text_pair_target", "stride", "is_split_into_words"),
    *("return_overflowing_tokens", "return_special_tokens_mask", "return_offsets_mapping", "return_length"),
    *("return_mm_token_type_ids", "return_text_replacement_offsets"),
    "return_assistant_tokens_mask",
)
OF_TEMPLATES = ("tools", "documents", "continue_final_message")
KNOWN = (*HEEDED, *IDLE, *UNAVAILABLE, *OF_TEMPLATES)
CALL = (*HEEDED, *IDLE, *UNAVAILABLE, "return_tensors")


def heeded(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that say something. One that nobody knows is a TypeError, one that asks for more a BadOption."""
    for name, value in given.items():
        if name not in KNOWN:
            raise TypeError(f"a tokenizer has no parameter {name!r}")
        if name in (*UNAVAILABLE, *OF_TEMPLATES) and value not in (None, False):  # 0 is False
            raise BadOption(f"{name} is not available", hint="leave it out")
    return {name: value for name, value in given.items() if name in HEEDED}


def texts_of(text: Any) -> list[str]:
    """One text or several as a list."""
    texts = [text] if isinstance(text, str) else text
    if not isinstance(texts, Sequence) or not all(isinstance(each, str) for each in texts):
        raise WrongType("text is a string or a list of strings", hint='e.g. "two cats"')
    return list(texts)


def cut_to(truncation: bool | str | None, padding: Any, max_length: int | None, most: int) -> int | None:
    """The ids that a text may have, None for any number of them; `max_length` alone asks for truncation, too."""
    if truncation is None:
        truncation = max_length is not None and padding in (False, "do_not_pad")
    return None if truncation in (False, "do_not_truncate") else max_length or most
