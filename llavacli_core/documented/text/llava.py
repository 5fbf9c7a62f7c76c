"""The documented processor of LLaVA: placeholders widened to what pictures take, rows padded; its siblings' base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from llavacli_core.documented.batch import BatchFeature
from llavacli_core.documented.images.base import BaseImageProcessor
from llavacli_core.documented.text.base import ProcessorMixin
from llavacli_core.documented.text.conversations import is_batch, messages_of, sources_of
from llavacli_core.documented.text.keywords import cut_to, texts_of
from llavacli_core.documented.text.routing import Routed, route
from llavacli_core.documented.text.tokenizers import PreTrainedTokenizerFast
from llavacli_core.errors import BadOption, PromptError
from llavacli_core.messages import Image, Message, Video
from llavacli_core.prompt.files import read_json
from llavacli_core.prompt.layout import widen, write
from llavacli_core.prompt.template import Template


class LlavaProcessor(ProcessorMixin):
    """The processor of LLaVA, ViP-LLaVA and llava-interleave: a picture is one tile."""

    stored: ClassVar[tuple[str, ...]] = (
        "patch_size",
        "vision_feature_select_strategy",
        "image_token",
        "num_additional_image_tokens",
    )
    tensors: ClassVar[str | None] = None  # what a call gives unless told otherwise

    def __init__(
        self,
        image_processor: BaseImageProcessor,
        tokenizer: PreTrainedTokenizerFast,
        patch_size: int | None = None,
        vision_feature_select_strategy: str | None = None,
        chat_template: str | None = None,
        image_token: str = "<image>",
        num_additional_image_tokens: int = 0,
        **_: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer)
        self.patch_size = patch_size
        self.vision_feature_select_strategy = vision_feature_select_strategy
        self.image_token = getattr(tokenizer, "image_token", None) or image_token
        self.num_additional_image_tokens = num_additional_image_tokens
        if chat_template is not None:
            self.chat_template = chat_template

    @property
    def image_token_id(self) -> int | None:
        """The id of pictures' tokens."""
        return self.tokenizer.tokenizer.id_of(self.image_token)

    video_token: str | None = None
    video_token_id: int | None = None

    def __call__(
        self, images: Any = None, text: str | Sequence[str] | None = None, videos: Any = None, **kwargs: Any
    ) -> BatchFeature:
        """`input_ids`, `attention_mask`, `pixel_values` and what else the model takes of prompts and what they show.

        Each placeholder in the prompts becomes as many tokens as its picture or video takes. `images` and `videos` are
        in the order of the prompts, in lists or lists of lists. Keywords are the tokenizer's (padding, padding_side,
        truncation, max_length), the image processor's and the video processor's, and `return_tensors`.
        """
        if images is None and text is None and videos is None:
            raise BadOption(f"{type(self).__name__} was given nothing", hint="give text, images or both")
        routed = route(kwargs, self.tensors)
        if text is None:
            return self._batch(None, images, videos, routed)
        special = routed.text.pop("add_special_tokens", True)
        rows = [self.tokenizer.row(each, None, add_special_tokens=special) for each in texts_of(text)]
        return self._batch(rows, images, videos, routed)

    def apply_chat_template(
        self,
        conversation: Any,
        chat_template: str | None = None,
        *,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        return_dict: bool = False,
        processor_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """The prompt of a conversation or the prompts of several; tokenized, all that a call gives of them.

        Pictures and videos are those that the conversations name. What was typed never acts as a placeholder. Without
        `return_dict`, `input_ids` alone. Further keywords as of a call; of a text alone, `continue_final_message` and
        the template's variables.
        """
        batch = is_batch(conversation)
        template = self.tokenizer.template(chat_template)
        if not tokenize:
            return self.tokenizer.prompts(
                conversation, template, {**kwargs, "add_generation_prompt": add_generation_prompt}
            )
        turns = [messages_of(each) for each in (conversation if batch else [conversation])]
        routed = route({**kwargs, **(processor_kwargs or {})}, self.tensors)
        special = routed.text.pop("add_special_tokens", True)  # unless the template writes them
        if routed.videos.get("num_frames") is not None or routed.videos.get("fps") is not None:
            routed.videos.setdefault("do_sample_frames", True)
        rows = [
            self._row(each, template, add_generation_prompt=add_generation_prompt, add_special_tokens=special)
            for each in turns
        ]
        images, videos = ([source for each in turns for source in sources_of(each, kind)] for kind in (Image, Video))
        found = self._batch(rows, images or None, videos or None, routed)
        return found if return_dict else found["input_ids"]

    def _row(
        self, turns: list[Message], template: Template, *, add_generation_prompt: bool, add_special_tokens: bool
    ) -> tuple[int, ...]:
        """The ids of a conversation, one placeholder for each picture and video."""
        prompt = write(
            turns,
            template,
            self.tokenizer.tokenizer,
            self.image_token,
            video_token=self.video_token,
            add_generation_prompt=add_generation_prompt,
            add_special_tokens=add_special_tokens,
        )
        return prompt.token_ids

    def _batch(self, rows: Sequence[Sequence[int]] | None, images: Any, videos: Any, routed: Routed) -> BatchFeature:
        """Prompts with one placeholder for each picture and video, and these, as a batch."""
        seen: dict[str, Any] = {}
        image_counts: list[int] = []
        video_counts: list[int] = []
        if images is not None:
            pictures = self.image_processor(images, return_tensors=routed.return_tensors, **routed.images)
            seen |= pictures
            image_counts = [] if rows is None else self.image_counts(pictures, routed.images)
        if videos is not None:
            if self.video_processor is None:
                raise BadOption(f"{type(self).__name__} takes no videos", hint="take a checkpoint of LLaVA-NeXT-Video")
            clips = self.video_processor(videos, return_tensors=routed.return_tensors, **routed.videos)
            seen |= clips
            video_counts = [] if rows is None else self.video_counts(clips)
        if rows is None:
            return BatchFeature(seen)
        wide = self._widened(rows, image_counts, video_counts)
        words = {"padding": False, **routed.text}
        most = words.get("max_length"), self.tokenizer.model_max_length
        limit = cut_to(words.pop("truncation", None), words["padding"], *most)
        cut = wide if limit is None else [self._cut(row, limit) for row in wide]
        ids = self.tokenizer.pad(cut, return_tensors=routed.return_tensors, **words)
        return BatchFeature({**ids, **seen})

    def _widened(self, rows: Sequence[Sequence[int]], images: list[int], videos: list[int]) -> list[tuple[int, ...]]:
        """The rows, each placeholder repeated as often as its picture or video has tokens."""
        left_images, left_videos = iter(images), iter(videos)
        wide = [
            widen(
                row,
                -1 if self.image_token_id is None else self.image_token_id,
                _taken(row, self.image_token_id, left_images),
                self.video_token_id,
                _taken(row, self.video_token_id, left_videos),
            ).token_ids
            for row in rows
        ]
        for kind, left in (("pictures", left_images), ("videos", left_videos)):
            over = len(list(left))
            if over:
                raise PromptError(f"{over} {kind} were given for which no prompt has a place")
        return wide

    def _cut(self, row: tuple[int, ...], limit: int) -> tuple[int, ...]:
        """The row cut to `limit` ids, which must not hit a picture."""
        kept = row[:limit]
        if self.tokenizer.truncation_side == "left" and len(row) > limit:
            first = min(self.tokenizer.leading(row), limit)  # what a tokenizer puts around a text is never cut off
            kept = row[:first] + row[len(row) - limit + first :]
        for token_id in (self.image_token_id, self.video_token_id):
            if token_id is not None and kept.count(token_id) != row.count(token_id):
                raise BadOption(
                    f"a prompt of {len(row)} tokens cannot be cut to {limit} without cutting a picture",
                    hint="truncation=False, or a larger max_length",
                )
        return kept

    def image_counts(self, pictures: BatchFeature, kwargs: dict[str, Any]) -> list[int]:
        """The tokens of each picture."""
        return [self.tile_tokens(pixels) for pixels in pictures["pixel_values"]]

    def video_counts(self, clips: BatchFeature) -> list[int]:
        """The tokens of each video."""
        raise BadOption(f"{type(self).__name__} takes no videos", hint="take a checkpoint of LLaVA-NeXT-Video")

    def tile_tokens(self, pixels: Any) -> int:
        """The tokens of one tile [..., H, W]: its patches, and [CLS] where that is kept."""
        height, width = (edge // self.patch for edge in pixels.shape[-2:])
        dropped = self.vision_feature_select_strategy == "default"
        return int(height * width) + self.num_additional_image_tokens - dropped

    @property
    def patch(self) -> int:
        """`patch_size`, which files may lack."""
        if self.patch_size is None:
            raise BadOption(
                f"this {type(self).__name__} has no patch_size, so pictures cannot be counted",
                hint="processor.patch_size = model.config.vision_config.patch_size",
            )
        return self.patch_size

    @classmethod
    def settings(cls, folder: Path) -> dict[str, Any]:
        """processor_config.json's; where that is silent, what config.json says of the tower."""
        stored = {
            name: value for name, value in read_json(folder / "processor_config.json").items() if value is not None
        }
        config = read_json(folder / "config.json")
        tower = config.get("vision_config") or {}
        found = {
            "patch_size": tower.get("patch_size", 14 if config else None),
            "vision_feature_select_strategy": config.get("vision_feature_select_strategy", "default"),
            "num_additional_image_tokens": int(tower.get("model_type", "clip_vision_model") == "clip_vision_model"),
        }
        return {
            name: stored.get(name, found.get(name))
            for name in (*cls.stored, "chat_template")
            if name in stored or name in found
        }


def _taken(row: Sequence[int], token_id: int | None, left: Iterator[int]) -> list[int]:
    """As many of the counts that are left as the row has places."""
    places = sum(each == token_id for each in row)
    return [count for _, count in zip(range(places), left, strict=False)]
