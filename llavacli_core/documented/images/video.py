"""The documented video processors: frames chosen, then each prepared as a picture by CLIP's rules."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np
from PIL import Image

from llavacli_core.documented.batch import BatchFeature
from llavacli_core.documented.folders import folder_for, write_json
from llavacli_core.documented.images.base import BaseImageProcessor, CallKwargs
from llavacli_core.documented.images.pictures import taken, tiles_of
from llavacli_core.errors import BadOption
from llavacli_core.media.sampling import uniform
from llavacli_core.messages import Video
from llavacli_core.prompt.files import read_json


class VideosKwargs(CallKwargs, total=False):
    """What may be said for a call on videos besides: how many frames are looked at, or how many a second."""

    num_frames: int | None
    fps: float | None
    do_sample_frames: bool | None
    return_metadata: bool | None
    video_metadata: Any


class LlavaNextVideoVideoProcessor(BaseImageProcessor, kind="LlavaNextVideo"):
    """Videos to `pixel_values_videos`. A file gives all its frames unless `num_frames` or `fps` is given."""

    model_input_names: ClassVar[list[str]] = ["pixel_values_videos"]

    num_frames: int | None = None
    fps: float | None = None
    do_sample_frames: bool = False  # whether frames are chosen of arrays and lists too

    def __call__(self, videos: Any, **kwargs: Unpack[VideosKwargs]) -> BatchFeature:
        """As `preprocess`."""
        return self.preprocess(videos, **kwargs)

    def preprocess(self, videos: Any, **kwargs: Unpack[VideosKwargs]) -> BatchFeature:
        """`pixel_values_videos` [B, F, 3, H, W] of videos: files, arrays [F, H, W, C] or lists of frames."""
        given: dict[str, Any] = dict(kwargs)
        wanted = {name: given.pop(name, None) for name in ("num_frames", "fps", "do_sample_frames")}
        for name in ("return_metadata", "video_metadata"):
            given.pop(name, None)
        settled = {name: getattr(self, name) if value is None else value for name, value in wanted.items()}
        call = self.for_call(given)
        config = self.config_for(call)
        clips = []
        for video in separate(videos):
            frames = taken(frames_of(video, **settled), call["input_data_format"])
            clips.append(np.concatenate([tiles_of(frame, config).pixels for frame in frames]))
        return BatchFeature({"pixel_values_videos": self._laid_out(clips, call)}, call["return_tensors"])

    def to_dict(self) -> dict[str, Any]:
        """What video_preprocessor_config.json holds."""
        values = super().to_dict()
        del values["image_processor_type"]
        return {**values, "do_sample_frames": self.do_sample_frames, "video_processor_type": type(self).__name__}

    def save_pretrained(self, save_directory: str | PathLike[str], **_: Any) -> None:
        """Write video_preprocessor_config.json into a folder."""
        write_json(folder_for(save_directory) / "video_preprocessor_config.json", self.to_dict())

    @staticmethod
    def read_settings(folder: Path) -> dict[str, Any]:
        """The section of processor_config.json, a file of its own, or the pictures' where videos have none."""
        section: dict[str, Any] | None = read_json(folder / "processor_config.json").get("video_processor")
        return (
            section
            or read_json(folder / "video_preprocessor_config.json")
            or BaseImageProcessor.read_settings(folder) | {"image_grid_pinpoints": None, "do_pad": None}
        )


class LlavaNextVideoImageProcessor(LlavaNextVideoVideoProcessor):
    """The same under its first name, with the videos called `images`."""

    def __call__(self, images: Any, **kwargs: Unpack[VideosKwargs]) -> BatchFeature:
        """As `preprocess`."""
        return self.preprocess(images, **kwargs)

    def preprocess(self, images: Any, **kwargs: Unpack[VideosKwargs]) -> BatchFeature:
        """`pixel_values_videos` [B, F, 3, H, W] of videos: files, arrays [F, H, W, C] or lists of frames."""
        return super().preprocess(images, **kwargs)


AutoVideoProcessor = LlavaNextVideoVideoProcessor  # no other family here takes videos


def separate(videos: Any) -> list[Any]:
    """One list of the videos in a video, a list of them, or lists of lists."""
    if isinstance(videos, (list, tuple)):
        if videos and all(_is_frame(each) for each in videos):
            return [videos]
        return [video for each in videos for video in separate(each)]
    if isinstance(videos, (str, bytes, PathLike)):
        return [videos]
    if not hasattr(videos, "ndim") or videos.ndim not in (4, 5):
        raise BadOption(f"a video cannot be a {type(videos).__name__} of this kind", hint="give frames [F, H, W, 3]")
    return list(videos) if videos.ndim == 5 else [videos]


def frames_of(video: Any, *, num_frames: int | None, fps: float | None, do_sample_frames: bool) -> Any:
    """The frames of a file that are wanted; those of arrays and lists as they are, unless sampling is asked for."""
    if not isinstance(video, (str, bytes, PathLike)):
        return [video[place] for place in uniform(len(video), num_frames if do_sample_frames else None)]
    from llavacli_core.media.clip import read_clip  # only those who show videos pay for PyAV

    return list(read_clip(Video(video, frames=num_frames, fps=fps), default_frames=None).pictures)


def _is_frame(value: Any) -> bool:
    return isinstance(value, Image.Image) or (hasattr(value, "ndim") and value.ndim == 3)
