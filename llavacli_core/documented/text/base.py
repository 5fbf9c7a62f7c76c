"""What the documented processors share: parts as attributes, conversations, decoding, reading and writing."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

from llavacli_core.documented.folders import folder_for, folder_of, hub_options, write_json
from llavacli_core.documented.images.base import BaseImageProcessor
from llavacli_core.documented.images.classes import AutoImageProcessor
from llavacli_core.documented.images.video import LlavaNextVideoVideoProcessor
from llavacli_core.documented.text.tokenizers import PreTrainedTokenizerFast

OF_WORDS = ("padding_side", "truncation_side", "model_max_length", "chat_template")


class ProcessorMixin:
    """A tokenizer, an image processor and, in some, a video processor, asked together."""

    stored: ClassVar[tuple[str, ...]] = ()  # attributes that processor_config.json keeps

    video_processor: LlavaNextVideoVideoProcessor | None = None

    def __init__(self, image_processor: BaseImageProcessor, tokenizer: PreTrainedTokenizerFast, **_: Any) -> None:
        self.image_processor = image_processor
        self.tokenizer = tokenizer

    @property
    def model_input_names(self) -> list[str]:
        """What a call gives."""
        videos = [] if self.video_processor is None else self.video_processor.model_input_names
        return [*videos, *self.image_processor.model_input_names, *self.tokenizer.model_input_names]

    @property
    def chat_template(self) -> str | None:
        """The Jinja template of conversations."""
        return self.tokenizer.chat_template

    @chat_template.setter
    def chat_template(self, source: str | None) -> None:
        self.tokenizer.chat_template = source

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """As the tokenizer's."""
        return self.tokenizer.decode(*args, **kwargs)

    def batch_decode(self, *args: Any, **kwargs: Any) -> list[str]:
        """As the tokenizer's."""
        return self.tokenizer.batch_decode(*args, **kwargs)

    def post_process_image_text_to_text(
        self, generated_outputs: Any, skip_special_tokens: bool = True, **kwargs: Any
    ) -> list[str]:
        """The texts of generated ids, without special tokens."""
        return self.tokenizer.batch_decode(generated_outputs, skip_special_tokens, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> Self:
        """The processor of a folder, a Hub id or an alias; keywords replace what its files say."""
        return cls.from_folder(folder_of(pretrained_model_name_or_path, **hub_options(kwargs)), **kwargs)

    @classmethod
    def from_folder(cls, folder: Path, **kwargs: Any) -> Self:
        """The processor of a folder."""
        words = {name: kwargs.pop(name) for name in [*kwargs] if cls._is_of_words(name)}
        stored = {name: kwargs.pop(name) for name in cls.stored if name in kwargs}
        return cls(
            image_processor=cls.read_images(folder, kwargs),
            tokenizer=PreTrainedTokenizerFast.from_pretrained(folder, **words),
            **(cls.settings(folder) | stored),
        )

    @classmethod
    def _is_of_words(cls, name: str) -> bool:
        """Whether a keyword is the tokenizer's."""
        return name in OF_WORDS or (name.endswith("_token") and name not in cls.stored)

    @classmethod
    def read_images(cls, folder: Path, changes: dict[str, Any]) -> BaseImageProcessor:
        """The image processor of a folder, some of its parameters changed."""
        return AutoImageProcessor.from_pretrained(folder, **changes)

    @classmethod
    def settings(cls, folder: Path) -> dict[str, Any]:
        """The keywords of the constructor that a folder's files give."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """What processor_config.json holds."""
        values = {name: getattr(self, name) for name in self.stored}
        values |= {"processor_class": type(self).__name__, "image_processor": self.image_processor.to_dict()}
        return values if self.video_processor is None else values | {"video_processor": self.video_processor.to_dict()}

    def save_pretrained(self, save_directory: str | PathLike[str], **_: Any) -> None:
        """Write the tokenizer's files and processor_config.json into a folder."""
        folder = folder_for(save_directory)
        self.tokenizer.save_pretrained(folder)
        write_json(folder / "processor_config.json", self.to_dict())

    def __repr__(self) -> str:
        parts = (self.image_processor, self.video_processor, self.tokenizer)
        return f"{type(self).__name__}({', '.join(type(part).__name__ for part in parts if part is not None)})"
