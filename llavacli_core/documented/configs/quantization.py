"""What `from_pretrained` is told of quantization."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from llavacli_core.errors import BadOption
from llavacli_core.schemes import BY_DEFAULT, Scheme

if TYPE_CHECKING:
    import torch


@dataclass(init=False)
class BitsAndBytesConfig:
    """The weights of the decoder's layers in 8 or 4 bits, by bitsandbytes; the rest stays in the model's `dtype`.

    A name that is none of these says nothing, as in transformers (a document has one), and is warned of.
    """

    load_in_8bit: bool = False
    load_in_4bit: bool = False
    llm_int8_threshold: float = 6.0
    llm_int8_skip_modules: list[str] | None = None
    llm_int8_enable_fp32_cpu_offload: bool = False
    llm_int8_has_fp16_weight: bool = False
    bnb_4bit_compute_dtype: torch.dtype | str | None = None
    bnb_4bit_quant_type: str = "fp4"
    bnb_4bit_use_double_quant: bool = False
    bnb_4bit_quant_storage: torch.dtype | str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = {**dict(zip((field.name for field in fields(self)), args, strict=False)), **kwargs}
        for field in fields(self):
            setattr(self, field.name, given.pop(field.name, field.default))
        for name in given:
            warnings.warn(f"BitsAndBytesConfig knows no {name}: it has no effect", stacklevel=2)
        if self.load_in_8bit and self.load_in_4bit:
            raise BadOption("load_in_8bit and load_in_4bit are both set", hint="choose one")
        if self.bnb_4bit_quant_type not in ("fp4", "nf4"):
            raise BadOption(f"bnb_4bit_quant_type is fp4 or nf4, not {self.bnb_4bit_quant_type!r}")

    def to_json_string(self, use_diff: bool = True) -> str:
        """All values as JSON."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From values as JSON has them; others than these are passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def scheme(self) -> Scheme | None:
        """What this asks for; None: nothing."""
        kept = tuple(self.llm_int8_skip_modules or ())
        if self.load_in_8bit:
            return Scheme("bnb-8bit", 8, threshold=self.llm_int8_threshold, kept=kept)
        if self.load_in_4bit:
            return Scheme(
                f"bnb-{self.bnb_4bit_quant_type}",
                4,
                nested=self.bnb_4bit_use_double_quant,
                kept=kept,
                compute=_named(self.bnb_4bit_compute_dtype, BY_DEFAULT.compute),
            )
        return None

    def to_dict(self) -> dict[str, Any]:
        """All values as JSON has them, number formats by name."""
        named = {
            name: _named(getattr(self, name), default)
            for name, default in (("bnb_4bit_compute_dtype", "float32"), ("bnb_4bit_quant_storage", "uint8"))
        }
        return {**asdict(self), **named, "quant_method": "bitsandbytes"}


def _named(dtype: torch.dtype | str | None, default: str) -> str:
    """A number format by its name."""
    return str(dtype or default).removeprefix("torch.")
