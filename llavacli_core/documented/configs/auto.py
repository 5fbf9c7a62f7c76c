"""The config classes by `model_type`, and the one that picks among them."""

from __future__ import annotations

from os import PathLike
from typing import Any

from llavacli_core.documented.configs import multimodal
from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.folders import folder_of, hub_options
from llavacli_core.errors import UnsupportedModel
from llavacli_core.prompt.files import read_json


class AutoConfig:
    """Reads a config.json into the class that its `model_type` names."""

    @staticmethod
    def for_model(model_type: str, *args: Any, **kwargs: Any) -> PreTrainedConfig:
        """A config of the class that `model_type` names."""
        return multimodal.class_of(model_type)(*args, **kwargs)

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> Any:
        """The config of a folder, a Hub id or an alias; keywords as of `PreTrainedConfig.from_dict`."""
        folder = folder_of(pretrained_model_name_or_path, **hub_options(kwargs))
        values = read_json(folder / "config.json")
        if "model_type" not in values:
            raise UnsupportedModel(f"{folder}: no config.json, or one without model_type", hint="name the config class")
        values["name_or_path"] = str(pretrained_model_name_or_path)
        return multimodal.class_of(values["model_type"]).from_dict(values, **kwargs)
