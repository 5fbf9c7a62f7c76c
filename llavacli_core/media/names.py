"""Names of pictures as error messages show them: on one line, in printable characters, not too long."""

from __future__ import annotations

LONGEST = 200


def shown(name: str) -> str:
    """`name` with control characters and undecodable bytes escaped, and its middle left out where it is very long."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
