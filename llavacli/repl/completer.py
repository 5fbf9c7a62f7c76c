"""What Tab offers: commands, settings and their values, models, attachments, paths."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llavacli.completion import mark_shapes
from llavacli.render.text import escaped

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

PATH_COMMANDS = ("image", "video", "save", "load", "export")
_SPECIAL = re.compile(r"[\s\\'\"()\[\]{}$&;*?!`<>|#]")
_PATH_IN_TEXT = ("@", "./", "../", "~/", "/")


@dataclass(frozen=True)
class Offer:
    """A completion: what takes the place of the text from `start` on, and a word about it."""

    text: str
    start: int
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What there is to complete from, asked anew each time."""

    commands: Mapping[str, str]  # name, without its slash -> one line of help
    settings: Callable[[], Mapping[str, str]]  # name -> present value
    models: Callable[[str], list[str]]  # from the beginning of a name
    attachments: Callable[[], Mapping[int, str]]  # number -> name


@dataclass(frozen=True)
class Word:
    """The last word of a line: where it begins, what it means without quotes and escapes, and its open quote."""

    start: int
    value: str
    quote: str


def offers(line: str, known: Known) -> Iterator[Offer]:
    """The completions of a line that ends at the cursor."""
    if not line.startswith("/") or line.startswith("//"):
        yield from _in_text(line)
        return
    name, blank, _ = line[1:].partition(" ")
    if not blank:
        yield from _named(known.commands, line[1:], 1)
        if "/" in line[1:]:
            yield from _in_text(line)  # a path from the root
        return
    word = last_word(line)
    number = len(line[: word.start].split())
    if name == "set":
        yield from _setting(line, word, number, known)
    elif name == "model":
        yield from (Offer(model, word.start) for model in known.models(word.value))
        yield from _paths(word)
    elif name in ("drop", "show"):
        yield from _numbers(word, known)
    elif name == "mark":
        yield from _numbers(word, known) if number == 1 else ()
        yield from (Offer(shape, word.start) for shape in mark_shapes(word.value))
    elif name == "help":
        yield from _named(known.commands, word.value.removeprefix("/"), word.start)
    elif name == "export" and number == 1:
        yield from _named({"md": "Markdown", "json": "JSON"}, word.value, word.start)
    elif name in PATH_COMMANDS:
        yield from _paths(word)


def last_word(line: str) -> Word:
    """The word at the end of a line, by the shell's rules for quotes and backslashes."""
    start, value, quote, escape = len(line), "", "", False
    inside = False
    for index, character in enumerate(line):
        if not inside and not character.isspace():
            start, value, inside = index, "", True
        if escape:
            value, escape = value + character, False
        elif character == "\\" and quote != "'":
            escape = True
        elif quote:
            quote, value = ("", value) if character == quote else (quote, value + character)
        elif character in "'\"":
            quote = character
        elif character.isspace():
            inside = False
        else:
            value += character
    return Word(start, value, quote) if inside else Word(len(line), "", "")


def _named(names: Mapping[str, str], begun: str, start: int) -> Iterator[Offer]:
    """The names that begin so."""
    return (Offer(name, start, about) for name, about in names.items() if name.startswith(begun))


def _numbers(word: Word, known: Known) -> Iterator[Offer]:
    """Those of the attachments, with their names."""
    return _named({str(each): name for each, name in known.attachments().items()}, word.value, word.start)


def _setting(line: str, word: Word, number: int, known: Known) -> Iterator[Offer]:
    """`/set NAME VALUE`: a name with its present value, or values to begin with."""
    settings = known.settings()
    if number == 1:
        yield from _named(settings, word.value, word.start)
    elif number == 2 and (name := line.split()[1]) in settings:
        yield from _named({settings[name]: "as it is", "none": "the default"}, word.value, word.start)


def _in_text(line: str) -> Iterator[Offer]:
    """A path within what is said: `@` or the beginning of a path marks it."""
    word = last_word(line)
    if word.value.startswith("@"):
        yield from _paths(Word(word.start, word.value[1:], word.quote), sign="@")
    elif word.value.startswith(_PATH_IN_TEXT):
        yield from _paths(word)


def _paths(word: Word, sign: str = "") -> Iterator[Offer]:
    """Files and folders that begin like the word; hidden ones only if it begins with a dot."""
    folder, _, begun = word.value.rpartition("/")
    prefix = f"{folder}/" if "/" in word.value else ""
    try:
        entries = sorted(os.scandir(os.path.expanduser(prefix) or "."), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    for entry in entries:
        if entry.name.startswith(begun) and (begun.startswith(".") or not entry.name.startswith(".")):
            path = prefix + entry.name + ("/" if entry.is_dir() else "")
            yield Offer(_quoted(sign + path, word.quote), word.start)


def _quoted(path: str, quote: str) -> str:
    """A path as it was begun: within the open quote, else with backslashes before what is special."""
    if quote:
        closing = "" if path.endswith("/") or quote in path else quote
        return f"{quote}{path}{closing}"
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", path)


def completer(known: Known) -> Completer:
    """The completions, as prompt-toolkit wants them."""
    from prompt_toolkit.completion import Completer, Completion

    class ChatCompleter(Completer):
        """Offers for the text before the cursor."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            """See `offers`."""
            line = document.text_before_cursor
            for offer in offers(line, known):
                shown, about = escaped(offer.text, lines=False), escaped(offer.about, lines=False)
                yield Completion(offer.text, offer.start - len(line), display=shown, display_meta=about)

    return ChatCompleter()
