"""From what was typed, and what is attached, to a turn that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llavacli.failures import UsageError
from llavacli.options import GenerationOptions
from llavacli.repl.placeholders import numbers_in, parts_of, words_in
from llavacli.repl.turns import Attachment, Turn
from llavacli.request import IMAGE_PROMPT, VIDEO_PROMPT, Question, question_of


def composed(
    text: str,
    pending: Sequence[Attachment],
    known: Sequence[Attachment],
    generation: GenerationOptions,
    *,
    captions: bool,
) -> Turn:
    """The turn that these words and the pending attachments make; they may name any of those `known`.

    Attachments without words are asked the usual prompt; a model that `captions` takes the first of them alone.
    """
    if captions:
        refuse_words(words_in(text), generation.system)
        text, pending = "", pending[:1]
    elif pending and not words_in(text):
        clips = all(each.source.is_clip for each in pending)
        text = f"{text} {generation.prompt or (VIDEO_PROMPT if clips else IMAGE_PROMPT)}".lstrip()
    if not text and not pending:
        raise UsageError("there is nothing to send", hint="type a question, or attach a picture: /image PATH")
    return turn_of(text, pending, known, generation)


def turn_of(
    text: str, attachments: Sequence[Attachment], known: Sequence[Attachment], generation: GenerationOptions
) -> Turn:
    """A turn of its own attachments, and of those that its words name once more."""
    numbers = [each.number for each in attachments]
    again = [each for each in known if each.number in set(numbers_in(text)).difference(numbers)]
    shown = {each.number: each for each in (*attachments, *again)}
    parts = parts_of(text, {number: each.part for number, each in shown.items() if not each.missing})
    return Turn(text=text, attachments=tuple(shown.values()), parts=tuple(parts), question=question(text, generation))


def question(text: str, generation: GenerationOptions) -> Question:
    """How words are asked: by the settings as they are now, with a seed of its own."""
    return question_of(replace(generation, prompt=text or None), ())


def refuse_words(text: str, system: str | None) -> None:
    """Refuse words for a captioner."""
    if text:
        raise UsageError("this model writes captions without a prompt", hint="give it a picture alone")
    if system is not None:
        raise UsageError("this model writes captions, and takes no system prompt", hint="/system none removes it")
