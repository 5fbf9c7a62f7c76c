"""How weights are held in fewer bits: the schemes, their names, and the bytes of a matrix under each."""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.errors import BadOption

GROUPS = (32, 64, 128)  # inputs that share a scale, by preference; int4 kernels take these alone
INT8_INPUTS, INT4_ROWS = 32, 16  # int8 kernels take inputs by so many, int4 kernels outputs
NF4_BLOCK, NESTED_BLOCK = 64, 256  # weights that share a scale, scales that share one


@dataclass(frozen=True)
class Scheme:
    """One way to hold a matrix. `name` is what records say; the rest is asked of bitsandbytes alone."""

    name: str
    bits: int
    nested: bool = False  # whether scales are quantized, too
    threshold: float = 6.0  # activations beyond it are multiplied in 16 bits (LLM.int8)
    kept: tuple[str, ...] = ()  # modules, by names or parts of names in the checkpoint, that stay as they are
    compute: str | None = None  # the number format of 4-bit products; None: that of the activations

    @property
    def bitsandbytes(self) -> bool:
        """Whether bitsandbytes computes it, not torch."""
        return self.name.startswith("bnb-")

    def keeps(self, name: str) -> bool:
        """Whether a weight, by its name in the checkpoint, is to stay as it is."""
        return any(f".{module}." in f".{name}" for module in self.kept)

    def takes(self, out: int, inputs: int) -> bool:
        """Whether a matrix [out, inputs] has a shape that the scheme's kernels take; others stay as they are."""
        if self.name == INT8.name:
            return inputs % INT8_INPUTS == 0
        return self.name != INT4.name or (out % INT4_ROWS == 0 and group_size(inputs) is not None)

    def nbytes(self, out: int, inputs: int, itemsize: int) -> int:
        """What a matrix [out, inputs] takes up, its scales included, where numbers else take `itemsize` bytes."""
        if not self.takes(out, inputs):
            return out * inputs * itemsize
        if self.name == INT8.name:
            return out * inputs + 2 * out
        if self.name == INT4.name:
            return out * inputs // 2 + 4 * out * (inputs // (group_size(inputs) or 1))
        if self.bits == 8:
            return out * inputs + 4 * out
        scales = -(-out * inputs // NF4_BLOCK)
        return -(-out * inputs // 2) + (scales + 4 * -(-scales // NESTED_BLOCK) if self.nested else 4 * scales)


@dataclass(frozen=True)
class Arithmetic:
    """How products with matrices that are stored in bitsandbytes' forms are computed."""

    threshold: float = 6.0  # 8 bits: activations beyond it are multiplied in 16 bits; 0: none are
    compute: str = "float32"  # 4 bits: the number format


BY_DEFAULT = Arithmetic()  # where a checkpoint says nothing; as transformers has it
INT8 = Scheme("int8", 8)  # torch's kernels for CPUs: one scale for each output
INT4 = Scheme("int4", 4)  # the same: a scale and a zero for each group of inputs
BNB_8BIT = Scheme("bnb-8bit", 8)  # LLM.int8
BNB_NF4 = Scheme("bnb-nf4", 4, nested=True)
ASKED = {"8bit": INT8, "4bit": INT4, "bnb-8bit": BNB_8BIT, "bnb-4bit": BNB_NF4}
QUANTS = ("none", *ASKED)


def group_size(inputs: int) -> int | None:
    """Into what groups int4 cuts so many inputs; None where no kernel can."""
    return next((group for group in GROUPS if inputs % group == 0), None)


def quantizes(name: str) -> bool:
    """Whether a matrix, by our own name for it, is one that is quantized: those of the decoder's layers.

    The tower, the projector, the embedding and the head stay in the network's format: they are a small part of the
    bytes that a token costs, or (the head) a large part of the quality.
    """
    return name.startswith("decoder.blocks.") and name.endswith(".weight")


def scheme_for(quantize: str | Scheme | None, device: str) -> Scheme | None:
    """What is asked for, on a kind of device: on a CPU torch's own kernels, elsewhere bitsandbytes'. None: nothing."""
    if quantize in (None, "none"):
        return None
    if isinstance(quantize, str) and quantize not in ASKED:
        raise BadOption(f"no quantization {quantize!r}", hint=", ".join(QUANTS))
    if device == "mps":
        raise BadOption("no quantization on MPS: neither torch nor bitsandbytes computes it there", hint="--device cpu")
    if isinstance(quantize, str):
        return ASKED[quantize if device == "cpu" or quantize.startswith("bnb-") else f"bnb-{quantize}"]
    return quantize
