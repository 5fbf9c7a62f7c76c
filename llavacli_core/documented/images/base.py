"""What the documented image processors share: parameters as attributes, replaced for a call, read and written."""

from __future__ import annotations

import json
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from llavacli_core.config import ImageConfig
from llavacli_core.documented.batch import BatchFeature, Tensors
from llavacli_core.documented.folders import folder_for, folder_of, hub_options, write_json
from llavacli_core.documented.images.pictures import Layout, taken, tiles_of
from llavacli_core.errors import BadOption
from llavacli_core.families.preprocessor import PROCESSORS
from llavacli_core.prompt.files import read_json

Size = dict[str, int] | int | tuple[int, int] | list[int]
Channels = float | tuple[float, ...] | list[float]


class ImagesKwargs(TypedDict, total=False):
    """The parameters of an image processor, for good or for one call; None means the default."""

    do_resize: bool | None
    size: Size | None
    image_grid_pinpoints: list[list[int]] | None
    resample: int | None
    do_center_crop: bool | None
    crop_size: Size | None
    do_rescale: bool | None
    rescale_factor: float | None
    do_normalize: bool | None
    image_mean: Channels | None
    image_std: Channels | None
    do_pad: bool | None
    do_convert_rgb: bool | None


PARAMETERS = tuple(ImagesKwargs.__annotations__)


class CallKwargs(ImagesKwargs, total=False):
    """What may be said for one call alone besides."""

    return_tensors: Tensors
    data_format: Layout
    input_data_format: Layout


class BaseImageProcessor:
    """Pictures to `pixel_values`. The class attributes are the defaults of the documents.

    Every picture becomes RGB, whatever `do_convert_rgb` says, as no network here takes another number of channels.
    """

    model_input_names: ClassVar[list[str]] = ["pixel_values"]
    default_to_square: ClassVar[bool]  # what a bare number means for `size`

    do_resize: bool = True
    size: dict[str, int]
    image_grid_pinpoints: list[list[int]] | None = None
    resample: int
    do_center_crop: bool
    crop_size: dict[str, int] | None
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: Channels
    image_std: Channels
    do_pad: bool = False
    do_convert_rgb: bool = True

    def __init_subclass__(cls, kind: str | None = None) -> None:
        """The defaults are those that `families` assumes where a file of this `kind` is silent."""
        if kind is not None:
            silent = PROCESSORS[kind]
            cls.default_to_square = silent.square
            cls.size = cls._as_size(silent.size, square=silent.square)
            cls.resample = silent.resample
            cls.do_center_crop = silent.do_center_crop
            cls.crop_size = None if silent.crop_size is None else cls._as_size(silent.crop_size, square=True)
            cls.image_mean, cls.image_std = list(silent.image_mean), list(silent.image_std)

    def __init__(self, **kwargs: Unpack[ImagesKwargs]) -> None:
        given: dict[str, Any] = {name: value for name, value in kwargs.items() if value is not None}
        for name in PARAMETERS:
            setattr(self, name, given.pop(name) if name in given else deepcopy(getattr(type(self), name)))
        self._named = PARAMETERS + tuple(given)
        self.__dict__.update(given)  # what files hold besides
        self.size = self._as_size(self.size, square=self.default_to_square)
        self.crop_size = None if self.crop_size is None else self._as_size(self.crop_size, square=True)

    def __call__(self, images: Any, **kwargs: Unpack[CallKwargs]) -> BatchFeature:
        """As `preprocess`."""
        return self.preprocess(images, **kwargs)

    def preprocess(self, images: Any, **kwargs: Unpack[CallKwargs]) -> BatchFeature:
        """`pixel_values` [B, 3, H, W] of pictures in any form, single or in lists of lists."""
        call = self.for_call(dict(kwargs))
        config = self.config_for(call)
        pixels = [tiles_of(given, config).pixels[0] for given in taken(images, call["input_data_format"])]
        return BatchFeature({"pixel_values": self._laid_out(pixels, call)}, call["return_tensors"])

    def for_call(self, given: dict[str, Any]) -> dict[str, Any]:
        """All parameters of one call."""
        call = {name: getattr(self, name) for name in PARAMETERS}
        call |= dict.fromkeys(("return_tensors", "data_format", "input_data_format"))
        unknown = given.keys() - call.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no parameter {sorted(unknown)[0]!r}")
        return call | {name: value for name, value in given.items() if value is not None}

    def config_for(self, call: dict[str, Any]) -> ImageConfig:
        """The parameters of a call as `media` takes them."""
        size = self._as_size(call["size"], square=self.default_to_square)
        crop = None if call["crop_size"] is None else self._as_size(call["crop_size"], square=True)
        pinpoints = call["image_grid_pinpoints"]
        return ImageConfig(
            do_resize=call["do_resize"],
            shortest_edge=size.get("shortest_edge"),
            size=(size["height"], size["width"]) if "height" in size else None,
            resample=int(call["resample"]),
            do_center_crop=call["do_center_crop"],
            crop_size=None if crop is None else (crop["height"], crop["width"]),
            do_rescale=call["do_rescale"],
            rescale_factor=call["rescale_factor"],
            do_normalize=call["do_normalize"],
            image_mean=_three(call["image_mean"]),
            image_std=_three(call["image_std"]),
            pad_to_square=False,
            image_grid_pinpoints=None if pinpoints is None else tuple((height, width) for height, width in pinpoints),
        )

    @staticmethod
    def _as_size(size: Size, *, square: bool) -> dict[str, int]:
        """`{"shortest_edge"}` or `{"height", "width"}`, whatever it was given as."""
        if isinstance(size, int):
            return {"height": size, "width": size} if square else {"shortest_edge": size}
        if isinstance(size, (tuple, list)):
            return {"height": size[0], "width": size[1]}
        known = {name: value for name, value in dict(size).items() if value is not None}
        if known.keys() not in ({"shortest_edge"}, {"height", "width"}):
            raise BadOption(f"a size of {size}", hint="give shortest_edge, or height and width")
        return known

    @staticmethod
    def _laid_out(pixels: list[NDArray[np.float32]], call: dict[str, Any]) -> list[NDArray[np.float32]]:
        """The pictures [..., 3, H, W] with their channels where `data_format` wants them."""
        if call["data_format"] == "channels_last":
            return [np.moveaxis(each, -3, -1) for each in pixels]
        return pixels

    def to_dict(self) -> dict[str, Any]:
        """What preprocessor_config.json holds."""
        values = {name: getattr(self, name) for name in self._named}
        kept = {name: value for name, value in values.items() if value is not None}
        return {**kept, "image_processor_type": type(self).__name__}

    def to_json_string(self) -> str:
        """preprocessor_config.json's text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, save_directory: str | PathLike[str], **_: Any) -> None:
        """Write preprocessor_config.json into a folder."""
        write_json(folder_for(save_directory) / "preprocessor_config.json", self.to_dict())

    @classmethod
    def from_dict(cls, image_processor_dict: dict[str, Any], **kwargs: Any) -> Self:
        """From what a preprocessor_config.json holds; keywords replace its values."""
        kinds = ("image_processor_type", "feature_extractor_type", "video_processor_type")
        return cls(**{name: value for name, value in (image_processor_dict | kwargs).items() if name not in kinds})

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> Self:
        """The processor of a folder, a Hub id or an alias; keywords replace its values."""
        folder = folder_of(pretrained_model_name_or_path, **hub_options(kwargs))
        return cls.from_dict(cls.read_settings(folder), **kwargs)

    @staticmethod
    def read_settings(folder: Path) -> dict[str, Any]:
        """preprocessor_config.json, or its section of processor_config.json."""
        section = read_json(folder / "processor_config.json").get("image_processor")
        values: dict[str, Any] = section or read_json(folder / "preprocessor_config.json")
        if not values:
            raise BadOption(f"{folder}: no preprocessor_config.json, or an empty one", hint="name a checkpoint")
        return values

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def _three(values: Channels) -> tuple[float, ...]:
    """One number for each channel."""
    return (float(values),) * 3 if isinstance(values, (int, float)) else tuple(float(value) for value in values)
