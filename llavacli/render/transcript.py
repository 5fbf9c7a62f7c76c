"""A kept conversation to read: what the user said behind `>`, pictures by name, the answers as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llavacli.render.text import escaped, placeholder
from llavacli.sessions.records import Attachment

if TYPE_CHECKING:
    from llavacli.sessions.records import Conversation, Turn
    from llavacli.streams import Output

ENDED = {"interrupted": "[interrupted]", "length": "[cut at the longest length]"}


def write_transcript(conversation: Conversation, output: Output) -> None:
    """Write all of it: escaped on a terminal, as it is in a pipe."""
    blocks = [_heading(conversation)]
    if conversation.header.system:
        blocks.append(_quoted(f"[system] {conversation.header.system}"))
    numbers = conversation.numbers()
    for turn in conversation.turns:
        blocks.append("\n".join(_asked(turn, numbers)) if turn.role == "user" else _answered(turn))
    for number, block in enumerate(blocks):
        text = escaped(block) if output.is_terminal else block
        if output.colored and (number == 0 or block.startswith(">")):
            text = f"\x1b[1m{text}\x1b[0m"
        output.write(f"{text}\n" if number == 0 else f"\n{text}\n")


def _heading(conversation: Conversation) -> str:
    begun = f"{conversation.created.astimezone():%Y-%m-%d %H:%M}"
    return f"{conversation.id}  {begun}  {conversation.header.model}"


def _asked(turn: Turn, numbers: Iterator[int]) -> Iterator[str]:
    """The user's words and pictures in order, with the numbers that they had in the chat."""
    for part in turn.parts:
        if isinstance(part, Attachment):
            yield _quoted(f"{placeholder(next(numbers), part.kind)} {part.name}{_measured(part)}")
        elif part.strip():
            yield _quoted(part.strip("\n"))


def _answered(turn: Turn) -> str:
    ended = ENDED.get(turn.finish_reason or "")
    return "\n".join([*([turn.text.strip("\n")] if turn.text else []), *([ended] if ended else [])])


def _measured(attachment: Attachment) -> str:
    """What is known of it: ` (640x480, 268 tokens, marked box:...)`."""
    known = [f"{attachment.width}x{attachment.height}"] if attachment.width and attachment.height else []
    known += [f"{len(attachment.frames)} frames"] if attachment.frames else []
    known += [f"{attachment.tokens} tokens"] if attachment.tokens is not None else []
    known += [f"marked {' '.join(attachment.marks)}"] if attachment.marks else []
    return f" ({', '.join(known)})" if known else ""


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
