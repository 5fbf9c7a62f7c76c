"""Which checkpoint answers, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a record says of its model. Placement is None before weights are."""

    id: str
    revision: str | None
    family: str
    template: str | None  # None: it takes no prompt
    template_origin: str | None
    max_positions: int
    dtype: str | None = None
    quant: str | None = None
    device: str | None = None
    takes_videos: bool = False
    several_images: bool = False  # whether it was trained on several pictures at once

    @property
    def takes_prompt(self) -> bool:
        """Whether there is anything to ask: a captioner takes a picture alone."""
        return self.template is not None
