"""The documented encoders of captioners: ViT, DeiT, BEiT, Swin.

B batch  P positions  D hidden size
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.vision import BeitConfig, DeiTConfig, SwinConfig, ViTConfig
from llavacli_core.documented.models.initialise import initialise
from llavacli_core.documented.models.parts import Part
from llavacli_core.documented.models.tracing import encode
from llavacli_core.errors import BadOption
from llavacli_core.families.encoders import read_encoder
from llavacli_core.families.keys import Keys
from llavacli_core.families.names import ENCODERS, Table
from llavacli_core.nn.encoders import build_encoder


class VisionEncoder(Part):
    """An encoder of pictures, without a pooler, as captioners have it."""

    tables: ClassVar[dict[str, Table]] = ENCODERS
    main_input_name: ClassVar[str] = "pixel_values"

    @classmethod
    def blank(cls, config: PreTrainedConfig) -> nn.Module:
        """The network without storage."""
        return build_encoder(read_encoder(Keys(config.to_dict(), "config.json")), "sdpa")

    @staticmethod
    def initialise(network: nn.Module, config: PreTrainedConfig) -> None:
        """Random weights; what BEiT scales its layers by begins as the config says, its biases by distance at zero."""
        values = config.to_dict()
        scale = values.get("layer_scale_init_value", 1.0)
        constants = {"table": 0.0, "attention_scale": scale, "mlp_scale": scale}
        initialise(network, values.get("initializer_range", 0.02), constants)

    @property
    def speaker(self) -> Any:
        """There is none."""
        raise BadOption(f"{type(self).__name__} has no words", hint="its decoder has")

    def forward(
        self,
        pixel_values: Tensor,
        *,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Pictures [B, 3, height, width] -> the last hidden states [B, P, D], and what else is asked for."""
        config = self.config
        output = encode(
            self.network,
            pixel_values.to(self.dtype),
            attentions=config.output_attentions if output_attentions is None else output_attentions,
            hidden_states=config.output_hidden_states if output_hidden_states is None else output_hidden_states,
        )
        return output if (config.return_dict if return_dict is None else return_dict) else output.to_tuple()


class ViTModel(VisionEncoder):
    """The vision transformer."""

    config_class: ClassVar[type[PreTrainedConfig]] = ViTConfig


class DeiTModel(VisionEncoder):
    """DeiT."""

    config_class: ClassVar[type[PreTrainedConfig]] = DeiTConfig


class BeitModel(VisionEncoder):
    """BEiT."""

    config_class: ClassVar[type[PreTrainedConfig]] = BeitConfig


class SwinModel(VisionEncoder):
    """Swin."""

    config_class: ClassVar[type[PreTrainedConfig]] = SwinConfig


CLASSES: dict[str, type[VisionEncoder]] = {
    each.config_class.model_type: each for each in (ViTModel, DeiTModel, BeitModel, SwinModel)
}
