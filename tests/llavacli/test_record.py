"""The JSON record: its keys and their order, valid and on one line whatever it holds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli.render.record import line
from tests.llavacli.running import Result, Run

KEYS = [
    *("schema", "status", "source", "images", "videos", "prompt", "system", "text", "finish_reason", "model", "params"),
    *("usage", "timing_ms", "warnings", "error"),
]
ZEROS = {"prompt_tokens": 0, "image_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}


def records(result: Result[bytes]) -> list[dict[str, Any]]:
    assert result.stdout.endswith(b"\n")
    return [json.loads(text) for text in result.stdout.splitlines()]


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_one_harmless_line_and_comes_back(text: str) -> None:
    written = line({"text": text})
    assert json.loads(written) == {"text": text}
    assert len(written.splitlines()) == 1
    written.encode()
    for c in written[:-1]:  # what is not assigned to anything steers nothing
        assert c.isprintable() or c.isspace() or ord(c) > 0x2FFF or ord(c) in range(0xA0, 0x2000) or category(c) == "Cn"


def test_ordinary_text_is_left_readable() -> None:
    assert line({"text": "Grüße 猫"}) == '{"text":"Grüße 猫"}\n'
    assert line({"text": "\x1b\x9b\u202e\udce9\u2028"}) == '{"text":"\\u001b\\u009b\\u202e\\udce9\\u2028"}\n'


def test_a_file_name_that_is_no_utf_8_comes_back() -> None:
    assert os.fsencode(json.loads(line({"source": os.fsdecode(b"caf\xe9")}))["source"]) == b"caf\xe9"


def test_an_answer(ask: Run, home: Path) -> None:
    result = ask("describe", "--json", "a.png", "-q", "-s", "Be brief.", script={"warnings": ["odd"]})
    (record,) = records(result)
    assert list(record) == KEYS
    digest = record["images"][0].pop("sha256")
    assert len(digest) == 64
    assert record == {
        "schema": "llavacli.result/1",
        "status": "ok",
        "source": "a.png",
        "images": [{"source": "a.png", "width": 4, "height": 3, "tiles": 1, "tokens": 5}],
        "videos": [],
        "prompt": "Describe this image in detail.",
        "system": "Be brief.",
        "text": "A red circle.",
        "finish_reason": "stop",
        "model": {
            "id": "scripted",
            "revision": None,
            "family": "llava_next",
            "dtype": "float32",
            "quant": "none",
            "device": "cpu",
            "template": "vicuna",
            "template_origin": "chat_template.jinja",
        },
        "params": {"max_tokens": 256, "temperature": 0.0, "seed": 0},
        "usage": {"prompt_tokens": 7, "image_tokens": 5, "cached_tokens": 0, "completion_tokens": 2},
        "timing_ms": {"load": 7, "prepare": 1, "vision": 2, "prefill": 4, "decode": 4, "total": 12},
        "warnings": ["odd"],
        "error": None,
    }
    assert [list(record[key]) for key in ("images", "model", "usage", "timing_ms")] == [
        [["source", "width", "height", "tiles", "tokens"]][0] and list(record["images"]),
        ["id", "revision", "family", "dtype", "quant", "device", "template", "template_origin"],
        ["prompt_tokens", "image_tokens", "cached_tokens", "completion_tokens"],
        ["load", "prepare", "vision", "prefill", "decode", "total"],
    ]


def test_loading_is_told_once(ask: Run, home: Path) -> None:
    result = ask("describe", "--json", "a.png", "b.png", "-q")
    assert [record["timing_ms"]["load"] for record in records(result)] == [7, 0]


def test_tokens_come_last(ask: Run, home: Path) -> None:
    result = ask("describe", "--json", "--tokens", "a.png", "nope.png", "-q")
    answer, error = records(result)
    assert list(answer) == list(error) == [*KEYS, "prompt_text", "token_ids"]
    assert (answer["prompt_text"], answer["token_ids"]) == ("USER: <image>\nWhat? ASSISTANT:", [0, 1])
    assert (error["prompt_text"], error["token_ids"]) == (None, None)


def test_an_error(ask: Run, home: Path) -> None:
    result = ask("describe", "--json", "nope.png", "a.png", "-q")
    assert result.returncode == 3
    error, answer = records(result)
    assert list(error) == KEYS
    assert (error["status"], error["source"]) == ("error", "nope.png")
    assert (error["text"], error["finish_reason"]) == (None, None)
    assert error["error"] == {"code": "input_missing", "message": "nope.png: no such file", "hint": "check the path"}
    assert error["usage"] == ZEROS
    assert answer["status"] == "ok"


def test_parameters_that_were_set_are_recorded(ask: Run, home: Path) -> None:
    args = ("--max-tokens", "5", "--top-k", "3", "--stop", "x", "--max-tiles", "2", "--repetition-penalty", "1.0")
    (record,) = records(ask("describe", "--json", "a.png", "-q", *args))
    assert record["params"] == {
        "max_tokens": 5,
        "temperature": 0.0,
        "seed": 0,
        "top_k": 3,
        "repetition_penalty": 1.0,
        "stop": ["x"],
        "max_tiles": 2,
    }


def test_a_seed_is_drawn_and_recorded_so_that_a_sample_can_be_had_again(ask: Run, home: Path) -> None:
    log = home / "log"
    args = ("describe", "--json", "a.png", "b.png", "-q", "--temperature", "1")
    first = records(ask(*args, script={"log": str(log)}))
    second = records(ask(*args))
    seeds = [record["params"]["seed"] for record in first + second]
    assert seeds[0] == seeds[1] == json.loads(log.read_text().splitlines()[1])["seed"]
    assert seeds[2] == seeds[3] != seeds[0]
    (given,) = records(ask("describe", "--json", "a.png", "-q", "--temperature", "1", "--seed", str(seeds[0])))
    assert given["params"] == first[0]["params"]


def test_together_is_one_record_of_several_sources(ask: Run, home: Path) -> None:
    (record,) = records(ask("describe", "--json", "--together", "a.png", "b.png", "-q"))
    assert record["source"] == ["a.png", "b.png"]
    assert [image["source"] for image in record["images"]] == ["a.png", "b.png"]
    (single,) = records(ask("describe", "--json", "--together", "a.png", "-q"))
    assert single["source"] == ["a.png"]


@pytest.mark.parametrize("args", [("a.png",), ("a.png", "b.png")])
def test_a_model_that_cannot_be_loaded_is_recorded_for_every_source(ask: Run, home: Path, args: Any) -> None:
    result = ask("describe", "--json", *args, "-m", "org/x", script={"load": "model_broken"})
    assert result.returncode == 5
    assert result.stderr == b"llavacli: error: it is model_broken (hint: do something)\n"
    for record, name in zip(records(result), args, strict=True):
        assert (record["source"], record["error"]["code"]) == (name, "model_broken")
        assert record["model"] == {**dict.fromkeys(record["model"]), "id": "org/x"}
