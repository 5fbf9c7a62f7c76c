"""Conversations to answer: pictures of every kind, several of them, late ones, none; and words of every kind."""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.messages import Image, Message
from tests.reference import pictures

QUESTION = "What is shown in this image?"


@dataclass(frozen=True)
class Case:
    """A name, and turns as (role, parts): a part is text, or the bytes of a picture's file."""

    name: str
    turns: tuple[tuple[str, tuple[str | bytes, ...]], ...]

    @property
    def messages(self) -> list[Message]:
        """As our engine takes it."""
        return [
            Message(role, [part if isinstance(part, str) else Image(part) for part in parts])
            for role, parts in self.turns
        ]

    @property
    def conversation(self) -> list[dict]:
        """As the reference takes it."""
        return [{"role": role, "content": [content(part) for part in parts]} for role, parts in self.turns]


def content(part: str | bytes) -> dict:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image", "image": pictures.upright(part)}


def about(name: str, *parts: str | bytes) -> Case:
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
CASES = (*SIZES, *ROUNDED, PHOTO, *MODES, *FILES, *SEVERAL, *TURNS, *WORDS)
BY_NAME = {case.name: case for case in CASES}
