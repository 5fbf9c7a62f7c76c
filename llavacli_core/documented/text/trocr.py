"""The documented processor of encoder-decoders: TrOCR's, which serves every captioner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llavacli_core.documented.batch import BatchFeature
from llavacli_core.documented.text.base import ProcessorMixin
from llavacli_core.documented.text.routing import route
from llavacli_core.errors import BadOption


class TrOCRProcessor(ProcessorMixin):
    """The processor of encoder-decoders: pictures for the encoder, texts as the labels of the decoder."""

    @property
    def model_input_names(self) -> list[str]:
        """What a call gives."""
        return [*self.image_processor.model_input_names, "labels"]

    def __call__(self, images: Any = None, text: str | Sequence[str] | None = None, **kwargs: Any) -> BatchFeature:
        """`pixel_values` of pictures, `input_ids` of texts, and of both `pixel_values` and `labels`."""
        if images is None and text is None:
            raise BadOption("TrOCRProcessor was given nothing", hint="give images, text or both")
        routed = route(kwargs)
        if text is None:
            return self.image_processor(images, return_tensors=routed.return_tensors, **routed.images)
        words = self.tokenizer(text, return_tensors=routed.return_tensors, **routed.text)
        if images is None:
            return words
        pictures = self.image_processor(images, return_tensors=routed.return_tensors, **routed.images)
        return BatchFeature({**pictures, "labels": words["input_ids"]})
