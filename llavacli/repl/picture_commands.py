"""Commands about pictures and clips: attach, list, show, mark, take out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.render.text import escaped
from llavacli.repl import album
from llavacli.repl.clipboard import paste
from llavacli.repl.parameters import OFF
from llavacli.repl.patterns import expand
from llavacli.repl.slash import Command, Next, Screen, number_in
from llavacli.repl.turns import Attachment

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation

SHOW = "/show [N] [--as-seen]"
MARK = "/mark [N] SHAPE:COORDS[:COLOUR]...|none"


def _image(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    return _attach(conversation, arguments, screen, clip=False)


def _video(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    return _attach(conversation, arguments, screen, clip=True)


def _attach(conversation: Conversation, arguments: Sequence[str], screen: Screen, *, clip: bool) -> Next:
    """Attach all that is named, or nothing; a captioner answers the first at once."""
    before = list(conversation.pending)
    try:
        new = [conversation.attach(source.name, clip=clip) for source in expand(arguments[0])]
    except BaseException:
        conversation.pending = before
        raise
    for each in new:
        screen.note(each.described)
    return conversation.ask("") if conversation.captions else None


def _images(conversation: Conversation, _: Sequence[str], screen: Screen) -> Next:
    rows = [
        row
        for index, turn in enumerate(conversation.turns, 1)
        for row in _rows(turn.attachments, f"turn {index}" + (", left out" if turn.left_out else ""))
    ]
    rows += _rows(conversation.pending, "next turn")
    if not rows:
        screen.say("no pictures and no clips; /image PATH adds one")
        return None
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    screen.say("\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows))
    return None


def _rows(attachments: Sequence[Attachment], turn: str) -> Iterator[tuple[str, ...]]:
    """Number, name, size, tiles or frames, tokens, turn."""
    for each in attachments:
        seen = each.seen
        size = "" if seen is None else f"{seen.width}x{seen.height}"
        count = "" if seen is None else _count(each)
        tokens = "gone" if each.missing else "" if seen is None else f"{seen.tokens} tokens"
        yield (each.label, escaped(each.source.name, lines=False), size, count, tokens, turn)


def _count(attachment: Attachment) -> str:
    """How much of it the model gets."""
    frames, tiles = getattr(attachment.seen, "frames", None), getattr(attachment.seen, "tiles", 0)
    number, noun = (tiles, "tile") if frames is None else (len(frames), "frame")
    marks = len(getattr(attachment.part, "marks", ()))
    marked = f", {marks} mark{'s' * (marks > 1)}" if marks else ""
    return f"{number} {noun}{'s' * (number != 1)}{marked}"


def _show(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    as_seen = "--as-seen" in arguments
    numbers = [argument for argument in arguments if argument != "--as-seen"]
    if len(numbers) > 1:
        raise UsageError("/show shows one picture at a time", hint=SHOW)
    screen.show(album.numbered(conversation, number_in(numbers[0], SHOW) if numbers else None), as_seen=as_seen)
    return None


def _mark(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    import llavacli_core as core

    first = arguments[0].removeprefix("#")
    numbered = first.isascii() and first.isdigit()
    attachment = album.numbered(conversation, number_in(first, MARK) if numbered else None)
    specs = arguments[1:] if numbered else arguments
    if not specs:
        raise UsageError("/mark needs a mark to draw", hint=MARK)
    off = len(specs) == 1 and specs[0].lower() in OFF
    marks = () if off else tuple(map(core.Mark.parse, specs))
    marked = album.mark(conversation, attachment, marks)
    screen.note(f"{marked.label} is marked {' '.join(map(str, marks))}" if marks else f"{marked.label} has no marks")
    return None


def _paste(conversation: Conversation, _: Sequence[str], screen: Screen) -> Next:
    screen.note(conversation.attach_source(paste()).described)
    return conversation.ask("") if conversation.captions else None


def _drop(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    dropped = album.drop(conversation, number_in(arguments[0], "/drop N"))
    screen.note(f"took {dropped.label} {dropped.source.name} out of the conversation")
    return None


TABLE = (
    Command(
        name="image",
        form="PATH|URL|GLOB...",
        least=1,
        most=1,
        reads="line",
        help="Attach pictures to the next turn.",
        run=_image,
    ),
    Command(
        name="video",
        form="PATH|URL...",
        least=1,
        most=1,
        reads="line",
        help="Attach clips to the next turn.",
        run=_video,
    ),
    Command(name="images", help="List the pictures and clips, and their tokens.", run=_images),
    Command(name="show", form="[N] [--as-seen]", most=2, help="Draw a picture here, or its tiles.", run=_show),
    Command(
        name="mark",
        form="[N] SHAPE:COORDS[:COLOUR]...|none",
        least=1,
        most=None,
        help="Draw marks on a picture.",
        run=_mark,
    ),
    Command(name="paste", help="Attach the picture on the clipboard.", run=_paste),
    Command(name="drop", form="N", least=1, most=1, help="Take a picture or clip out.", run=_drop),
)
