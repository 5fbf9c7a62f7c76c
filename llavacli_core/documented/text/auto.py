"""The processor classes by the name that files give, or by `model_type`, and the one that picks among them."""

from __future__ import annotations

from os import PathLike
from typing import Any

from llavacli_core.documented.folders import folder_of, hub_options
from llavacli_core.documented.text.base import ProcessorMixin
from llavacli_core.documented.text.llava import LlavaProcessor
from llavacli_core.documented.text.llava_next import LlavaNextProcessor, LlavaNextVideoProcessor
from llavacli_core.documented.text.trocr import TrOCRProcessor
from llavacli_core.errors import UnsupportedModel
from llavacli_core.prompt.files import read_json


class AutoProcessor:
    """Reads a folder into the processor that its files name, or that its model_type implies."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> ProcessorMixin:
        """The processor of a folder, a Hub id or an alias; keywords replace what its files say."""
        folder = folder_of(pretrained_model_name_or_path, **hub_options(kwargs))
        files = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
        named = next((name for file in files if (name := read_json(folder / file).get("processor_class"))), None)
        model_type = read_json(folder / "config.json").get("model_type")
        for processor, model_types in CLASSES.items():
            if named == processor.__name__ or (named is None and model_type in model_types):
                return processor.from_folder(folder, **kwargs)
        raise UnsupportedModel(
            f"{folder}: no processor is known for {named or model_type!r}",
            hint=f"known: {', '.join(each.__name__ for each in CLASSES)}",
        )


CLASSES: dict[type[ProcessorMixin], tuple[str, ...]] = {
    LlavaProcessor: ("llava", "vipllava"),
    LlavaNextProcessor: ("llava_next",),
    LlavaNextVideoProcessor: ("llava_next_video",),
    TrOCRProcessor: ("vision-encoder-decoder",),
}
