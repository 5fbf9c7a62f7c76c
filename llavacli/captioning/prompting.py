"""What is asked of each picture: a prompt or several, with the picture's name in them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llavacli.captioning.options import PerImage, WordOptions
from llavacli.captioning.picture import Item, Picture
from llavacli.failures import UsageError
from llavacli.sources import STDIN

_PLACEHOLDER = re.compile(r"\{(name|stem|dir)\}")


@dataclass(frozen=True)
class Prompts:
    """The prompts, and which of them a picture gets; None is what suits it."""

    texts: Sequence[str | None]
    per_image: PerImage
    seed: int

    @property
    def are_several(self) -> bool:
        """Whether a picture gets more than one."""
        return self.per_image == "all" and len(self.texts) > 1

    def items(self, picture: Picture) -> Iterator[Item]:
        """A picture's questions. Chance goes by seed and picture alone: not by order, nor by what else is asked."""
        texts = self.texts
        if self.per_image == "first":
            texts = texts[:1]
        elif self.per_image == "random":
            digest = hashlib.sha256(b"%d\0%s" % (self.seed, os.fsencode(picture.within))).digest()
            texts = [texts[int.from_bytes(digest[:8], "big") % len(texts)]]
        for text in texts:
            yield Item(picture, None if text is None else filled(text, picture), self.are_several)


def prompts_of(prompt: str | None, options: WordOptions, seed: int | None) -> Prompts:
    """The prompts that were given."""
    if options.prompt_file is None:
        if options.per_image != "all":
            raise UsageError(
                f"--per-image {options.per_image} is about a file's prompts", hint="add --prompt-file FILE"
            )
        return Prompts([prompt], "first", 0)
    if prompt is not None:
        raise UsageError(
            "--prompt and --prompt-file exclude each other",
            hint="leave one out; LLAVACLI_PROMPT and config files set --prompt, too",
        )
    return Prompts(_read(options.prompt_file), options.per_image, seed or 0)


def filled(text: str, picture: Picture) -> str:
    """The prompt with {name}, {stem} and {dir} of the picture; bytes that are no UTF-8 become the sign for that."""
    stem = os.path.splitext(picture.name)[0]
    folder = os.path.basename(os.path.abspath(picture.folder)) if picture.is_file else ""
    values = {"name": picture.name, "stem": stem, "dir": folder}
    return _PLACEHOLDER.sub(lambda match: os.fsencode(values[match[1]]).decode("utf-8", "replace"), text)


def _read(file: str) -> list[str]:
    """The prompts in a file, one per line, empty lines left out."""
    if file == STDIN:
        raise UsageError("--prompt-file takes a file", hint="name one; /dev/stdin where stdin is free")
    try:
        with open(file, encoding="utf-8-sig") as opened:
            prompts = [line.strip() for line in opened if line.strip()]
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="--prompt-file takes one prompt per line") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not valid UTF-8", hint="--prompt-file takes one prompt per line") from error
    if not prompts:
        raise UsageError(f"{file}: no prompt in it", hint="--prompt-file takes one prompt per line")
    return list(dict.fromkeys(prompts))
