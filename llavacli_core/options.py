"""How to generate and where to compute, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from llavacli_core.budgets import Budget
from llavacli_core.errors import BadOption
from llavacli_core.schemes import QUANTS, Scheme


def _within(
    name: str, value: float | None, low: float, high: float, *, open_low: bool = False, whole: bool = False
) -> None:
    """Refuse a `value` outside low..high (None is always fine)."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or math.isnan(value):
        raise BadOption(f"{name} must be a {'whole ' if whole else ''}number, not {value!r}", option=name)
    if not low <= value <= high or (open_low and value == low):
        lowest, highest, given = (
            f"{number:g}" if isinstance(number, float) else str(number) for number in (low, high, value)
        )
        bound = f"above {lowest}" if open_low else f"at least {lowest}"
        ceiling = "" if high == math.inf else f" and at most {highest}"
        raise BadOption(f"{name} must be {bound}{ceiling}, not {given}", option=name)


COLDEST = 1e-30  # scores divided by less are beyond float32


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen and when to stop. Temperature 0 is greedy, hence reproducible.

    With a temperature and `seed=None`, a seed is drawn for each answer. With beams and a temperature, the beams' next
    tokens are drawn. None leaves `repetition_penalty`, `length_penalty`, `early_stopping` and `no_repeat_ngram_size` to
    the checkpoint's own generation_config.json; without a word there they are 1.0, 1.0, False and 0. `max_tokens` is
    then 256, or for a captioner what the file says, else 20.
    """

    max_tokens: int | None = None
    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    beams: int = 1
    length_penalty: float | None = None
    early_stopping: bool | Literal["never"] | None = None
    no_repeat_ngram_size: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _within("max_tokens", self.max_tokens, 1, math.inf, whole=True)
        _within("temperature", self.temperature, 0, 100)
        if 0 < self.temperature < COLDEST:
            raise BadOption(f"temperature is 0, which is greedy, or at least {COLDEST}", option="temperature")
        _within("top_p", self.top_p, 0, 1, open_low=True)
        _within("top_k", self.top_k, 1, math.inf, whole=True)
        _within("min_p", self.min_p, 0, 1)
        _within("repetition_penalty", self.repetition_penalty, 0, 100, open_low=True)
        _within("beams", self.beams, 1, 64, whole=True)
        _within("length_penalty", self.length_penalty, -100, 100)
        _within("no_repeat_ngram_size", self.no_repeat_ngram_size, 0, math.inf, whole=True)
        if self.early_stopping not in (None, True, False, "never"):
            raise BadOption(f"early_stopping is True, False or 'never', not {self.early_stopping!r}")
        _within("seed", self.seed, 0, 2**63 - 1, whole=True)
        object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        if any(not text for text in self.stop):
            raise BadOption("a stop string must not be empty", option="stop")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how the network is laid out: device, number format, quantization, attention kernel, memory."""

    device: str = "auto"
    dtype: str = "auto"
    quantize: str | Scheme | None = None
    attention: str = "auto"
    max_memory: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in ("auto", "float32", "bfloat16", "float16"):
            raise BadOption(f"dtype is auto, float32, bfloat16 or float16, not {self.dtype!r}")
        if isinstance(self.quantize, str) and self.quantize not in QUANTS:
            raise BadOption(f"quantize is {', '.join(QUANTS)}, not {self.quantize!r}")
        if self.attention not in ("auto", "sdpa", "flash", "eager"):
            raise BadOption(f"attention is auto, sdpa, flash or eager, not {self.attention!r}")
