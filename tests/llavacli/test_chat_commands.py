"""The slash commands, each at least once and with a wrong argument too, through the loop that needs no terminal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llavacli.failures import UsageError
from llavacli.repl.commands import BY_NAME, TABLE, command_in, is_command, words_in
from tests.llavacli.running import Result
from tests.llavacli.talking import SHAPES, WIDE

Say = Callable[..., "Result[bytes]"]
COUNT = "How many shapes are there?"


def lines(*typed: str) -> bytes:
    return "".join(f"{line}\n" for line in typed).encode()


def errors(result: Result[bytes]) -> list[str]:
    told = result.stderr.decode().splitlines()
    return [line.removeprefix("llavacli: error: ") for line in told if line.startswith("llavacli: error: ")]


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("/undo", "undo", []),
        ("/undo  2 ", "undo", ["2"]),
        ("/UNDO 2", "undo", ["2"]),
        ("/exit", "quit", []),
        ("/export md 'my file.md'", "export", ["md", "my file.md"]),
        ("/system Don't shout.", "system", ["Don't shout."]),
        ("/system 'Be brief.'", "system", ["Be brief."]),
        ("/system 'One' and 'two'", "system", ["'One' and 'two'"]),
        ("/edit several\nlines", "edit", ["several\nlines"]),
        (r"/image my\ cat.jpg 'other cat.png'", "image", [r"my\ cat.jpg 'other cat.png'"]),
    ],
)
def test_a_line_is_a_command_and_its_arguments(line: str, name: str, arguments: list[str]) -> None:
    found = command_in(line)
    assert found is not None
    assert (found[0].name, list(found[1])) == (name, arguments)


@pytest.mark.parametrize("line", ["hello", "//undo", " /undo", "/home/me/cat.jpg what is this?", "/usr", "", "1/2"])
def test_a_line_is_words(line: str) -> None:
    assert not is_command(line)


def test_two_slashes_say_one() -> None:
    assert [words_in(line) for line in ("//undo", "hello // you")] == ["/undo", "hello // you"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/imgae x", "did you mean /image?"),
        ("/", "/help lists them; //x sends /x"),
        ("/frobnicate", "/help lists them; //x sends /x"),
        ("/retry now", "/retry"),
        ("/drop", "/drop N"),
        ("/export 'md", "/export md|json [FILE]"),
        ("/undo 1 2", "/undo [N]"),
    ],
)
def test_a_wrong_line_shows_the_right_form(line: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        command_in(line)
    assert refused.value.hint == hint
    assert is_command(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/image nope.png", "nope.png"),
        ("/image", "/image PATH|URL|GLOB..."),
        ("/video nope.mp4", "nope.mp4"),
        ("/images all", "/images takes no arguments (hint: /images)"),
        ("/show 9", "no picture or clip has number 9"),
        ("/show one", "'one' is no number (hint: /show [N] [--as-seen])"),
        ("/show", "there is no picture and no clip (hint: /image PATH adds one)"),
        ("/mark box:1,1,2,2", "there is no picture"),
        ("/mark", "/mark needs an argument (hint: /mark [N] SHAPE:COORDS[:COLOUR]...|none)"),
        ("/undo 1 2", "/undo takes fewer arguments (hint: /undo [N])"),
        ("/undo -1", "numbers begin with 1 here, not -1"),
        ("/paste it", "/paste takes no arguments"),
        ("/drop 1", "no picture or clip has number 1"),
        ("/drop x", "'x' is no number (hint: /drop N)"),
        ("/retry", "there is no turn to ask again"),
        ("/undo", "there is no turn to take back"),
        ("/undo 0", "numbers begin with 1 here, not 0 (hint: /undo [N])"),
        ("/edit", "there is no turn to edit"),
        ("/edit other words", "there is no turn to edit"),
        ("/continue", "there is no turn to continue"),
        ("/set heat 1", "no such setting: heat"),
        ("/set heat", "no such setting: heat"),
        ("/set temperatur 1", "did you mean temperature?"),
        ("/set temperature hot", "temperature must be a number, not 'hot' (hint: e.g. /set temperature 0.7)"),
        ("/set top-p 2", "top_p must be above 0 and at most 1, not 2"),
        ("/set context never", "context is error or drop-oldest"),
        ("/prompt", "the model has been asked nothing yet"),
        ("/prompt --tokens", "/prompt knows no '--tokens'"),
        ("/stats", "nothing has been answered yet"),
        ("/save", "nothing of this conversation is kept yet"),
        ("/save some.json", "there is nothing to write yet"),
        ("/load 20200101-zzzz", "no conversations are kept"),
        ("/load", "/load ID|FILE"),
        ("/load a.png", "not valid JSON"),
        ("/export pdf", "'pdf' is no form to export to"),
        ("/export md", "there is nothing to write yet"),
        ("/clear all", "/clear takes no arguments"),
        ("/copy", "there is no answer to copy"),
        ("/help me", "no such command: /me"),
        ("/quit now", "/quit takes no arguments"),
    ],
)
def test_what_is_wrong_is_one_line_and_the_chat_goes_on(say: Say, line: str, said: str) -> None:
    result = say("-q", lines=lines(line, "hello"), script={})
    assert result.stdout == b"A red circle.\n"
    (error,) = errors(result)
    assert said in error
    assert result.returncode == 3


def test_pictures_are_listed_dropped_and_marked(say: Say) -> None:
    result = say(
        "-q",
        SHAPES,
        lines=lines(
            COUNT, f"/image {WIDE}", "/mark box:10%,10%,50%,50%:red", "/images", "/drop 1", "/images", "/retry"
        ),
    )
    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == b"There are three shapes."
    before, after = result.stderr.decode().split("[Image #1]")[1:][0].splitlines(), result.stderr.decode()
    assert before[0].split() == [SHAPES, "480x360", "5", "tiles", "268", "tokens", "turn", "1"]
    assert "4 tiles, 1 mark" in after
    assert after.count("[Image #1]") == 1  # listed before it was dropped, not after it
    assert after.count("[Image #2]") == 2


def test_a_mark_that_is_none(say: Say) -> None:
    result = say(SHAPES, lines=lines("/mark cloud:1,2", "/mark 1", "/mark none"))
    assert len(errors(result)) == 2
    assert "/mark needs a mark to draw" in errors(result)[1]
    assert b"[Image #1] has no marks" in result.stderr


def test_patterns_and_several_names(say: Say) -> None:
    Path("my cat.png").write_bytes(Path(SHAPES).read_bytes())
    result = say("--json", lines=lines("/image *.png", COUNT), script={})
    assert json.loads(result.stdout)["source"] == ["a.png", "b.png", "my cat.png"]
    result = say("--json", lines=lines(r"/image my\ cat.png 'a.png'", COUNT), script={})
    assert json.loads(result.stdout)["source"] == ["my cat.png", "a.png"]


def test_a_path_in_a_line_is_a_picture(say: Say, home: Path) -> None:
    result = say("--json", lines=lines(f"{home}/a.png", "What is in b.png?"), script={})
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [[f"{home}/a.png"], ["b.png"]]


def test_a_path_in_a_line_that_is_not_there_is_no_words(say: Say) -> None:
    result = say("--json", lines=lines("What is in ./nope.png?"), script={})
    assert json.loads(result.stdout)["status"] == "error"
    assert result.returncode == 4


def test_turns_are_asked_again_changed_and_taken_back(say: Say) -> None:
    result = say("-q", SHAPES, lines=lines(COUNT, "/retry", "/edit What colour is the circle?", "/undo", "/retry"))
    assert result.stdout.decode().splitlines() == ["There are three shapes."] * 2 + ["The circle is red."]
    assert errors(result) == ["there is no turn to ask again (hint: ask something first)"]


def test_an_edit_without_words_needs_a_terminal(say: Say) -> None:
    assert errors(say(lines=lines("hello", "/edit"), script={})) == ["/edit needs the words (hint: /edit TEXT)"]


def test_a_cut_answer_is_continued(say: Say) -> None:
    result = say(
        "-q", SHAPES, lines=lines("/set max-tokens 3", COUNT, "/set max-tokens none", "/continue", "/continue")
    )
    assert result.stdout.decode().splitlines() == ["There are three", "There are three shapes."]
    assert "came to its own end" in errors(result)[0]


def test_system_and_settings_are_shown_and_changed(say: Say) -> None:
    typed = lines("/system", "/system 'Be brief.'", "/system", "/set temperature 0.5", "/set", "/system none", "hello")
    result = say("--json", lines=typed, script={})
    told = result.stderr.decode()
    assert "there is no system prompt" in told
    assert "\nBe brief.\n" in told
    assert "temperature         0.5" in told
    assert "max-tokens          none (256, or the captioner's own)" in told
    record = json.loads(result.stdout)
    assert (record["system"], record["params"]["temperature"]) == (None, 0.5)


def test_the_model_is_told_and_exchanged(say: Say) -> None:
    result = say("--json", lines=lines("/model", COUNT, "/model demo", "hello"))
    assert b"family llava_next" in result.stderr
    assert b"demo answers from here on" in result.stderr
    loads = [json.loads(line)["timing_ms"]["load"] for line in result.stdout.splitlines()]
    assert all(loads)


def test_a_model_that_is_none_leaves_the_old_one(say: Say) -> None:
    result = say("-q", SHAPES, lines=lines("/model ./nowhere", "/model a b", COUNT))
    assert result.stdout == b"There are three shapes.\n"
    assert ["nowhere" in errors(result)[0], "/model [NAME]" in errors(result)[1]] == [True, True]


def test_the_prompt_is_exactly_what_the_model_got(say: Say) -> None:
    result = say("-q", "--json", "--tokens", SHAPES, lines=lines(COUNT, "/prompt", "/prompt --ids"))
    record = json.loads(result.stdout)
    assert result.stderr.decode().startswith(record["prompt_text"] + "\n")
    assert " 3x268 " in result.stderr.decode().splitlines()[-1]


def test_statistics_tell_what_was_reused(say: Say) -> None:
    result = say("-q", "--json", SHAPES, lines=lines(COUNT, "What colour is the circle?", "/stats"))
    usage = json.loads(result.stdout.splitlines()[1])["usage"]
    new = usage["prompt_tokens"] - usage["cached_tokens"]
    assert new < 20
    told = result.stderr.decode()
    assert f"prompt   {usage['prompt_tokens']} tokens: {usage['cached_tokens']} cached, {new} new" in told
    assert f"prefill  {new} tokens in" in told
    assert "pictures 1 encoded, 1 reused" in told


def test_a_conversation_is_saved_loaded_and_exported(say: Say) -> None:
    typed = lines(
        COUNT, "/save", "/save chat.json", "/save chat.json", "/export md", "/export md chat.md", "/export json"
    )
    result = say(SHAPES, lines=typed)
    assert (result.returncode, errors(result)) == (0, [])
    id_ = json.loads(Path("chat.json").read_text())["id"]
    assert f"kept as {id_}".encode() in result.stderr
    assert "There are three shapes." in Path("chat.md").read_text()
    assert result.stderr.count(b"## Assistant") == 1
    for name in (id_, "chat.json"):
        result = say(
            "-q", lines=lines("/export md a.png", f"/load {name}", "What colour is the circle?", "/export md chat.md")
        )
        assert result.stdout == b"The circle is red.\n"
        assert "exists already" in errors(result)[-1]


def test_clear_begins_anew(say: Say) -> None:
    result = say("-q", "--json", SHAPES, lines=lines("hello", "/clear", "and now?"), script={})
    assert [len(json.loads(line)["images"]) for line in result.stdout.splitlines()] == [1, 0]
    assert say("-q", "-c", "--json", lines=lines("/export md"), script={}).stderr.count(b"## User") == 1


def test_a_conversation_goes_on_from_the_command_line(say: Say) -> None:
    say("-q", SHAPES, lines=lines(COUNT))
    result = say("-q", "-c", lines=lines("What colour is the circle?", "/save"))
    assert result.stdout == b"The circle is red.\n"
    assert say("-q", "--no-save", lines=lines("hello", "/save")).returncode == 3


def test_a_picture_that_has_gone_is_told_of_whatever_quiet_says(say: Say) -> None:
    shutil.copy(SHAPES, "shapes.png")
    say("-q", "shapes.png", lines=lines(COUNT))
    os.unlink("shapes.png")
    result = say("-q", "-c", lines=lines("hello"))
    assert result.stderr.startswith(b"llavacli: warning: [Image #1] shapes.png is no longer there")
    assert (result.returncode, result.stderr.count(b"\n")) == (0, 1)


def test_load_tells_what_had_not_been_sent(say: Say) -> None:
    result = say(lines=lines("hello", "/save one.json", f"/image {SHAPES}", "/load one.json"), script={})
    assert b"warning: never sent, and no longer attached: [Image #1]\n" in result.stderr


def test_quit_leaves_the_rest_unsaid(say: Say) -> None:
    assert say(lines=lines("hello", "/quit", "and now?"), script={}).stdout.count(b"\n") == 1


def test_help_lists_every_command(say: Say) -> None:
    told = say(lines=lines("/help", "/help drop", "/help /exit"), script={}).stderr.decode()
    for command in TABLE:
        assert f"{command.usage} " in told
        assert command.help in told
    assert "/quit, /exit, /bye" in told
    assert len(BY_NAME) == len({*BY_NAME})


def test_what_needs_a_terminal_says_so(say: Say) -> None:
    result = say("a.png", lines=lines("hello", "/show", "/copy"), script={})
    assert [error.partition(" (")[0] for error in errors(result)] == [
        "there is no terminal to draw on",
        "there is no terminal whose clipboard it could be",
    ]


def test_names_and_words_are_escaped_where_they_are_told(say: Say) -> None:
    name = "x\x1b[2J[red]\u202e.png"
    Path(name).write_bytes(Path(SHAPES).read_bytes())
    result = say(
        lines=lines("/image *red*", "/images", "hel\x1blo", "/export md"), script={"pieces": ["\x1b[31m[/INST]"]}
    )
    assert b"\x1b" not in result.stderr
    assert b"\\x1b[2J[red]\\u202e.png" in result.stderr
    assert b"[/INST]" in result.stderr


def test_a_path_in_an_edited_turn_is_a_picture(say: Say, home: Path) -> None:
    Path("b.png").write_bytes(Path("a.png").read_bytes())
    result = say("--no-save", lines=lines("What is ./a.png?", "/edit And ./b.png?", "/images"), script={})
    assert "[Image #2] ./b.png" in result.stderr.decode()
    assert "turn 1" in result.stderr.decode().splitlines()[-1]
    result = say(lines=lines("hello", "/edit What is in ./nothing.png?"), script={})
    assert "./nothing.png" in errors(result)[0]
    assert len(result.stdout.splitlines()) == 1


def test_pictures_that_are_named_together_are_attached_together(say: Say, home: Path) -> None:
    Path("torn.png").write_bytes(Path("a.png").read_bytes()[:40])
    result = say(lines=lines("/image a.png nope.png", "/images"), script={})
    assert "nope.png" in errors(result)[0]
    assert "no pictures and no clips" in result.stderr.decode()


def test_a_model_that_is_none_ends_nothing(say: Say) -> None:
    for before in ([], ["hello"]):
        result = say(lines=lines(*before, "/model nope-no-such/x", "and now?"))
        assert len(result.stdout.splitlines()) == len(before) + 1
        assert result.returncode == 3
