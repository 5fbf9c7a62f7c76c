"""A conversation through a real terminal, with the model that is always there."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

import llavacli_core as core
from llavacli.repl.history import history_file
from tests.llavacli.chatting import Talk, scripted

SHAPES = "There are three shapes on a white background"


def test_three_turns_with_two_pictures(talk: Talk) -> None:
    chat = talk("-q", "my shapes.png")
    assert "[Image #1] my shapes.png, 480x360, 268 tokens" in chat.text
    chat.wait_for("1 attached")
    chat.send("What is this?", SHAPES)
    chat.send("/image wide.png", "[Image #2] wide.png, 640x240, 248 tokens")
    chat.send("Where is the star?", "The star is at the")
    chat.send("How many shapes are there?")
    assert chat.text.count("There are") == 2
    chat.send("/stats", "2 encoded")
    assert chat.type("\x04") is None
    assert chat.end() == 0
    assert chat.modes() == chat.found


def test_retry_undo_and_edit(talk: Talk) -> None:
    chat = talk("-q", "my shapes.png")
    chat.send("Where is the star?", "The star is at the bottom right.")
    chat.send("/retry")
    assert chat.text.count("The star is at the bottom right.") == 2
    chat.type("/edit\r")
    chat.wait_for("> Where is the star?\n\n")  # in the prompt, to be changed
    chat.type("\x17\x17circle?")
    chat.wait_for("> Where is circle?")
    chat.send("", "The circle is at the top left.")
    chat.send("/undo", "took back 1 turn; [Image #1] waits for the next (/drop takes it out)")
    chat.send("Where is the star?")
    assert chat.text.count("The star is at the bottom right.") == 3
    chat.send("/undo")
    chat.send("/undo", "error: there is no turn to take back")


@pytest.mark.parametrize(
    "form", ["{}/my shapes.png", "'{}/my shapes.png'", "{}/my\\ shapes.png", "file://{}/my%20shapes.png"]
)
def test_a_pasted_path_becomes_an_attachment(talk: Talk, home: Path, form: str) -> None:
    chat = talk("-q")
    chat.paste(form.format(home))
    chat.wait_for("> [Image #1]")
    chat.wait_for("1 attached")
    chat.send("Where is the star?", "The star is at the bottom right.")


def test_pasted_words_stay_words(talk: Talk) -> None:
    chat = talk("-q", before=scripted(["Yes."]))
    chat.paste("first line\r\nsecond line")
    chat.wait_for("second line")
    chat.send("", "Yes.")
    chat.send("/export json", '"first line\\nsecond line"')


def test_ctrl_c_in_mid_answer_and_a_further_turn(talk: Talk) -> None:
    chat = talk("-q", "my shapes.png", before=scripted(["One two", " three"], until_stopped="Count"))
    chat.type("Count.\r")
    chat.wait_for("One")
    chat.type("\x03")
    chat.wait_for("(interrupted)")
    chat.wait_until(chat.waits)
    chat.send("And now?", "One two three\n>")
    chat.send("/export json", '"interrupted"')
    assert chat.text.count("(interrupted)") == 1


def test_the_second_ctrl_c_leaves_a_core_that_does_not_stop(talk: Talk) -> None:
    chat = talk("-q", "a.png", before=scripted(["One two"], deaf=True))
    chat.type("Count.\r")
    chat.wait_for("One")
    chat.wait_until(lambda: chat.type("\x03") or chat.has_gone())
    assert chat.end() == 130
    assert chat.modes() == chat.found


def test_ctrl_c_clears_the_line_and_twice_on_an_empty_one_leaves(talk: Talk) -> None:
    chat = talk("-q")
    chat.type("never sent")
    chat.wait_for("> never sent")
    chat.type("\x03")
    chat.wait_until(lambda: "never sent" not in chat.text)
    chat.type("\x03")
    chat.wait_for("Ctrl-C again leaves")
    chat.wait_until(chat.waits)
    chat.type("x\x03")  # a key in between, and it counts anew
    chat.type("\x03")
    chat.wait_until(lambda: chat.text.count("Ctrl-C again leaves") == 2 and chat.waits())
    chat.type("\x03")
    assert chat.end() == 130
    assert chat.modes() == chat.found


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("answering", [True, False])
def test_signals_end_it_and_leave_the_terminal_as_it_was(talk: Talk, signum: int, code: int, answering: bool) -> None:
    chat = talk("-q", "a.png", before=scripted(["One two"], until_stopped=""))
    if answering:
        chat.type("Count.\r")
        chat.wait_for("One")
    else:
        chat.type("half a line")
        chat.wait_for("half a line")
    chat.kill(signum)
    assert chat.end() == code
    assert chat.modes() == chat.found
    if answering:
        again = talk("-q", "-c")
        again.send("/export json", '"interrupted"')


def test_sigint_from_elsewhere_is_ctrl_c(talk: Talk) -> None:
    chat = talk("-q")
    chat.kill(signal.SIGINT)
    chat.wait_for("Ctrl-C again leaves")
    chat.wait_until(chat.waits)
    chat.kill(signal.SIGINT)
    assert chat.end() == 130


def test_what_is_typed_ahead_waits_for_its_prompt(talk: Talk, home: Path) -> None:
    chat = talk("-q", "a.png", before=scripted(["One two", " three"], gate=home / "go"))
    chat.type("Count.\r")
    chat.wait_for("One")
    chat.type("typed ahead\rand this stays")
    (home / "go").touch()
    chat.wait_until(lambda: chat.text.count("One two three") == 2)
    chat.wait_for("> and this stays")
    assert "One two three\n> typed ahead\nOne two three\n" in chat.text


def test_several_lines_and_the_editor(talk: Talk, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = home / "editor"
    editor.write_text("#!/bin/sh\nprintf 'written\\nin the editor' > \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    chat = talk("-q", before=scripted(["Yes."]))
    chat.type("one\ntwo\x1b\rthree")
    chat.wait_for("three")
    chat.send("", "Yes.")
    chat.type("\x18\x05")
    chat.wait_for("in the editor")  # and there it stays until Enter
    time.sleep(0.3)
    assert chat.text.count("Yes.") == 1
    chat.send("", "Yes.")
    chat.send("/export json", '"one\\ntwo\\nthree"')
    assert '"written\\nin the editor"' in chat.text


def test_the_history_comes_back(talk: Talk) -> None:
    chat = talk("-q", before=scripted(["Yes."]))
    chat.type("one\ntwo")
    chat.send("", "Yes.")
    chat.type("\x04")
    assert chat.end() == 0
    assert stat.S_IMODE(os.stat(history_file()).st_mode) == 0o600
    again = talk("-q", before=scripted(["Yes."]))
    again.type("\x12on")  # Ctrl-R
    again.wait_for("two")
    again.type("\r")
    again.wait_for("> one\n  two")


def test_no_history_leaves_no_file(talk: Talk) -> None:
    chat = talk("-q", "--no-history", before=scripted(["Yes."]))
    chat.send("secret", "Yes.")
    assert not history_file().exists()


def test_tab_completes_commands_and_paths(talk: Talk) -> None:
    chat = talk("-q")
    chat.type("/und\t")
    chat.wait_for("> /undo")
    chat.type("\x03/image my\t")
    chat.wait_for("> /image my\\ shapes.png")
    chat.send("", "[Image #1] my shapes.png")
    chat.type("/im\t")
    chat.wait_for("List the pictures")  # the menu says what each does
    chat.type("\t\t\r")
    chat.wait_for("> /images")
    chat.send("", "[Image #1]  my shapes.png")


@pytest.mark.parametrize("size", [(30, 10), (200, 50), (1, 3)])
def test_resizing_while_it_streams(talk: Talk, home: Path, size: tuple[int, int]) -> None:
    chat = talk("-q", "a.png", before=scripted(["One two", " three"], gate=home / "go"))
    chat.type("Count.\r")
    chat.wait_for("One")
    chat.resize(*size)
    (home / "go").touch()
    chat.wait_until(chat.waits)
    chat.resize(80, 24)
    chat.send("Again.", "One two three")


def test_what_could_steer_the_terminal_is_shown_escaped(talk: Talk) -> None:
    pieces = ["\x1b]0;title\x07", "\x1b[2J\x9b31m", " [red] [/INST]", " \u202eliaf\u202c end"]
    chat = talk("-q", "a.png", before=scripted(pieces))
    chat.send("Speak.", "end")
    seen = chat.text.replace("\n", "")
    assert "\\x1b]0;title\\x07\\x1b[2J\\x9b31m [red] [/INST] \\u202eliaf\\u202c end" in seen
    assert not chat.screen.title


def test_a_fault_is_one_line_and_the_chat_goes_on(talk: Talk) -> None:
    chat = talk("-q", "a.png", before=scripted(["Yes."], fault="Break."))
    chat.send("Break.", "error: unexpected fault: RuntimeError: something broke")
    assert "Traceback" not in chat.text
    chat.send("Go on.", "Yes.")


def test_with_debug_a_fault_brings_its_traceback(talk: Talk) -> None:
    chat = talk("-q", "--debug", "a.png", before=scripted(["Yes."], fault="Break."))
    chat.send("Break.", "Traceback (most recent call last)")
    chat.wait_for("error: unexpected fault")


def test_a_model_that_is_not_there_begins_no_chat(talk: Talk) -> None:
    chat = talk("-m", "./nowhere", wait=False)
    assert chat.end() == 5
    assert chat.modes() == chat.found


def test_accessible_is_without_a_single_escape_sequence(talk: Talk) -> None:
    chat = talk("--accessible", "my shapes.png", wait=False)
    chat.wait_for("\n>")
    chat.type("Where is the star?\r")
    chat.wait_for("The star is at the bottom right.\n>")
    chat.type("/nonsense\r")
    chat.wait_for("no such command")
    chat.type("\x03")
    chat.wait_for("Ctrl-C again leaves, as Ctrl-D does\n>")
    chat.type("\x03")
    assert chat.end() == 130
    assert b"\x1b" not in chat.shown
    assert chat.modes() == chat.found


def test_accessible_by_the_environment(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESSIBLE", "1")
    chat = talk("-q", "a.png", wait=False, before=scripted(["One.", " Two."], until_stopped="Count"))
    chat.wait_for("\n>")
    chat.type("Count.\r")
    chat.wait_for("One.")
    chat.type("\x03")
    chat.wait_for("(interrupted)")
    chat.type("\x04")
    assert chat.end() == 0
    assert b"\x1b" not in chat.shown


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_no_colour_where_it_is_refused(talk: Talk, monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]) -> None:
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    chat = talk("my shapes.png", wait=False)
    chat.wait_for("\n>")
    chat.type("Where is the star?\r")
    chat.wait_for("The star is at the bottom right.\n>")
    chat.type("\x04")
    assert chat.end() == 0
    colours = {cell.fg for line in chat.screen.buffer.values() for cell in line.values()}
    assert colours <= {"default"}
    assert variable != {"TERM": "dumb"} or b"\x1b" not in chat.shown


def test_ctrl_z_suspends_and_fg_comes_back(talk: Talk, home: Path) -> None:
    """Under a shell with job control, at the prompt and while an answer is on its way."""
    chat = talk("-q", "a.png", before=scripted(["One two", " three"], gate=home / "go"), shell=True)
    chat.type("half\x1a")
    chat.wait_for("stopped, as found")
    chat.type("fg\r")
    chat.wait_for("fg\n> half")
    chat.type(" a line\r")
    chat.wait_for("> half a line\nOne")
    chat.type("\x1a")
    chat.wait_until(lambda: chat.text.count("stopped, as found") == 2)
    chat.type("fg\r")
    (home / "go").touch()
    chat.wait_for("fg\n two three")
    chat.wait_until(chat.waits)
    chat.type("\x04")
    assert chat.end() == 0
    assert chat.modes() == chat.found


def test_a_pasted_path_that_leads_nowhere_is_said_at_once(talk: Talk) -> None:
    chat = talk("-q", "a.png", before=scripted(["Yes."]))
    chat.paste("/nowhere/cat.png")
    chat.wait_for("error: /nowhere/cat.png: no such file")
    chat.wait_for("\n> /nowhere/cat.png")
    chat.type("\r")  # nor is it sent as words: it is there again, to be corrected
    chat.wait_until(lambda: chat.text.count("error: /nowhere/cat.png") == 2 and chat.text.count("> /nowhere") == 2)
    assert "Yes." not in chat.text


def test_a_line_whose_url_cannot_be_had_is_there_again(talk: Talk) -> None:
    chat = talk("-q", "a.png", before=scripted(["Yes."]))
    url = "http://127.0.0.1:9/cat.png"
    chat.type(f"What is {url}?\r")
    chat.wait_for("error: ")
    chat.wait_until(lambda: chat.text.count(f"> What is {url}?") == 2 and chat.waits())
    assert "Yes." not in chat.text


def test_a_turn_that_does_not_fit_is_there_again(talk: Talk) -> None:
    def nothing_fits() -> None:
        core.Plan.room = property(lambda _: -1)  # type: ignore[assignment, method-assign]

    chat = talk("-q", "a.png", before=nothing_fits)
    chat.type("A question.\r")
    chat.wait_for("error: with this turn the prompt has")
    chat.wait_until(lambda: chat.text.count("> A question.") == 2 and chat.waits())


def test_going_on_shows_where_it_was(talk: Talk) -> None:
    chat = talk("-q", "wide.png")
    chat.send("How many shapes are there?")
    chat.send("Where is the star?\x0a\x0a**Here?**")
    chat.type("\x04")
    assert chat.end() == 0
    again = talk("-c")
    assert "1 earlier turn; /export md shows all\n> Where is the star?\n>\n> **Here?**\n" in again.text
    assert "How many" not in again.text
    assert "star" in again.text.partition("Here?**")[2]


def test_a_typed_path_is_attached_in_its_place(talk: Talk) -> None:
    chat = talk("-q")
    chat.send("Where is the star in ./wide.png?", "[Image #1] ./wide.png, 640x240")
    chat.send("/prompt", "USER: <image>\nWhere is the star in")


def test_verbose_tells_of_every_answer(talk: Talk) -> None:
    chat = talk("-q", "-v", "a.png", before=scripted(["Yes."]))
    chat.send("Speak.", "prompt tokens (0 for pictures), 1 new in 0.00 s")


def test_the_command_line_s_prompt_is_the_first_turn(talk: Talk) -> None:
    chat = talk("-q", "-p", "Where is the star?", "my shapes.png")
    assert "The star is at the bottom right.\n>" in chat.text


def test_markdown_is_rendered_or_left_as_it_is(talk: Talk) -> None:
    pieces = ["A **bold** word and `code`.\n\n- one\n- two\n"]
    chat = talk("-q", "a.png", before=scripted(pieces))
    chat.send("Speak.", "A bold word and code.")
    plain = talk("-q", "--no-markdown", "a.png", before=scripted(pieces))
    plain.send("Speak.", "A **bold** word and `code`.\n\n- one\n- two\n>")


def test_waiting_for_the_first_word_leaves_no_trace(talk: Talk, home: Path) -> None:
    chat = talk("-q", "a.png", before=scripted(["One two."], gate=home / "go", first=0))
    chat.type("Count.\r")
    chat.wait_for("thinking 0 s")
    chat.type("\x03")
    chat.wait_for("stopping as soon as the prompt is read")
    (home / "go").touch()
    chat.wait_for("(interrupted)")
    chat.wait_until(chat.waits)
    assert "> Count.\nOne two.\n(interrupted)\n>" in chat.text
