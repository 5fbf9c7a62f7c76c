"""Markdown on a terminal: what it looks like, that nothing is lost, and that it comes as early as it can."""

from __future__ import annotations

import re
import time
from collections import Counter

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llavacli.render.cells import cells, painted
from llavacli.render.markdown import MarkdownStream
from llavacli.render.markdown_spans import Spans, Words

SGR = re.compile(r"\x1b\[[0-9;]*m")


def rendered(text: str, width: int = 60, *, color: bool = False) -> str:
    stream = MarkdownStream(lambda: width, color=color)
    return stream.push(text) + stream.finish()


def on_screen(output: str, width: int = 60, height: int = 50) -> list[str]:
    """What a terminal shows of an output."""
    screen = pyte.Screen(width, height)
    pyte.Stream(screen).feed(output.replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\n", "one two\n"),
        ("one\n\n\n\ntwo", "one\n\ntwo\n"),
        ("", ""),
        ("\n\n \n", ""),
        ("one  \ntwo\\\nthree", "one\ntwo\nthree\n"),
        ("# A *b* ##\ntext", "# A *b*\ntext\n"),
        ("#no\n####### no", "#no ####### no\n"),
        ("Title\n===\nmore\n---", "Title\n═════\nmore\n────\n"),
        ("a\n\n---\nb", "a\n\n" + "─" * 60 + "\nb\n"),
        ("* * *", "─" * 60 + "\n"),
        ("- a\n- b\n\n  c\n  + d\n    * e", "• a\n• b\n\n  c\n  ◦ d\n    ▪ e\n"),
        ("1. a\n1. b\n7. c\n\n1) d", "1. a\n2. b\n3. c\n\n1) d\n"),
        ("3. a\n\ntext\n\n5. b", "3. a\n\ntext\n\n5. b\n"),
        ("in\n2020. no list\n- a list", "in 2020. no list\n• a list\n"),
        ("- [ ] a\n- [x] b\n1. [X] c\n- [y] d", "☐ a\n☑ b\n1. ☑ c\n• [y] d\n"),
        ("-\n- a\n-", "•\n• a\n•\n"),
        ("- - a\n  - b", "• ◦ a\n  ◦ b\n"),
        ("> a\nb\n> > c\n>\n> d\n\ne", "│ a b\n│ │ c\n│\n│ d\n\ne\n"),
        ("- > a\n  > b\n", "• │ a b\n"),
        ("```py x\n a\tb\n\n```\n", "```py x\n a  b\n\n```\n"),
        ("~~~\n```\n~~~~\nx", "~~~\n```\n~~~\nx\n"),
        ("- ```\n  a\n   b\n  ```", "• ```\n  a\n   b\n  ```\n"),
        ("> ```\n> a\nb", "│ ```\n│ a\n│ ```\nb\n"),
        ("```a`b``` c", "``a`b`` c\n"),
        ("    a\n\n      b\nc", "    a\n\n      b\nc\n"),
        ("a\n    b", "a b\n"),
        ("<div>\n *a*\n</div>\n\n<b>c</b> *d*", "<div>\n *a*\n</div>\n\n<b>c</b> *d*\n"),
        ("<https://a.b/c_d_e> *f*", "<https://a.b/c_d_e> *f*\n"),
        ("**a *b* c** __d__ ~~e~~ `f`", "**a *b* c** **d** ~~e~~ `f`\n"),
        ("``a ` b`` `` `c` ``", "``a ` b`` `` `c` ``\n"),
        ("2 * 3 * 4, a_b_c, *args, **kw", "2 * 3 * 4, a_b_c, *args, **kw\n"),
        ("\\*a\\* \\_ &amp;&lt; &nosuch;", "*a* _ &< &nosuch;\n"),
        ('[a *b*](http://c "d") ![e](f.png) [g](g)', 'a *b* (http://c "d") e (f.png) g\n'),
        ("[red]x[/red] [/INST] [a][1] [b", "[red]x[/red] [/INST] [a][1] [b\n"),
        ("[1]: http://a", "[1]: http://a\n"),
        ("a\r\nb\r\n\r\n- c\r\n", "a b\n\n• c\n"),
    ],
)
def test_blocks_and_spans(text: str, shown: str) -> None:
    assert rendered(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "| a | b |\n|---|--:|\n| c **d** | 1 |\n| \\| | 234 |\nx",
            "a       │   b\n────────┼────\nc **d** │   1\n|       │ 234\nx\n",
        ),
        ("| a |\n| b |", "| a | | b |\n"),
        ("|a|b|\nno", "|a|b| no\n"),
        ("before\n|a|b|\n|:-:|-|\n|ccc|", "before\n a  │ b\n────┼──\nccc │\n"),
        ("a|b\n-|-\nc|dd\n\ne", "a|b\n──┼───\nc │ dd\n\ne\n"),
        ("|a|\n|-|\n|b|c|", "a │\n──┼──\nb │ c\n"),
        ("> |a|b|\n> |-|-|\n> |c|d|\ne", "│ a │ b\n│ ──┼──\n│ c │ d\ne\n"),
    ],
)
def test_tables(text: str, shown: str) -> None:
    assert "".join(f"{line.rstrip()}\n" for line in rendered(text).splitlines()) == shown


def test_a_table_wraps_its_cells_to_the_width() -> None:
    text = "| name | what it is |\n|--|--|\n| cat | a small animal that sleeps |\n| 猫猫猫猫 | x |"
    lines = [line.rstrip() for line in rendered(text, 22).splitlines()]
    assert lines == [
        "name     │ what it is",
        "─────────┼────────────",
        "cat      │ a small",
        "         │ animal that",
        "         │ sleeps",
        "猫猫猫猫 │ x",
    ]


def test_a_table_too_wide_is_listed() -> None:
    lines = rendered("| name | age |\n|--|--|\n| Anna | 31 |", 8).splitlines()
    assert lines == ["name:", "Anna", "age: 31", "────────"]


def test_styles() -> None:
    assert rendered("**a** *b* `c` ~~d~~ [e](f)", color=True) == (
        "\x1b[1ma\x1b[0m \x1b[3mb\x1b[0m \x1b[36mc\x1b[0m \x1b[9md\x1b[0m \x1b[4me\x1b[0m \x1b[2m(f)\x1b[0m\n"
    )
    assert rendered("**a *b***", color=True) == "\x1b[1ma\x1b[0m \x1b[1;3mb\x1b[0m\n"
    assert rendered("# a *b*", color=True) == "\x1b[1;35ma\x1b[0m \x1b[1;35;3mb\x1b[0m\n"


def test_code_is_highlighted_across_lines() -> None:
    shown = rendered('```python\nx = """a\nimport b\n"""\nimport c\n```', color=True).splitlines()
    assert shown[2].startswith("\x1b[32m")  # within a string, though it could be an import
    assert "\x1b[35mimport" in shown[4]
    assert SGR.sub("", "\n".join(shown)) == '```python\nx = """a\nimport b\n"""\nimport c\n```'
    assert "\x1b[3" not in rendered("```no-such-language\nimport c\n```", color=True)


def test_a_word_comes_with_the_space_after_it() -> None:
    stream = MarkdownStream(lambda: 40, color=False)
    assert [stream.push(piece) for piece in ("A c", "at", " ", "sits", ", he", "re.", "\n")] == [
        "A", "", " cat", "", " sits,", "", " here.",
    ]  # fmt: skip
    assert stream.finish() == "\n"


def test_markup_is_held_back_only_until_it_is_certain() -> None:
    stream = MarkdownStream(lambda: 40, color=True)
    assert stream.push("So **very good** is ") == "So \x1b[1mvery\x1b[0m \x1b[1mgood\x1b[0m is"
    assert stream.push("5 * 3 = ") == " 5 * 3 ="
    assert stream.push("15 `a b") == " 15"
    assert stream.push("` c ") == " \x1b[36ma\x1b[0m \x1b[36mb\x1b[0m c"
    assert stream.push("*never closed and so ") == ""
    assert stream.push("\n\n").lstrip().startswith("*never")


def test_markup_that_does_not_close_does_not_hold_back_for_ever() -> None:
    stream = MarkdownStream(lambda: 40, color=True)
    assert stream.push("*a " + "word " * 300).count("word") > 150


def test_characters_without_spaces_come_one_by_one_and_wrap() -> None:
    stream = MarkdownStream(lambda: 10, color=False)
    assert stream.push("猫坐在") == "猫坐"
    assert stream.push("垫子上。好") == "在垫子\n上。"
    assert stream.finish() == "好\n"


def test_code_comes_line_by_line_and_a_table_at_its_end() -> None:
    stream = MarkdownStream(lambda: 40, color=False)
    assert stream.push("```\na\nb") == "```\na\n"
    assert stream.push("\n```\n") == "b\n```\n"
    assert stream.push("| a |\n|---|\n| b |\n") == ""
    assert stream.push("\n") == "a\n─\nb\n"


def test_the_width_is_asked_for_at_every_line() -> None:
    widths = iter([20, 20, 10, 10, 10, 10, 30, 30, 30])
    lines = MarkdownStream(lambda: next(widths, 30), color=False).push("word " * 30).splitlines()
    assert len({len(line) for line in lines[:-1]}) > 1
    assert rendered("word " * 30, width=0) == rendered("word " * 30, width=80)


def test_a_terminal_that_is_resized_keeps_every_line() -> None:
    """Words are put where the terminal has room for them, before and after its width changes."""
    screen, width = pyte.Screen(40, 60), 40
    terminal = pyte.Stream(screen)
    stream = MarkdownStream(lambda: width, color=True)
    text = "# Title\n\n" + "Some **bold words** here, and `code`. " * 9 + "\n\n- item one two three four five six\n"
    for at, piece in enumerate(re.findall(r"\S+\s*", text)):
        terminal.feed(stream.push(piece).replace("\n", "\r\n"))
        if at == 30:
            width = 25
    terminal.feed(stream.finish().replace("\n", "\r\n"))
    lines = [line.rstrip() for line in screen.display]
    assert " ".join(lines).split() == re.sub(r"[*`#]|^- ", "", text).replace("\n- ", " • ").split()
    narrow = next(at for at, line in enumerate(lines[2:], 2) if len(line) <= 25)
    assert all(len(line) > 25 for line in lines[2:narrow])
    assert all(len(line) <= 25 for line in lines[narrow:])
    assert screen.buffer[0][0].bold
    assert not screen.buffer[2][0].bold


def test_a_word_longer_than_the_line_stays_whole_and_is_not_waited_for() -> None:
    url = "https://example.org/" + "x" * 3000
    stream = MarkdownStream(lambda: 30, color=False)
    assert stream.push(f"see {url}").endswith("x")
    assert f"see\n{url}\nit" in rendered(f"see {url} it", 30)
    assert f"\n{url}\n" in rendered(f"- see {url} it", 30)


def test_what_steers_a_terminal_is_shown() -> None:
    text = (
        "\x1b[2J *a\x9b\u202e* `\x1b]0;x\x07`\n\n```\x1b\n\x1b[1m\r\n\x08\n```\n\n"
        "| \x1b | b |\n|-|-|\n| &#155; | \u2066 |\n\n<b \x1b>"
    )
    for color in (True, False):
        shown = SGR.sub("", rendered(text, color=color))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]", shown)
        assert shown.count("\\x1b") == 6


WORDS = (
    "word longer-word. 猫 好的。 😀 👍🏽 é http://x.y_z supercalifragilisticexpialidociousness "
    "\\ \\* & &amp; * ** *** _ __ ~~ ` `` ``` ~~~ [ ] ]( ) ![ < <b> > > | |- -|- --- === # ## - + 1. 2) [ ] [x]"
)
SPANS = "word 猫 。 , . ( ) é * ** *** _ __ ~~ ` `` [ ] ]( ![ ![b]( (c) \\ \\* &amp; < b_c d*e **f** `g`"
BETWEEN = [
    "\n",
    "\n\n",
    " ",
    "  ",
    "    ",
    "\t",
    "\r\n",
    "\r",
    "\x1b[2J",
    "- ",
    "> ",
    "1. ",
    "```py\n",
    "\n| ",
    " |\n|-|-",
]
TEXT = st.lists(
    st.one_of(st.sampled_from(WORDS.split()), st.sampled_from(BETWEEN), st.text(max_size=3)), max_size=40
).map("".join)


@given(TEXT, st.data(), st.integers(1, 40), st.booleans())
@settings(max_examples=300, deadline=None)
@example(text="a\r", data=None, width=20, color=False)
def test_how_an_answer_was_split_changes_nothing(
    text: str, data: st.DataObject | None, width: int, color: bool
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12))) if data else list(range(len(text)))
    stream = MarkdownStream(lambda: width, color=color)
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    shown = "".join(map(stream.push, pieces)) + stream.finish()
    assert shown == rendered(text, width, color=color)
    assert not SGR.sub("", shown).count("\x1b")
    assert not shown or shown.endswith("\n")


@given(TEXT, st.integers(12, 60), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_line_is_wider_than_the_terminal(text: str, width: int, color: bool) -> None:
    for line in SGR.sub("", rendered(text, width, color=color)).splitlines():
        assert cells(line) <= width or " " not in line.strip(" │"), line


@pytest.mark.parametrize(("text", "lines"), [("wordword`  word`", ["wordword", " word"]), ("a `b  c` d", ["a b  c d"])])
def test_spaces_in_code_may_break_and_are_kept(text: str, lines: list[str]) -> None:
    assert SGR.sub("", rendered(text, 12, color=True)).splitlines() == lines


@given(TEXT.filter(lambda text: not re.search(r"&|\[x\]|\t|[0-9]", text)), st.integers(4, 60), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_letter_is_lost(text: str, width: int, color: bool) -> None:
    def letters(shown: str) -> Counter[str]:
        return Counter(character for character in shown if character.isalpha())

    lost = letters(text) - letters(SGR.sub("", rendered(text, width, color=color)))
    assert not lost


@given(st.lists(st.sampled_from(SPANS.split()) | st.just(" "), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_words_are_styled_as_if_the_paragraph_were_read_at_once(text: str) -> None:
    sink = Words()
    Spans(color=True).write(f"a {text.strip()}", sink)
    whole = " ".join("".join(painted(shown, style) for shown, style in word) for word in sink.words)
    assert styled(rendered(f"a {text}", 10_000, color=True)) == styled(whole)


def styled(output: str) -> list[tuple[str, str]]:
    """Every character of the words in its style, and a space between words."""
    found: list[tuple[str, str]] = []
    style = ""
    for sgr, space, character in re.findall(r"\x1b\[([0-9;]*)m|(\s+)|(.)", output.strip()):
        if character:
            found.append((character, style))
        elif space:
            found.append((" ", ""))
        else:
            style = "" if sgr == "0" else sgr
    return found


@given(st.text("ab -*_`>#1.|\n", max_size=60))
@settings(max_examples=300, deadline=None)
def test_markup_alone_breaks_nothing(text: str) -> None:
    shown = rendered(text, 20)
    assert shown.count("a") >= text.count("a")
    assert "".join(map(str.strip, on_screen(shown, 20, 100))).count("b") >= text.count("b")


REPEATED = [
    *("word " * 200, "x" * 1000, "*a_b" * 250, "[" * 1000, "`" * 1000, "a\\" * 500, "猫" * 1000, "    \n" * 200),
    *("- " * 500, "> " * 500, "1. a\n" * 200, "-" * 1000, "|a|b|\n" * 150, "|a|b|\n|-|-|\n" + "|c|*d*|\n" * 120),
    "```py\n" + "x = 'a' # b\n" * 80,
]


@pytest.mark.parametrize("text", REPEATED, ids=lambda text: repr(text[:8]))
@pytest.mark.parametrize("size", [1, 10_000])
def test_time_grows_with_the_text_alone(text: str, size: int) -> None:
    def seconds(times: int) -> float:
        stream = MarkdownStream(lambda: 80, color=True)
        whole = text * times
        start = time.process_time()
        for at in range(0, len(whole), size):
            stream.push(whole[at : at + size])
        stream.finish()
        return time.process_time() - start

    seconds(1)
    assert seconds(80) < 30 * max(seconds(10), 0.02)  # eight times as much; a square would be sixty-four
