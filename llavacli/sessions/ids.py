"""Ids of conversations: the day and four digits for the time of day, e.g. `20261121-3f9a`; they sort by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches

from llavacli.sessions.errors import UnknownSession

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's 32: none that is taken for another
MISREAD = str.maketrans("ilo", "110")
TICKS = 12  # per second: as fine as four digits allow


def ids_from(moment: datetime) -> Iterator[str]:
    """The id of a moment in UTC, then the ones after it, should it be taken."""
    tick = ((moment.hour * 60 + moment.minute) * 60 + moment.second) * TICKS + moment.microsecond * TICKS // 1_000_000
    while True:
        yield f"{moment:%Y%m%d}-" + "".join(DIGITS[tick >> shift & 31] for shift in (15, 10, 5, 0))
        tick = (tick + 1) % 32**4


def found(text: str, ids: Sequence[str]) -> str:
    """The one id that `text` begins, or whose digits after the day it begins. Raises UnknownSession."""
    if not ids:
        raise UnknownSession("no conversations are kept", hint="llavacli chat begins one")
    wanted = text.lower().translate(MISREAD)
    if wanted in ids:
        return wanted
    matching = [each for each in ids if each.startswith(wanted)]
    matching = matching or [each for each in ids if each.partition("-")[2].startswith(wanted)]
    if not text or not matching:
        close = get_close_matches(wanted, ids, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else "llavacli sessions ls lists them"
        raise UnknownSession(f"no conversation {text!r}" if text else "a conversation's id is empty", hint=hint)
    if len(matching) > 1:
        listed = ", ".join(sorted(matching)[-5:])
        raise UnknownSession(f"{len(matching)} conversations begin with {text!r}", hint=f"among them {listed}")
    return matching[0]
