"""The documented `pipeline("image-text-to-text")`: a processor and a model, from conversations to answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llavacli_core.documented.batch import BatchFeature
from llavacli_core.documented.models.auto import AutoModelForImageTextToText
from llavacli_core.documented.text.auto import AutoProcessor
from llavacli_core.documented.text.conversations import is_batch
from llavacli_core.errors import BadOption

TASK = "image-text-to-text"
MOST_TOKENS = 256  # unless the call or the checkpoint says otherwise
RESIDUE = 2  # characters that may stand before a prompt once it is decoded


def pipeline(
    task: str = TASK,
    model: Any = None,
    *,
    processor: Any = None,
    device: Any = None,
    model_kwargs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> ImageTextToTextPipeline:
    """A function from pictures and words to words; keywords as of the model's `from_pretrained`.

    `model` is a folder, a Hub id or an alias; or a model, with its `processor`. `device` is a name, or a GPU's number,
    of which -1 is the CPU.
    """
    if task != TASK:
        raise BadOption(f"there is no pipeline for {task!r}", hint=f"{TASK} is the one")
    if model is None:
        raise BadOption("a pipeline needs a model", hint="name a folder, a Hub id or an alias")
    if hasattr(model, "generate"):
        if processor is None:
            raise BadOption(
                "a model of its own needs its processor", hint="processor=AutoProcessor.from_pretrained(...)"
            )
        return ImageTextToTextPipeline(model if device is None else model.to(torch_device(device)), processor)
    kwargs |= model_kwargs or {}
    if device is not None:
        if kwargs.get("device_map") is not None:
            raise BadOption("device and device_map are both set", hint="choose one")
        kwargs["device_map"] = torch_device(device)
    found = AutoProcessor.from_pretrained(model) if processor is None else processor
    return ImageTextToTextPipeline(AutoModelForImageTextToText.from_pretrained(model, **kwargs), found)


def torch_device(device: Any) -> Any:
    """A device as torch has it, of which -1 is the CPU."""
    return "cpu" if device == -1 else device


class ImageTextToTextPipeline:
    """Answers conversations, or prompts with their pictures."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor

    @property
    def tokenizer(self) -> Any:
        """The processor's."""
        return self.processor.tokenizer

    def __call__(
        self,
        images: Any = None,
        text: Any = None,
        *,
        return_full_text: bool = True,
        generate_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """`input_text` and `generated_text` of a conversation, or a list of such lists of several.

        Of a prompt with its `images`, the same. Without `return_full_text` the answer alone. Keywords are those of
        `generate`.
        """
        asked = {**kwargs, **(generate_kwargs or {})}
        given, pictures = (images, None) if text is None else (text, images)
        if _is_chat(given):
            return [self._chat(given, asked, full=return_full_text)]
        if is_batch(given):
            return [[self._chat(each, asked, full=return_full_text)] for each in given]
        if not isinstance(given, str):
            raise BadOption("a pipeline takes a conversation, or a prompt and its pictures")
        inputs = self.processor(images=pictures, text=given, return_tensors="pt")
        answer = self._answer(inputs, asked)
        return [{"input_text": given, "generated_text": given + answer if return_full_text else answer}]

    def _chat(self, messages: list[dict[str, Any]], asked: dict[str, Any], *, full: bool) -> dict[str, Any]:
        """The answer to one conversation, as its next turn where `full`."""
        if messages[-1]["role"] == "assistant":
            raise BadOption("the conversation ends with an answer", hint="end it with a question")
        inputs = self.processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        answer = self._answer(inputs, asked)
        turns = [*messages, {"role": "assistant", "content": answer}]
        return {"input_text": messages, "generated_text": turns if full else answer}

    def _answer(self, inputs: BatchFeature, asked: dict[str, Any]) -> str:
        """The text after the prompt's, both decoded alike; the prompt's may have lost what is before its first word."""
        limits = ("max_new_tokens", "max_length")
        stated = any(asked.get(name) or getattr(self.model.generation_config, name, None) for name in limits)
        limit = {} if stated else {"max_new_tokens": MOST_TOKENS}
        ids = self.model.generate(**inputs.to(self.model.device, self.model.dtype), **limit, **asked)
        prompt, whole = (self.processor.decode(row[0], skip_special_tokens=True) for row in (inputs["input_ids"], ids))
        start = whole.find(prompt)
        return str(whole[start + len(prompt) :] if 0 <= start <= RESIDUE else whole)


def _is_chat(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and bool(given) and isinstance(given[0], Mapping)
