"""The embedded checkpoint: what it weighs, what it sees, and that transformers reads and answers the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import llavacli_core as core
from demo.evaluate import ask, other_marks
from demo.other_drawer import drawing

FOLDER = Path(core.__file__).parent / "demo_checkpoint"
QUESTIONS = ("Describe this image in detail.", "How many shapes are there?", "Is there a star?")


@cache
def engine() -> core.Engine:
    torch.set_num_threads(1)  # the matrices are small: threads would wait for each other
    return core.load("demo", dtype="float32")


def test_the_folder_is_small_and_complete() -> None:
    names = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert {"config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json",
            "processor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
            "chat_template.jinja"} <= names  # fmt: skip
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 8e6


def test_it_answers_about_another_programs_drawings() -> None:
    marks = list(other_marks(engine(), 6))
    wrong = [line for kind, right, line in marks if not right and kind != "where"]
    assert len(wrong) <= 0.05 * len(marks), wrong


def test_a_conversation_goes_on() -> None:
    drawn = drawing(2_000_000)
    session = engine().session()
    said = []
    for parts in ([core.Image(drawn.picture), QUESTIONS[0]], [QUESTIONS[1]]):
        *_, done = session.generate(parts)
        said.append(done.text)
    assert said == [ask(engine(), drawn.picture, question) for question in QUESTIONS[:2]]


@pytest.mark.parity
def test_transformers_reads_every_key_and_gives_the_same_tokens() -> None:
    transformers = pytest.importorskip("transformers")
    theirs, loading = transformers.LlavaNextForConditionalGeneration.from_pretrained(
        FOLDER, dtype=torch.float32, output_loading_info=True
    )
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    processor = transformers.AutoProcessor.from_pretrained(FOLDER)
    for seed in range(3):
        picture = drawing(seed).picture
        for question in QUESTIONS:
            assert _ours(picture, question) == _theirs(theirs.eval(), processor, picture, question)


def _ours(picture: Image.Image, question: str) -> tuple[str, list[int], str]:
    *_, done = engine().generate([core.Message("user", [core.Image(picture), question])])
    assert isinstance(done, core.Done)
    return done.prompt_text, list(done.token_ids), done.text


def _theirs(model: Any, processor: Any, picture: Image.Image, question: str) -> tuple[str, list[int], str]:
    content = [{"type": "image"}, {"type": "text", "text": question}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(images=picture, text=prompt, return_tensors="pt")
    new = model.generate(**inputs, do_sample=False, max_new_tokens=96)[0, inputs["input_ids"].shape[1] :]
    return prompt, new.tolist(), processor.decode(new, skip_special_tokens=True)
