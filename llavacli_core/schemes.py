"""How weights are held in fewer bits: the schemes, their names, and the bytes of a matrix under each."""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.errors import BadOption

QUANTS = ("none", "8bit", "4bit", "bnb-8bit", "bnb-4bit")
GROUPS = (32, 64, 128)  # inputs that share a scale, by preference; int4 kernels take these alone
INT4_ROWS = 16  # int4 kernels take outputs by so many
NF4_BLOCK, NESTED_BLOCK = 64, 256  # weights that share a scale, scales that share one


@dataclass(frozen=True)
class Scheme:
    """One way to hold a matrix. `name` is what records say, `asked` the option that leads to it."""

    name: str
    asked: str
    bits: int

    def takes(self, out: int, inputs: int) -> bool:
        """Whether a matrix [out, inputs] has a shape that the scheme's kernels take; others stay as they are."""
        return self is not INT4 or (out % INT4_ROWS == 0 and group_size(inputs) is not None)

    def nbytes(self, out: int, inputs: int, itemsize: int) -> int:
        """What a matrix [out, inputs] takes up, its scales included, where numbers else take `itemsize` bytes."""
        if not self.takes(out, inputs):
            return out * inputs * itemsize
        if self is INT8:
            return out * inputs + 2 * out
        if self is BNB_8BIT:
            return out * inputs + 4 * out
        if self is INT4:
            return out * inputs // 2 + 4 * out * (inputs // (group_size(inputs) or 1))
        scales = -(-out * inputs // NF4_BLOCK)
        return -(-out * inputs // 2) + scales + 4 * -(-scales // NESTED_BLOCK)


INT8 = Scheme("int8", "8bit", 8)  # torch's CPU kernels: one scale for each output
INT4 = Scheme("int4", "4bit", 4)  # the same: a scale and a zero for each group of inputs
BNB_8BIT = Scheme("bnb-8bit", "bnb-8bit", 8)  # LLM.int8
BNB_NF4 = Scheme("bnb-nf4", "bnb-4bit", 4)  # its scales quantized once more
SCHEMES = (INT8, INT4, BNB_8BIT, BNB_NF4)


def group_size(inputs: int) -> int | None:
    """Into what groups int4 cuts so many inputs; None where no kernel can."""
    return next((group for group in GROUPS if inputs % group == 0), None)


def quantizes(name: str) -> bool:
    """Whether a matrix, by our own name for it, is one that is quantized: those of the decoder's layers.

    The tower, the projector, the embedding and the head stay in the network's format: they are a small part of the
    bytes that a token costs, or (the head) a large part of the quality.
    """
    return name.startswith("decoder.blocks.") and name.endswith(".weight")


def scheme_for(quantize: str | None, device: str) -> Scheme | None:
    """What is asked for, on a kind of device: on a CPU torch's own kernels, elsewhere bitsandbytes'. None: nothing."""
    if quantize in (None, "none"):
        return None
    if quantize not in QUANTS:
        raise BadOption(f"no quantization {quantize!r}", hint=", ".join(QUANTS))
    if device == "mps":
        raise BadOption("no quantization on MPS: neither torch nor bitsandbytes computes it there", hint="--device cpu")
    bits = quantize.removeprefix("bnb-")
    wanted = bits if device == "cpu" and quantize == bits else f"bnb-{bits}"
    return next(scheme for scheme in SCHEMES if scheme.asked == wanted)
