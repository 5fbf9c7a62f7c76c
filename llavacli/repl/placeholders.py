"""`[Image #1]` in a turn's text: what stands for a picture or a clip, and how it becomes one again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from llavacli.failures import UsageError

if TYPE_CHECKING:
    import llavacli_core as core

_PLACEHOLDER = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\[(?:image|video) #(\d{1,9})\]", re.S | re.I)


def numbers_in(text: str) -> list[int]:
    """The numbers that the text's placeholders name, in order, each once. What is in `backticks` is no placeholder."""
    return list(dict.fromkeys(int(match[1]) for match in _placeholders(text)))


def words_in(text: str) -> str:
    """The text without its placeholders, and without blanks around it."""
    at, words = 0, ""
    for match in _placeholders(text):
        words, at = words + text[at : match.start()], match.end()
    return (words + text[at:]).strip()


def parts_of(
    text: str,
    attachments: Mapping[int, core.Image | core.Video],
    earlier: Mapping[int, core.Image | core.Video] = MappingProxyType({}),
) -> list[core.Image | core.Video | str]:
    """A turn's text as parts in order, each placeholder as what it names; the number alone decides.

    Of `attachments`, the turn's own, those without a placeholder go first. Those of `earlier` turns are there to be
    named once more. Blanks before the first word, after the last one, and alone between pictures are left out. Raises
    UsageError for a number that neither has.
    """
    known = {**earlier, **attachments}
    _refuse_unknown(numbers_in(text), known)
    parts: list[core.Image | core.Video | str] = []
    at = 0
    for match in _placeholders(text):
        parts += [text[at : match.start()], known[int(match[1])]]
        at = match.end()
    parts.append(text[at:])
    mentioned = numbers_in(text)
    own = [part for number, part in attachments.items() if number not in mentioned]
    return [*own, *_without_blanks(parts)]


def _placeholders(text: str) -> Iterator[re.Match[str]]:
    """The placeholders of a text."""
    return (match for match in _PLACEHOLDER.finditer(text) if match[1] is not None)


def _refuse_unknown(numbers: Collection[int], known: Collection[int]) -> None:
    """Refuse a number that is none of ours."""
    for number in numbers:
        if number not in known:
            have = ", ".join(map(str, sorted(known)))
            raise UsageError(
                f"[Image #{number}]: no picture or clip has that number",
                hint=f"there are: {have}" if have else "there are none yet; /image PATH adds one",
            )


def _without_blanks(
    parts: list[core.Image | core.Video | str],
) -> Iterator[core.Image | core.Video | str]:
    """The parts without those that are blank, and without blanks around all that is said."""
    begun = False
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            yield part
        elif part.strip():
            left = part if begun else part.lstrip()
            yield left if index < len(parts) - 1 else left.rstrip()
            begun = True
