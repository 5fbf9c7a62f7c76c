"""What config.json says of weights that are stored quantized: bitsandbytes' forms are read, others refused."""

from __future__ import annotations

from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.keys import Keys
from llavacli_core.schemes import BNB_8BIT


def int8_threshold(keys: Keys) -> float:
    """Beyond which activations are multiplied in 16 bits where weights are stored in LLM.int8; 0: none are."""
    stored = keys.section("quantization_config")
    method = stored.get("quant_method", default="bitsandbytes")
    if method != "bitsandbytes":
        raise UnsupportedModel(
            f"the weights are stored quantized by {str(method)!r:.40}",
            hint="take the checkpoint in bfloat16 or float16, and --quant 4bit",
        )
    value = stored.get("llm_int8_threshold", default=BNB_8BIT.threshold)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise stored.fault("llm_int8_threshold", "a number of at least 0", value)
    return float(value)
