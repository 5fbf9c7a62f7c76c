"""The two contestants: this project and transformers, asked the same with the same checkpoint, and timed alike."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

import llavacli_core as core

DTYPES = ("bfloat16", "float32")


@dataclass(frozen=True)
class Answer:
    """What came, and when: seconds to the first token, and from there for each further one."""

    ids: tuple[int, ...]
    first: float
    each: float


@dataclass
class Clock:
    """Takes down when each token came; a streamer of transformers, too, whose first call brings the prompt."""

    times: list[float] = field(default_factory=lambda: [time.perf_counter()])

    def put(self, value: object) -> None:
        """A token is there."""
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """No more comes."""

    def answer(self, ids: tuple[int, ...], calls: list[float]) -> Answer:
        """The times between the first and the last call as the time of each token but the first."""
        return Answer(ids, calls[0] - self.times[0], (calls[-1] - calls[0]) / max(len(ids) - 1, 1))


class Ours:
    """The engine, from bytes and words to text."""

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        self.engine = core.load(folder, dtype=dtype, device=device)

    def ids(self, question: str, picture: bytes | None = None) -> list[int]:
        """The prompt as the network gets it."""
        return list(self.engine.processor.prepare([core.Message("user", parts(question, picture))]).token_ids)

    def answer(self, question: str, tokens: int, picture: bytes | None = None) -> Answer:
        """A conversation's first answer, greedy."""
        return self.take(self.engine.session(), question, tokens, picture)

    def take(self, session: core.Session, question: str, tokens: int, picture: bytes | None = None) -> Answer:
        """A turn of a session, greedy."""
        clock = Clock()
        for event in session.generate(parts(question, picture), core.Sampling(max_tokens=tokens)):
            clock.put(event)
        assert isinstance(event, core.Done)
        return clock.answer(event.token_ids, clock.times[1:])


class Theirs:
    """transformers' processor and `generate`."""

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), extra_special_tokens={"image_token": "<image>"}
        )
        values = json.loads((folder / "preprocessor_config.json").read_text())
        tiled = values.pop("image_processor_type").startswith("LlavaNext")
        self.processor = (LlavaNextProcessor if tiled else LlavaProcessor)(
            image_processor=(LlavaNextImageProcessorPil if tiled else CLIPImageProcessorPil)(**values),
            tokenizer=tokenizer,
            patch_size=self.model.config.vision_config.patch_size,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
        )

    def ids(self, question: str, picture: bytes | None = None) -> list[int]:
        """The prompt as the network gets it."""
        return self._inputs(question, picture)["input_ids"][0].tolist()

    def answer(self, question: str, tokens: int, picture: bytes | None = None) -> Answer:
        """An answer to the whole prompt, greedy."""
        clock = Clock()
        inputs = self._inputs(question, picture).to(self.model.device, self.model.dtype)
        output = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False, pad_token_id=0, streamer=clock)
        return clock.answer(tuple(output[0, inputs["input_ids"].shape[1] :].tolist()), clock.times[2:])

    def _inputs(self, question: str, picture: bytes | None):
        if picture is None:
            return self.processor(text=question, return_tensors="pt")
        image = Image.open(io.BytesIO(picture))
        return self.processor(images=image, text=f"<image>\n{question}", return_tensors="pt")


def parts(question: str, picture: bytes | None) -> list[str | core.Image]:
    """A turn's parts: the picture, if there is one, and the words."""
    return [question] if picture is None else [core.Image(picture), question]


def agreement(ours: tuple[int, ...], theirs: tuple[int, ...], dtype: str) -> int:
    """How many ids are equal until the first that is not. In float32 all must be.

    In 16 bits, scores of random weights lie so close that another order of sums may tip a choice: the first id counts.
    """
    equal = next((place for place, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]), len(ours))
    if equal < (len(ours) if dtype == "float32" else 1):
        raise SystemExit(f"the two do not say the same: {ours} and {theirs}")
    return equal
