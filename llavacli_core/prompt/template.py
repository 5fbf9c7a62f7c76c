"""Prompt templates: the checkpoint's own, or one of the dialects in `templates/`; and their rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import jinja2

from llavacli_core.errors import BrokenModel, TemplateError
from llavacli_core.messages import Image, Message
from llavacli_core.prompt.files import PULL_AGAIN, read_json, read_text
from llavacli_core.prompt.sandbox import ALLOWANCE, Allowance, Sandbox

CUSTOM = "custom"
BUILT_IN = "built-in"


@dataclass(frozen=True)
class Template:
    """A Jinja chat template: its text, its name (a dialect, or "custom") and the file it comes from."""

    source: str
    name: str
    origin: str

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Template:
        """A template that the user brings."""
        source = read_text(Path(path))
        if source is None:
            choices = ", ".join(builtin_names())
            raise TemplateError(f"{path}: no such template", hint=f"give a Jinja file, or one of {choices}")
        return cls(source, CUSTOM, str(path))

    def __str__(self) -> str:
        return f"the prompt template {self.name} ({self.origin})"

    @cached_property
    def _compiled(self) -> jinja2.Template:
        return Sandbox().from_string(self.source)

    def render(
        self, messages: Sequence[Message], special_tokens: Mapping[str, str], *, add_generation_prompt: bool = True
    ) -> str:
        """The prompt's text; each picture or video is one placeholder where the template puts it."""
        plain = [_plain(message) for message in messages]
        return self.fill(plain, {**special_tokens, "add_generation_prompt": add_generation_prompt})

    def fill(self, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> str:
        """What it makes of messages as they are, and of whatever else it is told."""
        nothing = {"tools": None, "documents": None}
        try:
            return self._compiled.render({**nothing, **variables, "messages": messages, ALLOWANCE: Allowance()})
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                f"{self} is not valid Jinja: {_one_line(error)}, line {error.lineno}",
                hint="repair the checkpoint's template, or put a chat_template.jinja beside its config.json",
            ) from error
        except Exception as error:  # a template is a program: it may fail in any way Python can
            raise TemplateError(
                f"{self} fails on these messages: {_one_line(error)}",
                hint="it decides which roles it takes and in which order; try without a system prompt",
            ) from error


def find_template(folder: Path) -> Template | None:
    """The checkpoint's own template, or None.

    Of several the most trusted: a file of its own, then the processor's, last the tokenizer's, which may be the
    text-only one of the language model that the checkpoint was built on.
    """
    if source := read_text(folder / "chat_template.jinja"):
        return Template(source, CUSTOM, "chat_template.jinja")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        if source := _default(read_json(folder / name).get("chat_template"), folder / name):
            return Template(source, CUSTOM, name)
    return None


def builtin(name: str) -> Template:
    """The dialect `name`, for a checkpoint that brings no template."""
    source = read_text(_builtin_folder() / f"{name}.jinja") if name in builtin_names() else None
    if source is None:
        raise TemplateError(
            f"no prompt template is called {name!r}", hint=f"choose one of {', '.join(builtin_names())}"
        )
    return Template(source, name, BUILT_IN)


def builtin_names() -> tuple[str, ...]:
    """The dialects there are, in alphabetical order."""
    return tuple(sorted(path.stem for path in _builtin_folder().glob("*.jinja")))


def identify(template: Template) -> str:
    """The name of the dialect that writes the same prompts as `template`, or "custom"."""
    written = _probe(template)
    if written is None:
        return CUSTOM
    return next((name for name in builtin_names() if _probe(builtin(name)) == written), CUSTOM)


def _plain(message: Message) -> dict[str, Any]:
    """A message in the form that templates expect; pictures are named, not handed over."""
    content: list[dict[str, str]] = []
    for part in message.parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": str(part)})
        else:
            content.append({"type": "image" if isinstance(part, Image) else "video"})
    return {"role": message.role, "content": content}


def _default(value: Any, path: Path) -> str | None:
    """The default one of a file's templates: a string, `[{"name", "template"}]`, or an object of them by name."""
    if isinstance(value, list):
        value = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
    if isinstance(value, dict):
        value = value.get("default")
    if value is not None and not isinstance(value, str):
        raise BrokenModel(f"{path}: chat_template is not text", hint=PULL_AGAIN)
    return value


def _builtin_folder() -> Path:
    """`templates/`: inside the package in a wheel, at the root of a repository."""
    package = Path(__file__).parent.parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def _probe(template: Template) -> list[str] | None:
    """What a template makes of a few conversations that dialects differ on; None when it refuses one."""
    picture, question, answer = Image(b""), Message("user", "How many?"), Message("assistant", "Two.")
    system, seen = Message("system", "Be brief."), Message("user", [picture, "What is this?"])
    several = Message("user", [picture, "Left", picture, "or right?"])
    conversations = ([seen], [question], [seen, answer, question], [system, question, answer, several])
    try:
        return [template.render(conversation, {}) for conversation in conversations]
    except TemplateError:
        return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
