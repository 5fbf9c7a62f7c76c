"""A conversation as a file: JSON that reads back to the same, Markdown in which nothing runs into what follows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llavacli.render.record import line
from llavacli.sessions.document import conversation_in, document
from llavacli.sessions.errors import DocumentError
from llavacli.sessions.export import markdown
from llavacli.sessions.records import Attachment, Conversation, Header, Turn, title_of
from tests.llavacli.kept import answer, conversations

BEGUN = datetime(2026, 11, 21, 10, 11, 12, 345000, tzinfo=UTC)


def conversation(*turns: Turn, header: Header | None = None) -> Conversation:
    header = header or Header(model="org/name", revision="main", system="Be brief.", settings={"seed": 1})
    title = title_of(turns)
    return Conversation(id="20261121-3f9a", title=title, created=BEGUN, updated=BEGUN, header=header, turns=turns)


def asked(*parts: str | Attachment) -> Turn:
    return Turn(role="user", parts=parts, created=BEGUN)


@settings(max_examples=200, deadline=None)
@given(drawn=conversations(), indent=st.sampled_from([None, 2]))
def test_json_reads_back_to_the_same(drawn: tuple[Header, tuple[Turn, ...]], indent: int | None) -> None:
    header, turns = drawn
    whole = conversation(*turns, header=header)
    text = line(document(whole), indent=indent)
    assert conversation_in(text) == whole
    assert conversation_in(text.encode()) == whole  # hence no surrogate stands there by itself
    assert (text.count("\n") == 1) == (indent is None)
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in text.replace("\n", ""))


def test_the_keys_and_their_order() -> None:
    picture = Attachment(kind="image", name="a.png", path="/a.png", sha256="f0", width=4, height=3, tiles=1, tokens=5)
    record = document(conversation(asked(picture, "What?"), answer("A cat.", usage={"prompt_tokens": 7})))
    assert list(record) == ["schema", "id", "title", "created", "updated", "model", "system", "settings", "turns"]
    assert record["schema"] == "llavacli.session/1"
    assert record["created"] == "2026-11-21T10:11:12.345Z"
    assert record["model"] == {"id": "org/name", "revision": "main", "template": None}
    user, assistant = record["turns"]
    assert list(user) == ["role", "created", "parts"]
    assert user["parts"][0]["path"] == "/a.png"
    assert user["parts"][1] == "What?"
    assert list(assistant) == ["role", "created", "parts", "finish_reason", "model", "params", "usage", "timing_ms"]


GOOD = document(conversation(asked(Attachment(kind="image", name="a.png"), "What?"), answer("A cat.")))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["schema"], "llavacli.session/2", "schema is 'llavacli.session/2', not 'llavacli.session/1'"),
        (["schema"], None, "schema must be a string"),
        (["title"], 3, "title must be a string"),
        (["created"], "yesterday", "created must be a time in ISO 8601"),
        (["created"], "0001-01-01T00:00:00+23:59", "created must be a time in ISO 8601"),
        (["model"], "org/name", "model must be an object"),
        (["model", "id"], None, "model.id must be a string"),
        (["settings"], [], "settings must be an object"),
        (["turns"], {}, "turns must be a list"),
        (["turns", 0], "hello", "turns[0] must be an object"),
        (["turns", 0, "role"], "system", "turns[0].role must be user or assistant"),
        (["turns", 0, "parts"], "hello", "turns[0].parts must be a list"),
        (["turns", 0, "parts", 1], 3, "turns[0].parts[1] must be an object"),
        (["turns", 0, "parts", 0, "kind"], "sound", "turns[0].parts[0].kind must be image or video"),
        (["turns", 0, "parts", 0, "width"], 4.5, "turns[0].parts[0].width must be a whole number"),
        (["turns", 0, "parts", 0, "width"], 2**64, "turns[0].parts[0].width must be a whole number"),
        (["turns", 0, "parts", 0, "tokens"], True, "turns[0].parts[0].tokens must be a whole number"),
        (["turns", 0, "parts", 0, "asked_fps"], "1", "turns[0].parts[0].asked_fps must be a number"),
        (["turns", 0, "parts", 0, "marks"], [1], "turns[0].parts[0].marks must be a list of strings"),
        (["turns", 0, "parts", 0, "frames"], [-1], "turns[0].parts[0].frames must be a list of whole numbers"),
        (["turns", 1, "usage"], None, "turns[1].usage must be an object"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: list[Any], value: Any, message: str) -> None:
    bad = json.loads(json.dumps(GOOD))
    inner = bad
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(DocumentError) as caught:
        conversation_in(json.dumps(bad))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "3", "{}", b"\xff\xfe{", "[" * 100_000, '{"schema": NaN}', "1" * 5000]
)
def test_what_is_no_conversation_is_refused(text: str | bytes) -> None:
    with pytest.raises(DocumentError):
        conversation_in(text)


def test_unknown_keys_are_passed_over() -> None:
    assert conversation_in(json.dumps(GOOD | {"later": 1})) == conversation_in(json.dumps(GOOD))


def test_markdown() -> None:
    picture = Attachment(kind="image", name="a [1] *b*.png", path="/p q/caf\udce9 (1)>.png")
    clip = Attachment(kind="video", name="c.mp4", path="https://example.org/c.mp4?a=b c>")
    pasted = Attachment(kind="image", name="clipboard", stored="/data/pictures/f00")
    turns = (
        asked(picture, clip, "What is\n# this?\n"),
        answer("A **cat**.\n\n```python\nprint(1)\n```\n"),
        asked(pasted, Attachment(kind="image", name="gone")),
        answer("```\nleft open", finish_reason="interrupted"),
    )
    assert markdown(conversation(*turns)) == (
        "# What is \\# this?\n\n"
        "- Model: org/name\n- Revision: main\n- Conversation: 20261121-3f9a\n- Begun: 2026-11-21 10:11 UTC\n\n"
        "## System\n\n> Be brief.\n\n"
        "## User\n\n"
        "![a \\[1\\] \\*b\\*.png](<file:///p%20q/caf%E9%20%281%29%3E.png>)\n\n"
        "[c.mp4](<https://example.org/c.mp4?a=b%20c%3E>)\n\n"
        "> What is\n> # this?\n\n"
        "## Assistant\n\nA **cat**.\n\n```python\nprint(1)\n```\n\n"
        "## User\n\n![clipboard](<file:///data/pictures/f00>)\n\ngone\n\n"
        "## Assistant\n\n```\nleft open\n```\n\n*(interrupted)*\n"
    )


FENCES = [
    "```",
    "````",
    "~~~",
    "`",
    "> ",
    "- ",
    "1. ",
    " ",
    "    ",
    "\t",
    "\n",
    "\n\n",
    "\r",
    "a",
    "# x",
    "|",
    "\\",
    "&",
]
HTML = [
    "<!--",
    "-->",
    "<?",
    "?>",
    "<pre>",
    "</pre>",
    "<script",
    "<style>",
    "</STYLE>",
    "<![CDATA[",
    "]]>",
    "<!X",
    "<div>",
]
PIECES = [*FENCES, *HTML, "<div>", "[a]: <", "|", "\\", "&"]


@settings(max_examples=500, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=8), role=st.sampled_from(["user", "assistant"]))
@example(pieces=["<!X"], role="assistant")
@example(pieces=["- ", "```", "\n", "a"], role="assistant")
@example(pieces=["```", "\n", "````"], role="assistant")
@example(pieces=["- ", "a", "\n", " ", " ", "```", "\n", "a"], role="assistant")
@example(pieces=["<", "PRE", ">"], role="assistant")
def test_no_text_swallows_the_next_heading(pieces: list[str], role: str) -> None:
    from markdown_it import MarkdownIt

    text = "".join(pieces)
    said = answer(text) if role == "assistant" else asked(text)
    tokens = MarkdownIt("commonmark").parse(markdown(conversation(said, asked("last"))))
    index = max(index for index, token in enumerate(tokens) if token.content == "last")
    opened = [token.tag for token in tokens[index - 5 : index]]
    assert opened == ["h2", "", "h2", "blockquote", "p"], text
    assert tokens[index - 5].level == 0
    assert tokens[index - 4].content == "User"
