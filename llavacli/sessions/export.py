"""A conversation as Markdown: the answers as they are, pictures as links."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from urllib.parse import quote

from llavacli.sessions.records import Attachment, Conversation, Turn

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")  # CommonMark 0.31, section 4.5
SPECIAL = re.compile(r"([\\`*_\[\]<>#&!~|])")
OPENED = (  # what raw HTML leaves open to the end of the document (section 4.6): its start, its end
    (re.compile(r"<!--"), "-->"),
    (re.compile(r"<\?"), "?>"),
    (re.compile(r"<!\[CDATA\["), "]]>"),
    (re.compile(r"<(script|pre|style|textarea)(?=[\s>]|$)", re.IGNORECASE), "</{}>"),
)


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
    fence = html = None
    for line in re.split(r"\r\n|\r|\n", text):
        match = FENCE.fullmatch(line)
        if html is not None:
            html = None if html.lower() in line.lower() else html
        elif fence is not None:
            ends = match and match[1][0] == fence[0] and len(match[1]) >= len(fence) and not match[2].strip()
            fence = None if ends else fence
        elif match is not None and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
        else:
            html = _left_open(line)
    end = fence or html
    return text if end is None else f"{text}\n{end}"


def _left_open(line: str) -> str | None:
    """What would end the raw HTML that begins with this line, if the line does not end it."""
    if len(line) - len(line.lstrip(" ")) > 3:
        return None
    for start, end in OPENED:
        match = start.match(line.lstrip(" "))
        if match is not None:
            wanted = end.format(*match.groups())
            return None if wanted.lower() in line[match.end() :].lower() else wanted
    return None
