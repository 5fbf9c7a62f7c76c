"""Every slash command through a terminal, with a wrong argument too; and what a chat that was killed has lost."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest

from llavacli.repl import commands
from tests.llavacli.chatting import Talk, scripted

# (what is typed, what is to be seen then): in this order, in one chat
LINES = [
    ("/help", "/image PATH|URL|GLOB...  "),
    ("/help image", "Attach pictures to the next turn."),
    ("/help nonsense", "error: no such command: /nonsense"),
    ("/hlep", "did you mean /help?"),
    ("/images", "no pictures and no clips"),
    ("/images now", "error: /images takes no arguments"),
    ("/retry", "error: there is no turn to ask again"),
    ("/undo", "error: there is no turn to take back"),
    ("/edit", "error: there is no turn to edit"),
    ("/continue", "error: there is no turn to continue"),
    ("/copy", "error: there is no answer to copy"),
    ("/prompt", "error: the model has been asked nothing yet"),
    ("/stats", "error: nothing has been answered yet"),
    ("/export md", "error: there is nothing to write yet"),
    ("/image nope.png", "error: nope.png: no such file"),
    ("/image", "error: /image needs an argument"),
    ("/image *.gif", "error: *.gif: no file matches"),
    ("/image 'my shapes.png'", "[Image #1] my shapes.png, 480x360, "),
    ("/video my\\ shapes.png", "error: "),
    ("/mark 1 box:10%,10%,60%,60%:red", "[Image #1] is marked box:10%,10%,60%,60%:red"),
    ("/mark 1 blob:1,2", "error: "),
    ("/mark 1 none", "[Image #1] has no marks"),
    ("/images", "480x360  5 tiles  268 tokens  next turn"),
    ("/show 7", "error: no picture or clip has number 7"),
    ("/show 1 2", "error: /show shows one picture at a time"),
    ("/paste", "error: "),
    ("/drop x", "error: 'x' is no number"),
    ("/drop 7", "error: no picture or clip has number 7"),
    ("Where is the star?", "The star is at the bottom right."),
    ("/retry", "a greedy answer comes out the same each time"),
    ("/retry now", "error: /retry takes no arguments"),
    ("/edit Where is the circle?", "The circle is at the top left."),
    ("/continue", "error: the last answer came to its own end"),
    ("/set", "temperature "),
    ("/set temperature 0.5", "temperature is 0.5"),
    ("/set temperature hot", "error: temperature must be a number, not 'hot'"),
    ("/set temperature -1", "error: "),
    ("/set tempature 1", "did you mean temperature?"),
    ("/set temperature none", "temperature is 0"),
    ("/set max-tokens 3", "max-tokens is 3"),
    ("How many shapes are there?", "(cut off at 3 tokens; /continue goes on)"),
    ("/set max-tokens none", "max-tokens is none"),
    ("/continue", "shapes."),
    ("/system Be brief.", "it holds from the next turn on"),
    ("/system", "Be brief."),
    ("/system none", "no system prompt from the next turn on"),
    ("/prompt", "Where is the circle?"),
    ("/prompt --ids", "x"),
    ("/prompt --all", "error: /prompt knows no '--all'"),
    ("/stats", "pictures 1 encoded"),
    ("/stats now", "error: /stats takes no arguments"),
    ("/model", "family llava_next"),
    ("/model ./nowhere", "error: no model './nowhere'"),
    ("/model demo", "demo answers from here on"),
    ("/save", "kept as "),
    ("/save kept.json", "wrote kept.json"),
    ("/save 'my shapes.png'", "error: my shapes.png: exists already"),
    ("/export md", "The circle is at the top left."),
    ("/export pdf", "error: 'pdf' is no form to export to"),
    ("/export json chat.json", "wrote chat.json"),
    ("/undo 9", "error: there are 2 turns, not 9"),
    ("/undo", "took back 1 turn"),
    ("/clear", "a new conversation"),
    ("/clear all", "error: /clear takes no arguments"),
    ("/load nowhere", "error: "),
    ("/load kept.json", "went back to"),
    ("/drop 1", "took [Image #1] my shapes.png out of the conversation"),
    ("/quit now", "error: /quit takes no arguments"),
    ("/nonsense", "error: no such command: /nonsense"),
    ("//nonsense", ""),
]


def test_every_command_and_its_wrong_arguments(talk: Talk, home: Path) -> None:
    chat = talk("-q", columns=160)
    for line, expected in LINES:
        chat.send(line)
        assert expected in chat.text.rpartition(f"> {line}\n")[2], (line, chat.text[-2000:])
    chat.send("/image wide.png", "[Image #2] wide.png")
    for line in ("/show", "/show 2 --as-seen"):
        chat.send(line)
        assert "error" not in chat.text.rpartition(f"> {line}\n")[2]
        assert "▀" in chat.text.rpartition(f"> {line}\n")[2]
    chat.send("/copy", "copied the last answer")
    assert b"\x1b]52;c;" in chat.shown
    chat.type("/quit\r")
    assert chat.end() == 0
    assert chat.modes() == chat.found
    used = {line[1:].split()[0] for line, _ in LINES if line.startswith("/")} | {"copy", "show", "quit"}
    assert {command.name for command in commands.TABLE} <= used
    assert json.loads((home / "chat.json").read_text())


@pytest.mark.slow
def test_killed_while_it_answers_it_loses_that_answer_alone(talk: Talk, home: Path) -> None:
    """Twenty times at a random moment, each time going on with what the last one left."""
    moments = random.Random(0)
    how = {"before": scripted(["word "] * 10, pause=0.005)}
    args = ("-q", "--no-history", "--context", "drop-oldest")
    chat = talk(*args, "a.png", **how)
    for count in range(20):
        chat.send(f"Question {count}.", "\nword word")  # a question that was killed is given up first, and shown
        chat.type("Killed.\r")
        chat.wait_for("> Killed.")
        chat.read(moments.uniform(0, 0.1))
        chat.kill(signal.SIGKILL)
        assert chat.end() == 137
        chat.close()
        chat = talk(*args, "-c", **how)
    chat.send("/export json kept.json", "wrote kept.json")
    turns = json.loads((home / "kept.json").read_text())["turns"]
    answered = [asked["parts"][-1] for asked, answer in pairwise(turns) if answer["role"] == "assistant"]
    assert [text for text in answered if text != "Killed."] == [f"Question {count}." for count in range(20)]
    assert all(turn["parts"] == ["word " * 10] for turn in turns if turn["role"] == "assistant")
    (database,) = (home / "home").rglob("*.db")
    assert sqlite3.connect(database).execute("PRAGMA integrity_check").fetchone() == ("ok",)
