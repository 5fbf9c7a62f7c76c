"""What `from_pretrained` is told of quantization."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llavacli_core.errors import BadOption

if TYPE_CHECKING:
    import torch


@dataclass
class BitsAndBytesConfig:
    """Weights in 8 or 4 bits. It can be written down; a model loaded with it is refused, as none is quantized yet."""

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

    def __post_init__(self) -> None:
        if self.load_in_8bit and self.load_in_4bit:
            raise BadOption("load_in_8bit and load_in_4bit are both set", hint="choose one")

    def to_dict(self) -> dict[str, Any]:
        """All values as JSON has them, number formats by name."""
        named = {
            name: str(getattr(self, name) or default).removeprefix("torch.")
            for name, default in (("bnb_4bit_compute_dtype", "float32"), ("bnb_4bit_quant_storage", "uint8"))
        }
        return {**asdict(self), **named, "quant_method": "bitsandbytes"}
