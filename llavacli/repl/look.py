"""How a chat on a terminal looks."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Look:
    """Answers as Markdown or as they are, for eyes or for ears, and whether what is typed is remembered."""

    markdown: bool = True
    accessible: bool = False
    history: bool = True

    @property
    def by_line(self) -> bool:
        """Whether the terminal itself edits the line: where nobody sees the cursor move, or it cannot."""
        return self.accessible or os.environ.get("TERM") == "dumb"
