"""Activation functions under all names that files have for them."""

import pytest
import torch
from transformers.activations import ACT2FN

from llavacli_core.errors import BrokenModel, UnsupportedModel
from llavacli_core.families.activations import ACTIVATIONS, activation
from llavacli_core.families.keys import Keys
from llavacli_core.nn import activations

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_they_are_the_references(name):
    x = torch.linspace(-6, 6, 241)
    ours = activations.ACTIVATIONS[activation(Keys({"hidden_act": name}, "config.json"), "hidden_act", default="gelu")]
    torch.testing.assert_close(ours(x.clone()), ACT2FN[name](x), rtol=1e-5, atol=1e-6)


def test_others_are_refused_by_name():
    with pytest.raises(UnsupportedModel, match="'laplace' is not supported"):
        activation(Keys({"act": "laplace"}, "config.json"), "act", default="gelu")
    with pytest.raises(BrokenModel):
        activation(Keys({"act": 3}, "config.json"), "act", default="gelu")
