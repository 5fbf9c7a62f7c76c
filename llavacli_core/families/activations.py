"""Activation functions, as config.json spells them."""

from __future__ import annotations

from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.keys import Keys

# Several spellings stand for one function; some differ in transformers by how they are rounded.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_fast": "gelu_pytorch_tanh",
    "gelu_new": "gelu_pytorch_tanh",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_pytorch_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


def activation(keys: Keys, name: str, *, default: str) -> str:
    """The function that `name` stands for, under the name that `nn.activations` has for it."""
    spelling = keys.get(name, default=default)
    if not isinstance(spelling, str):
        raise keys.fault(name, "the name of a function", spelling)
    if spelling not in ACTIVATIONS:
        raise UnsupportedModel(
            f"{keys.where}: the activation {spelling!r} is not supported", hint=f"known: {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[spelling]
