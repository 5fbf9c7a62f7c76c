"""What reading a clip gives: the chosen frames, and whether there was more that could not be read."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image

Pictures = dict[int, Image.Image]  # by the numbers of frames, in display order


class Chosen(NamedTuple):
    """`pictures` are upright in RGB; `whole` is false where part of the clip was met that does not decode."""

    pictures: Pictures
    whole: bool = True
