"""What a text names is attached, and a label stands for it from then on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llavacli.failures import Failure
from llavacli.repl.attachments import find

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation


class NotThere(Exception):
    """Something in a text looks like a picture or a clip and cannot be had."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code, self.hint = failure.code, failure.hint


def attached(text: str, conversation: Conversation, tell: Callable[[str], None], *, pasted: bool) -> str:
    """Attach what a text names, `tell` of each, and give the text with a label in the place of each name.

    Raises NotThere, and what `Conversation.attach` raises; then nothing stays attached.
    """
    found = find(text, pasted=pasted)
    for problem in found.problems:
        raise NotThere(problem.failure)
    before = list(conversation.pending)
    try:
        new = [conversation.attach(each.source) for each in found.attachments]
    except BaseException:
        conversation.pending = before
        raise
    for each in new:
        tell(each.described)
    for hint in found.hints:
        tell(hint)
    return found.text([each.label for each in new])
