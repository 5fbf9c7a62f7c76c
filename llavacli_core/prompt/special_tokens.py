"""Which tokens a checkpoint's JSON files declare beside tokenizer.json, and which of them carry a name.

Follows transformers 5.23, `PreTrainedTokenizerBase._from_pretrained` and `TokenizersBackend.__init__`: beside an
`added_tokens_decoder` in tokenizer_config.json, special_tokens_map.json and added_tokens.json are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from llavacli_core.errors import BrokenModel
from llavacli_core.prompt.files import PULL_AGAIN, read_json

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
_STANDARD = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class Declared:
    """Tokens the JSON files speak of: `named` by role (bos_token, image_token), `extra` without one, `added` by id."""

    named: dict[str, AddedToken]
    extra: tuple[AddedToken, ...]
    added: tuple[AddedToken, ...]


def declared(folder: Path, config: dict[str, Any], present: Iterable[AddedToken]) -> Declared:
    """What `config` (tokenizer_config.json) and its older companions declare; `present` are tokenizer.json's own."""
    names, present = dict(config), tuple(present)
    try:
        if "added_tokens_decoder" in config:
            added = _by_id(config["added_tokens_decoder"])
        else:
            names.update(read_json(folder / "special_tokens_map.json"))
            own = {token.content for token in present}  # which outrank them
            older = _legacy(read_json(folder / "added_tokens.json"), names)
            added = tuple(token for token in older if token.content not in own)
        known = {token.content: token for token in (*added, *present)}
        named = {name: known.get(_content(value), _token(value)) for name, value in _named(names).items()}
        extra = tuple(_token(value) for value in _unnamed(names))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenModel(
            f"{folder}: the special tokens in tokenizer_config.json or beside it are damaged ({error!r})",
            hint=PULL_AGAIN,
        ) from error
    return Declared(named, extra, added)


def missing(found: Declared, present: Iterable[AddedToken]) -> list[AddedToken]:
    """Declared tokens that tokenizer.json (its own: `present`) does not hold, or holds with other flags."""
    present = tuple(present)
    flags = {repr(token) for token in present}
    tokens = [token for token in found.added if repr(token) not in flags]
    contents = {token.content for token in (*present, *tokens)}
    for token in (*found.named.values(), *found.extra):
        if token.content not in contents:
            tokens.append(token)
            contents.add(token.content)
    roles = {token.content for token in found.named.values()}
    for token in tokens:
        if token.content in roles:
            token.special = True
    return tokens


def _content(value: Any) -> str:
    """The text of a token given as a string or as a JSON object."""
    content = value if isinstance(value, str) else value["content"]
    if not isinstance(content, str):
        raise TypeError(f"a token's content must be text, not {content!r}")
    return content


def _token(value: Any) -> AddedToken:
    """A token given as a string (then special) or as a JSON object with flags."""
    if isinstance(value, str):
        return AddedToken(value, special=True)
    flags = {name: bool(value[name]) for name in _FLAGS if name in value}
    return AddedToken(_content(value), **{"special": True, **flags})


def _by_id(decoder: dict[str, Any]) -> tuple[AddedToken, ...]:
    """`added_tokens_decoder`, in the order of its ids."""
    ordered = sorted(decoder.items(), key=lambda item: int(item[0]))
    return tuple(_token({"special": False, **value}) for _, value in ordered)


def _legacy(added_tokens: dict[str, int], names: dict[str, Any]) -> tuple[AddedToken, ...]:
    """added_tokens.json, in the order of its ids; a token is special there when it has a role."""
    special = {_content(value) for value in (*_named(names).values(), *_unnamed(names))}
    ordered = sorted(added_tokens, key=lambda content: int(added_tokens[content]))
    return tuple(AddedToken(text, normalized=text not in special, special=text in special) for text in ordered)


def _named(names: dict[str, Any]) -> dict[str, Any]:
    """Tokens with a role, in any of the places where files have put them; null means none."""
    own = {
        name: value
        for name, value in names.items()
        if name.endswith("_token") and (name in _STANDARD or isinstance(value, (str, dict)))
    }
    for key in ("model_specific_special_tokens", "extra_special_tokens"):
        if isinstance(names.get(key), dict):
            own.update(names[key])
    return {name: value for name, value in own.items() if value is not None}


def _unnamed(names: dict[str, Any]) -> list[Any]:
    """Special tokens without a role, under the newer key or, where that is absent or empty, the older."""
    extra = names.get("extra_special_tokens") or names.get("additional_special_tokens") or []
    return list(extra) if isinstance(extra, list) else []
