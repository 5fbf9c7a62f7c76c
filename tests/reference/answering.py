"""The reference at work: transformers loads a folder and answers a conversation, greedily, in float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.reference.cases import Case
from tests.reference.video import VideoProcessor

CLEAR = 3e-4  # between the first and the second choice: above what the order of float32 additions moves


@dataclass(frozen=True)
class Answer:
    """What the reference made of a case."""

    prompt_text: str
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    text: str


class Reference:
    """A checkpoint as transformers runs it: its Pillow image processor, its tokenizer, its `generate`."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        takes_videos = self.model.config.model_type == "llava_next_video"
        self.processor: Any = (
            VideoProcessor(folder) if takes_videos else AutoProcessor.from_pretrained(folder, backend="pil")
        )

    def answer(self, case: Case, max_tokens: int) -> Answer:
        """The prompt, its ids with pictures widened, and the new ids and their text."""
        inputs = self.inputs(case)
        length = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            generated = self.model.generate(
                **inputs, max_new_tokens=max_tokens, do_sample=False, return_dict_in_generate=True, output_logits=True
            )
        ids = generated.sequences[0].tolist()
        best, second = torch.cat(generated.logits).topk(2).values.unbind(-1)
        assert (best - second).min() > CLEAR, f"{case.name}: two tokens nearly tie; give the checkpoint another seed"
        return Answer(
            prompt_text=self.processor.apply_chat_template(case.conversation, add_generation_prompt=True),
            prompt_ids=tuple(ids[:length]),
            token_ids=tuple(ids[length:]),
            text=self.processor.tokenizer.decode(ids[length:], skip_special_tokens=True),
        )

    def inputs(self, case: Case) -> Any:
        """Ids and pixels of the conversation, ready for the model; a BOS that the template writes is not doubled."""
        return self.processor.apply_chat_template(
            case.conversation, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
