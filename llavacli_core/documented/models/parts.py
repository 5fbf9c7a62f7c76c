"""Half of a captioner, an encoder or a decoder alone: a config and a part of the network, under published names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

from llavacli_core.checkpoint.place import choose_device
from llavacli_core.checkpoint.stored import tensors_of
from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.models.naming import take_in
from llavacli_core.documented.models.pretrained import PreTrainedModel
from llavacli_core.errors import BrokenModel
from llavacli_core.families.names import Table
from llavacli_core.options import Placement


class Part(PreTrainedModel):
    """An encoder or a decoder."""

    tables: ClassVar[dict[str, Table]]  # the names of the weights, by model_type
    words: ClassVar[bool] = False

    @classmethod
    def table(cls, config: PreTrainedConfig) -> Table:
        """The names of the weights, in the Hub's files."""
        return cls.tables[config.model_type]

    @classmethod
    def load(cls, folder: Path, config: PreTrainedConfig, placement: Placement, dtype: Any) -> Self:
        """The folder's weights in a model of this config.

        Heads for other purposes are left out; what the folder lacks, cross-attention above all, is random.
        """
        model = cls(config)
        weights = {name.removeprefix(f"{config.model_type}."): weight for name, weight in tensors_of(folder)}
        if len(take_in(model.network, model.names, weights, strict=False).missing_keys) == len(model.state_dict()):
            raise BrokenModel(f"{folder}: none of its weights belongs to a {config.model_type}", hint="another model?")
        config.dtype = config.dtype or model.dtype if dtype in (None, "auto") else dtype
        return model.to(choose_device(placement.device), config.dtype).eval()
