"""The settings that `/set` changes one by one, named, typed and checked as the flags are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from difflib import get_close_matches
from types import NoneType
from typing import Any, get_args, get_type_hints

from llavacli.failures import UsageError
from llavacli.options import GenerationOptions
from llavacli.request import question_of

OFF = ("none", "default", "off")
_WORDS = ("prompt", "system")  # of the options, these are said in other ways
_WANTED = {int: "a whole number", float: "a number", str: "a text"}


def names() -> tuple[str, ...]:
    """The names of the settings, as the flags are named."""
    return tuple(field.name.replace("_", "-") for field in fields(GenerationOptions) if field.name not in _WORDS)


def listed(options: GenerationOptions) -> Iterator[tuple[str, str]]:
    """Each setting and its value, as `/set` would take it."""
    for name in names():
        yield name, _written(getattr(options, name.replace("-", "_")))


def by_default(name: str) -> str | None:
    """What holds where a setting is none, as its flag's help has it."""
    told: Any = get_type_hints(GenerationOptions, include_extras=True).get(name.replace("-", "_"))
    found = None if told is None else re.search(r"\[default: (.*)\]$", told.__metadata__[0].help)
    return None if found is None else found[1]


def changed(options: GenerationOptions, name: str, text: str) -> GenerationOptions:
    """The options with one of them set from text; `none` gives it back its default. Raises UsageError."""
    field = name.replace("-", "_").lower()
    if field.replace("_", "-") not in names():
        raise unknown(name)
    value = _default(field) if text.lower() in OFF else _parsed(field, text, options)
    changes: dict[str, Any] = {field: value} | _excluded(field, value)
    values = replace(options, **changes)
    try:
        question_of(values, ())
    except Exception as error:
        if getattr(error, "code", None) != "option":
            raise
        raise UsageError(str(error), hint=f"e.g. /set {name} {_example(field)}") from error
    return values


def unknown(name: str) -> UsageError:
    """The refusal of a setting that is none, with what may have been meant."""
    close = get_close_matches(name.replace("_", "-"), (*names(), "context"), n=1)
    hint = f"did you mean {close[0]}?" if close else "/set alone lists them"
    return UsageError(f"no such setting: {name}", hint=hint)


def _parsed(field: str, text: str, options: GenerationOptions) -> Any:
    """A value of the field's type; a stop string is added to those there are."""
    if field == "stop":
        return [*(options.stop or []), text]
    kind = _kind(field)
    try:
        return kind(text)
    except ValueError:
        pass
    raise UsageError(
        f"{field.replace('_', '-')} must be {_WANTED[kind]}, not {text!r}",
        hint=f"e.g. /set {field.replace('_', '-')} {_example(field)}",
    )


def _kind(field: str) -> type:
    """A field's type, None aside."""
    annotated = get_type_hints(GenerationOptions)[field]
    kinds: list[type] = [one for one in get_args(annotated) if one is not NoneType] or [annotated]
    return kinds[0]


def _default(field: str) -> Any:
    """The value that a field has by itself."""
    return getattr(GenerationOptions(), field)


def _excluded(field: str, value: Any) -> dict[str, None]:
    """What a new value puts out of force: frames and fps exclude each other."""
    other = {"frames": "fps", "fps": "frames"}.get(field)
    return {other: None} if other is not None and value is not None else {}


def _example(field: str) -> str:
    """A value that would do."""
    examples = {"temperature": "0.7", "top_p": "0.9", "min_p": "0.05", "max_tokens": "512", "fps": "1"}
    return examples.get(field, "1.1" if _kind(field) is float else "###" if field == "stop" else "4")


def _written(value: Any) -> str:
    """A value in words."""
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        import shlex

        return " ".join(map(shlex.quote, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
