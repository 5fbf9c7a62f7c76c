"""A conversation as Markdown: the answers as they are, pictures as links."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from llavacli.sessions.records import Attachment, Conversation, Turn

if TYPE_CHECKING:
    from markdown_it.token import Token

SPECIAL = re.compile(r"([\\`*_\[\]<>#&!~|])")
SENTINEL = "the next block"
# What ends each kind of raw HTML that would else go on to the end of the document (CommonMark 0.31, section 4.6).
ENDS_OF_HTML = ("-->", "?>", "]]>", "</pre>", "</script>", "</style>", "</textarea>", ">")


def markdown(conversation: Conversation) -> str:
    """The whole conversation. What the user wrote is quoted, hence it cannot run into what follows."""
    header = conversation.header
    blocks = [f"# {_plain(conversation.title) or 'Conversation'}"]
    facts = [("Model", header.model), ("Revision", header.revision), ("Conversation", conversation.id)]
    facts.append(("Begun", f"{conversation.created:%Y-%m-%d %H:%M} UTC"))
    blocks.append("\n".join(f"- {name}: {_plain(value)}" for name, value in facts if value))
    if header.system:
        blocks += ["## System", _quoted(header.system)]
    for turn in conversation.turns:
        blocks += _asked(turn) if turn.role == "user" else _answered(turn)
    return "\n\n".join(blocks) + "\n"


def _asked(turn: Turn) -> list[str]:
    blocks = ["## User"]
    for part in turn.parts:
        if isinstance(part, Attachment):
            blocks.append(_link(part))
        elif part.strip():
            blocks.append(_quoted(part))
    return blocks


def _answered(turn: Turn) -> list[str]:
    blocks = ["## Assistant"]
    if turn.text.strip():
        blocks.append(_closed(turn.text.strip("\n")))
    if turn.finish_reason in ("interrupted", "length"):
        blocks.append("*(interrupted)*" if turn.finish_reason == "interrupted" else "*(cut at the longest length)*")
    return blocks


def _link(attachment: Attachment) -> str:
    """A picture shown, a clip linked to; one without a source is named."""
    name = _plain(attachment.name)
    if attachment.source is None:
        return name
    return f"{'!' if attachment.kind == 'image' else ''}[{name}](<{_target(attachment.source)}>)"


def _target(source: str) -> str:
    """A path or URL as a URL that holds nothing that ends a link."""
    if re.match(r"https?://", source, re.IGNORECASE):
        return quote(source, safe="!#$%&'()*+,/:;=?@[]~", errors="surrogatepass")
    try:
        return PurePath(source).as_uri()
    except (UnicodeEncodeError, ValueError):  # surrogates that are no byte of a name; a path that is not absolute
        return quote(source.replace(os.sep, "/"), errors="surrogatepass")


def _plain(text: str) -> str:
    """One line in which nothing is Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in re.split(r"\r\n|\r|\n", text.strip("\r\n")))


def _closed(text: str) -> str:
    """The text, and what ends a code block or raw HTML that it leaves open."""
    last = _last_block(text)
    if last.content == SENTINEL:
        return text
    ends = [last.markup] if last.type == "fence" else ENDS_OF_HTML
    return next((whole for end in ends if _last_block(whole := f"{text}\n{end}").content == SENTINEL), _quoted(text))


def _last_block(text: str) -> Token:
    """What a reader takes a paragraph after this text for: part of a block that was left open, or itself."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(f"{text}\n\n{SENTINEL}\n")
    return next(token for token in reversed(tokens) if SENTINEL in token.content)
