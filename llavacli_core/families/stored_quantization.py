"""What config.json says of weights that are stored quantized: bitsandbytes' forms are read, others refused."""

from __future__ import annotations

from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.keys import Keys, is_number
from llavacli_core.schemes import BY_DEFAULT, Arithmetic

COMPUTE = ("float32", "bfloat16", "float16")


def arithmetic(keys: Keys) -> Arithmetic:
    """How the checkpoint asks for its quantized weights to be multiplied."""
    stored = keys.section("quantization_config")
    method = stored.get("quant_method", default="bitsandbytes")
    if method != "bitsandbytes":
        raise UnsupportedModel(
            f"the weights are stored quantized by {str(method)!r:.40}",
            hint="take the checkpoint in bfloat16 or float16, and --quant 4bit",
        )
    threshold = stored.get("llm_int8_threshold", default=BY_DEFAULT.threshold)
    if not is_number(threshold) or threshold < 0:
        raise stored.fault("llm_int8_threshold", "a number of at least 0", threshold)
    compute = stored.get("bnb_4bit_compute_dtype", default=BY_DEFAULT.compute)
    if compute not in COMPUTE:
        raise stored.fault("bnb_4bit_compute_dtype", f"one of {', '.join(COMPUTE)}", compute)
    return Arithmetic(float(threshold), compute)
