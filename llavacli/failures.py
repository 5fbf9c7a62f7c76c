"""Errors to one line on stderr and an exit code, as the contract of the terminal has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

USAGE, SOME_FAILED, UNREADABLE, BAD_MODEL, TOO_BIG, UNEXPECTED = 2, 3, 4, 5, 6, 1
CANNOT_WRITE, BUSY, READER_GONE = 74, 75, 141

EXIT_CODES = {  # by the code that the record gives the error
    "input_missing": UNREADABLE,
    "input_unreadable": UNREADABLE,
    "input_too_large": UNREADABLE,
    "url": UNREADABLE,
    "model_missing": BAD_MODEL,
    "model_unsupported": BAD_MODEL,
    "model_broken": BAD_MODEL,
    "cannot_write": CANNOT_WRITE,
    "template": BAD_MODEL,
    "too_long": TOO_BIG,
    "out_of_memory": TOO_BIG,
    "option": USAGE,
    "internal": UNEXPECTED,
}


PYDANTICS = {  # what it says of a value, and what we do
    r"Value error, |, unable to (parse string as an? \w+|interpret input)": "",
    r"Input should be a valid integer": "must be a whole number",
    r"Input should be a valid number": "must be a number",
    r"Input should be a valid boolean": "must be true or false",
    r"Input should be greater than or equal to": "must be at least",
    r"Input should be less than or equal to": "must be at most",
}


class UsageError(Exception):
    """The command line, the environment or a config file asks for what cannot be."""

    code = "option"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Failure:
    """What went wrong, for the record and for the line on stderr."""

    code: str
    message: str
    hint: str | None
    of_source: bool = False  # it is about one picture or clip, whatever its code

    @property
    def exit_code(self) -> int:
        """The process's exit code, if nothing else happens."""
        return EXIT_CODES[self.code]

    @property
    def concerns_all(self) -> bool:
        """Whether every other source would meet the same."""
        return self.exit_code in (USAGE, BAD_MODEL) and not self.of_source

    def about(self, title: str) -> Failure:
        """The same, its message headed by the source it is about, if it does not name it itself."""
        heading = title or "''"
        return self if is_about(self.message, heading) else replace(self, message=f"{heading}: {self.message}")

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


def is_about(message: str, name: str) -> bool:
    """Whether a message is headed by a source's name: as it is, or as the core shows it, escaped and shortened."""
    import llavacli_core as core

    return message.startswith((f"{name}: ", f"{core.shown(name)}: "))


def failure(error: BaseException) -> Failure:
    """The core's errors and our own say what they are; all else is a fault of the program."""
    import llavacli_core as core

    code = getattr(error, "code", None)
    if code in EXIT_CODES:
        of_source = isinstance(error, core.errors.InputError)
        hint = getattr(error, "hint", None) or _where_set(getattr(error, "option", None))
        return Failure(code, str(error), hint, of_source)
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "the computer's memory does not suffice", "try a smaller model or picture")
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return Failure("internal", f"unexpected fault: {what}", "run it again with --debug, and report what it prints")


def _where_set(option: str | None) -> str | None:
    """Where an option of the core may have been set: by a flag, in the environment or in a file."""
    if option is None:
        return None
    return f"--{option.replace('_', '-')}, LLAVACLI_{option.upper()} or a config file sets it"


def overall(failures: Sequence[Failure], asked: int) -> int:
    """The exit code of a run: what all failures have in common, if nothing succeeded; else that some failed."""
    codes = {failure.exit_code for failure in failures}
    if not codes:
        return 0
    return codes.pop() if len(failures) == asked and len(codes) == 1 else SOME_FAILED


def folder_is_gone() -> UsageError:
    """The current folder was removed."""
    return UsageError("the current folder is gone", hint="go to one that is there")


def usage_failure(error: Any) -> Failure:
    """A mistake that Typer found in the arguments or the environment, with what may have been meant."""
    context = getattr(error, "ctx", None)
    what = error.message if getattr(error, "possibilities", None) else error.format_message()
    for pattern, words in PYDANTICS.items():
        what = re.sub(pattern, words, what)
    what = what[:1].lower() + what[1:].rstrip(".")
    parameter = getattr(error, "param", None)
    if context is not None and parameter is not None:
        source = context.get_parameter_source(parameter.name)
        if source is not None and source.name == "ENVIRONMENT":
            what += f", in the environment variable {parameter.envvar}"
    if getattr(error, "possibilities", None):
        return Failure("option", what, f"did you mean {error.possibilities[0]}?")
    return Failure("option", what, f"see {context.command_path if context else 'llavacli'} --help")
