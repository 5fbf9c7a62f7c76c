"""Where a value comes from: flag > environment > ./llavacli.toml > the user's config.toml > default.

Flags, environment and defaults are Typer's; this is the part between. A file holds option names as keys, and tables
named after commands for one command alone (`[sessions.ls]` where a command belongs to another):

    model = "llava-hf/llava-1.5-7b-hf"
    max-tokens = 128
    stop = ["###", "USER:"]
    [describe]
    json = true

`mark` is both: as a list it is the option, as a table the command's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from llavacli.failures import UsageError

Kinds = Mapping[str, Any]  # option name -> its type
Owned = Mapping[str, Collection[str]]  # table of a command -> the options that may stand in it

PREFIX = "LLAVACLI_"  # of environment variables
NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", list: "a list of strings"}


def configured(
    command: Sequence[str], kinds: Kinds, shared: Kinds, owned_by_commands: Callable[[], Owned]
) -> dict[str, Any]:
    """The values that the config files give to a command's options; the project's file outranks the user's.

    `command` is its name, after those of the groups it is in. `shared` are the options that may stand outside any
    command's table, whether this command has them or not. What each command has is asked only where there is a file.
    """
    values: dict[str, Any] = {}
    for path in (user_file(), Path("llavacli.toml")):
        content = _read(path)
        if not content:
            continue
        owned = owned_by_commands()
        commands = {table.partition(".")[0] for table in owned}
        tables = {name: value for name, value in content.items() if name in commands and isinstance(value, dict)}
        _refuse_strange_tables(path, tables, owned)
        outside = {name: value for name, value in content.items() if name not in tables}
        _refuse_strays(path, outside, shared, owned)
        own = _own(tables, command)  # the other commands' are checked when those run
        values |= {name: value for name, value in _checked(path, outside, shared).items() if name in kinds}
        values |= _checked(path, own, kinds)
    return values


def user_file() -> Path:
    """The user's own config file, whether it exists or not."""
    import platformdirs

    return platformdirs.user_config_path("llavacli", appauthor=False) / "config.toml"


def listed_in_environment(kinds: Kinds) -> dict[str, list[str]]:
    """The repeatable options' environment variables: one value per line (Typer would split at every blank)."""
    found = {name: os.environ.get(f"{PREFIX}{name.upper()}") for name, kind in kinds.items() if lists(kind)}
    return {name: [line for line in text.splitlines() if line] for name, text in found.items() if text}


def strange_variables(known: Collection[str], owned_by_commands: Callable[[], Owned]) -> list[str]:
    """What there is to say of variables that no command's option is set by. `known` are those of the command."""
    names = [name.removeprefix(PREFIX).lower() for name in os.environ if name.startswith(PREFIX)]
    if not any(name not in known for name in names):
        return []
    settable = {name for options in owned_by_commands().values() for name in options}
    return [_stranger(name, settable) for name in names if name not in settable]


def _stranger(name: str, settable: Collection[str]) -> str:
    close = get_close_matches(name, settable, n=1)
    hint = f" (did you mean {PREFIX}{close[0].upper()}?)" if close else ""
    return f"the environment variable {PREFIX}{name.upper()} sets no option{hint}"


def _read(path: Path) -> dict[str, Any]:
    """A TOML file's content; empty when there is no such file."""
    import tomllib

    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: not a regular file", hint="remove it, or put a TOML file there")
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin a file with a mark
    except (FileNotFoundError, NotADirectoryError):  # HOME may be /dev/null
        return {}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="the config file must be readable") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}", hint="correct the file or remove it") from error


def _refuse_strays(path: Path, outside: Mapping[str, Any], shared: Kinds, owned: Owned) -> None:
    """Refuse outside the tables what belongs into one: an option of some commands alone, or what must be a table."""
    commands = {table.partition(".")[0] for table in owned}
    for key in outside:
        name = key.replace("-", "_")
        if name in shared:
            continue
        if isinstance(outside[key], dict):
            close = get_close_matches(key, commands, n=1)
            hint = f"did you mean [{close[0]}]?" if close else f"there are {', '.join(sorted(commands))}"
            raise UsageError(f"{path}: [{key}] names no command", hint=hint)
        if key in commands:
            raise UsageError(f"{path}: {key} must be a table", hint=f"write [{key}] on a line of its own")
        tables = [f"[{table}]" for table, options in owned.items() if name in options]
        if tables:
            raise UsageError(
                f"{path}: {key} is no option of every command", hint=f"write it below {' or '.join(tables)}"
            )


def _refuse_strange_tables(path: Path, tables: Mapping[str, Any], owned: Owned) -> None:
    """Refuse in a group's table what belongs to none of its commands."""
    for group, table in tables.items():
        names = [name.removeprefix(f"{group}.") for name in owned if name.startswith(f"{group}.")]
        for key, value in table.items() if names else ():
            if isinstance(value, dict):
                if key not in names:
                    raise UsageError(f"{path}: no command {group} {key}", hint=f"there are {', '.join(names)}")
                continue
            homes = [name for name in names if key.replace("-", "_") in owned[f"{group}.{name}"]]
            hint = (
                f"options go into a command's table: [{group}.{homes[0]}]" if homes else f"no {group} command takes it"
            )
            raise UsageError(f"{path}: [{group}] holds {key}", hint=hint)


def _own(tables: Mapping[str, Any], command: Sequence[str]) -> Mapping[str, Any]:
    """A command's own table."""
    own: Mapping[str, Any] = tables.get(command[0], {})
    for name in command[1:]:
        own = own.get(name, {})
    return own


def _checked(path: Path, table: Mapping[str, Any], kinds: Kinds) -> dict[str, Any]:
    """The table with its keys as parameter names; strangers and wrong types are refused."""
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in kinds:
            raise UsageError(f"{path}: unknown option {key!r}", hint=_nearest(key, kinds))
        if not _is(value, kinds[name]):
            is_text = _is(str(value), kinds[name]) and isinstance(value, int | float) and not isinstance(value, bool)
            hint = f'write {key} = "{value}"' if is_text else "correct the file"
            raise UsageError(f"{path}: {key} must be {_wanted(kinds[name])}, not {value!r}", hint=hint)
        values[name] = value
    return values


def _nearest(key: str, kinds: Kinds) -> str:
    """What may have been meant."""
    names = [name.replace("_", "-") for name in kinds]
    close = get_close_matches(key.replace("_", "-"), names, n=1)
    return f"did you mean {close[0]!r}?" if close else "options are named as their flags, e.g. max-tokens"


def _is(value: Any, kind: Any) -> bool:
    """Whether a TOML value is of an option's type."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return any(_is(value, one) for one in get_args(kind))
    if origin is Literal:
        return value in get_args(kind)
    if origin is list:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return type(value) is kind or (kind is float and type(value) is int)


def lists(kind: Any) -> bool:
    """Whether an option may be repeated."""
    return any(get_origin(one) is list for one in (kind, *get_args(kind)))


def _wanted(kind: Any) -> str:
    """An option's type in words."""
    if get_origin(kind) in (Union, UnionType):
        return _wanted(next(one for one in get_args(kind) if one is not NoneType))
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    return NAMES[get_origin(kind) or kind]
