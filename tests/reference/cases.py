"""Conversations to answer: pictures of every kind, several of them, late ones, none; and words of every kind."""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.messages import Image, Message, Video
from tests.reference import pictures
from tests.reference.clips import Clip

QUESTION = "What is shown in this image?"
FUNNY = "Why is this video funny?"

Part = str | bytes | Clip


@dataclass(frozen=True)
class Case:
    """A name, and turns as (role, parts): a part is text, the bytes of a picture's file, or a clip."""

    name: str
    turns: tuple[tuple[str, tuple[Part, ...]], ...]

    @property
    def messages(self) -> list[Message]:
        """As our engine takes it."""
        return [Message(role, [ours(part) for part in parts]) for role, parts in self.turns]

    @property
    def conversation(self) -> list[dict]:
        """As the reference takes it."""
        return [{"role": role, "content": [content(part) for part in parts]} for role, parts in self.turns]


def ours(part: Part) -> str | Image | Video:
    if isinstance(part, Clip):
        return Video(part.source, frames=part.frames)
    return part if isinstance(part, str) else Image(part)


def content(part: Part) -> dict:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, Clip):
        return {"type": "video", "video": part.seen}
    return {"type": "image", "image": pictures.upright(part)}


def about(name: str, *parts: Part) -> Case:
    """One user turn."""
    return Case(name, (("user", parts),))


SIZES = tuple(
    about(f"{width}x{height}", pictures.sized(width, height), QUESTION)
    for width, height in ((1, 1), (57, 56), (31, 977), (977, 31), (335, 1009))
)
ROUNDED = (
    about("55x88", pictures.sized(55, 88), QUESTION),  # 15 columns in floats: 14.999999999999998
    about("1056x220", pictures.sized(1056, 220), QUESTION),  # 15 rows: the same
)
PHOTO = about("photo", pictures.photo(), QUESTION)
MODES = tuple(
    about(f"mode {mode}", pictures.in_mode(mode), QUESTION)
    for mode in ("L", "LA", "P", "P+transparency", "RGBA", "CMYK", "I;16", "1")
)
FILES = (
    *(about(f"exif {orientation}", pictures.rotated(orientation), QUESTION) for orientation in (3, 5, 6)),
    about("animation", pictures.animation(), QUESTION),
)
SEVERAL = (
    about("two pictures", pictures.photo(1), pictures.sized(31, 97), "Compare them."),
    about("three pictures between words", "First:", pictures.sized(80, 20), "then", pictures.photo(2), "\nthen ",
          pictures.sized(9, 9), "which is largest?"),
    about("the same picture twice", pictures.photo(), pictures.photo(), "Are they equal?"),
)  # fmt: skip
TURNS = (
    Case(
        "picture in the second turn",
        (
            ("user", ("Hello, who are you?",)),
            ("assistant", ("I am a model that looks at pictures.",)),
            ("user", (pictures.photo(3), "Then describe this one.")),
        ),
    ),
    Case(
        "a picture in each turn",
        (
            ("user", (pictures.sized(57, 56), QUESTION)),
            ("assistant", ("A red circle on grey.",)),
            ("user", (pictures.sized(30, 90), "And here?")),
        ),
    ),
    Case("system", (("system", ("You are terse.",)), ("user", (pictures.photo(4), QUESTION)))),
    Case(
        "system, four turns, text only",
        (
            ("system", ("Answer the questions.",)),
            ("user", ("How many shapes are there?",)),
            ("assistant", ("Three shapes.",)),
            ("user", ("What colour is the star?",)),
        ),
    ),
)
WORDS = tuple(
    about(name, *parts)
    for name, parts in {
        "text only": ("What is the capital of France?",),
        "no words": (pictures.photo(5),),
        "one letter": ("x",),
        "spaces around": ("  two before, three inside   and four after    ",),
        "tabs and newlines": ("\ttab\n\nnewlines\r\n windows \n \n end\n",),
        "a newline first": (pictures.sized(20, 30), "\n\nwhat?"),
        "emoji": ("🙂🐈‍⬛ 👩🏽‍🚀 in 🇯🇵?", pictures.sized(12, 40)),
        "scripts": ("猫は何匹? 这张图片里有什么？ 고양이 Привет مرحبا नमस्ते",),
        "combining": ("e\u0301a\u0308 n\u0303 \u1e9b\u0323 ﬁ Å Å",),
        "odd spaces": ("no\u00a0break\u2009thin\u3000wide\u200bzero\u2028line \ufeffbom",),
        "numbers and code": ("def f(x): return x**2 + 1234567.89 # 50% of 2024\n    if x >= 10: pass",),
        "underscores": ("snake_case ▁meta▁space __dunder__",),
        "controls": ("bell \x07 escape \x1b[31m nul-free \x7f",),
    }.items()
)
CLIPS = (
    about("7 frames", Clip(7), FUNNY),
    about("97 frames", Clip(97, seed=1), FUNNY),
    about("8 of 97 frames", Clip(97, seed=1, frames=8), FUNNY),
    about("one frame", Clip(1), FUNNY),
    about("tall frames", Clip(9, width=31, height=97), FUNNY),
    about("wide frames", Clip(9, width=131, height=29), FUNNY),
    about("a file", Clip(20, encoded=True, frames=6), FUNNY),
    about("a file, turned", Clip(20, encoded=True, turned=True, frames=6), FUNNY),
)
MIXED = (
    about("a clip and a picture", Clip(5), pictures.photo(1), "Is the picture from the clip?"),
    about("a picture and a clip", pictures.photo(1), Clip(5), "Is the picture from the clip?"),
    about("two clips around a picture", Clip(4, seed=2), "first", pictures.sized(31, 97), Clip(6, seed=3), "last"),
    about("the same clip otherwise", Clip(12, frames=3), Clip(12, frames=4), "Are they equal?"),
    Case(
        "a clip in the second turn",
        (
            ("user", (pictures.photo(3), QUESTION)),
            ("assistant", ("A red circle on grey.",)),
            ("user", (Clip(6, seed=4), FUNNY)),
        ),
    ),
)
CASES = (*SIZES, *ROUNDED, PHOTO, *MODES, *FILES, *SEVERAL, *TURNS, *WORDS)
BY_NAME = {case.name: case for case in (*CASES, *CLIPS, *MIXED)}
