"""The model classes by `model_type`, and those that pick among them."""

from __future__ import annotations

from os import PathLike
from typing import Any, ClassVar

import torch

from llavacli_core.documented.configs.auto import AutoConfig
from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.folders import folder_of
from llavacli_core.documented.models.captioner import VisionEncoderDecoderModel
from llavacli_core.documented.models.llava import LlavaForConditionalGeneration
from llavacli_core.documented.models.llava_next import LlavaNextForConditionalGeneration
from llavacli_core.documented.models.llava_next_video import LlavaNextVideoForConditionalGeneration
from llavacli_core.documented.models.pretrained import PreTrainedModel
from llavacli_core.documented.models.vipllava import VipLlavaForConditionalGeneration
from llavacli_core.errors import UnsupportedModel

LLAVAS: tuple[type[PreTrainedModel], ...] = (
    LlavaForConditionalGeneration,
    LlavaNextForConditionalGeneration,
    LlavaNextVideoForConditionalGeneration,
    VipLlavaForConditionalGeneration,
)


class AutoModelForImageTextToText:
    """The model class that a checkpoint's config.json calls for."""

    classes: ClassVar[tuple[type[PreTrainedModel], ...]] = (*LLAVAS, VisionEncoderDecoderModel)

    @classmethod
    def from_config(cls, config: PreTrainedConfig, *, dtype: torch.dtype | str | None = None) -> PreTrainedModel:
        """A model of random weights."""
        model = cls.class_of(config.model_type)(config)
        return model if dtype is None else model.to(getattr(torch, dtype) if isinstance(dtype, str) else dtype)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> PreTrainedModel:
        """The model of a folder, a Hub id or an alias; keywords as of its class."""
        where = {name: kwargs[name] for name in ("revision", "local_files_only") if kwargs.get(name) is not None}
        config = AutoConfig.from_pretrained(folder_of(pretrained_model_name_or_path, **where))
        return cls.class_of(config.model_type).from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def class_of(cls, model_type: str) -> type[PreTrainedModel]:
        """The class for a `model_type`."""
        for each in cls.classes:
            if each.config_class.model_type == model_type:
                return each
        known = ", ".join(each.config_class.model_type for each in cls.classes)
        raise UnsupportedModel(f"{cls.__name__} has no model type {model_type!r}", hint=f"known: {known}")


class AutoModelForVision2Seq(AutoModelForImageTextToText):
    """The name that transformers 4 had for it."""
