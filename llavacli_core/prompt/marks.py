"""Where a template puts what was typed: the conversation is rendered a second time with a mark for each text.

That rendering, the skeleton, holds what the template itself writes and nothing else. Marks are single private-use
characters, chosen so that they occur nowhere in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llavacli_core.messages import Message, Part

_PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))

Reach = tuple[int, int]  # start and stop, in characters


@dataclass(frozen=True)
class Marked:
    """A conversation whose texts are marks; by mark, the text it stands for and who typed it."""

    messages: tuple[Message, ...]
    texts: dict[str, str]
    roles: dict[str, str]

    def restore(self, skeleton: str) -> tuple[str, list[Reach]]:
        """A rendering with each text back in place of its mark, and where these texts lie in it."""
        pieces: list[str] = []
        reaches: list[Reach] = []
        length = 0
        for piece in re.split(f"([{''.join(self.texts)}])", skeleton) if self.texts else [skeleton]:
            text = self.texts.get(piece)
            if text is not None:
                reaches.append((length, length + len(text)))
            pieces.append(piece if text is None else text)
            length += len(pieces[-1])
        return "".join(pieces), reaches


def mark(messages: Sequence[Message], taken: Iterable[str]) -> Marked:
    """Put a mark, none of the characters `taken`, in place of each text; the white space around a text stays outside.

    So a template that trims texts still finds something to trim, and one that asks whether there is a text finds one.
    """
    marks = unused({*taken, *(letter for message in messages for letter in message.text)})
    texts: dict[str, str] = {}
    roles: dict[str, str] = {}

    def marked(part: Part, role: str) -> Part:
        core = part.strip() if isinstance(part, str) else ""
        if not isinstance(part, str) or not core:
            return part
        sign = next(marks)
        texts[sign], roles[sign] = core, role
        return part.replace(core, sign, 1)

    result = tuple(Message(each.role, [marked(part, each.role) for part in each.parts]) for each in messages)
    return Marked(result, texts, roles)


def unused(taken: set[str]) -> Iterator[str]:
    """Private-use characters that are not `taken`."""
    return (chr(code) for block in _PRIVATE_USE for code in block if chr(code) not in taken)
