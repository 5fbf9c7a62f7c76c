"""What processors and tokenizers give: a dictionary whose values are attributes too, and move between devices."""

from __future__ import annotations

from collections import UserDict
from typing import Any, Literal, Self

import numpy as np

from llavacli_core.errors import BadOption

Tensors = Literal["pt", "np"] | None


class BatchFeature(UserDict[str, Any]):
    """`batch["input_ids"]` is `batch.input_ids`; it can be handed to a model as `**batch`."""

    def __init__(self, data: dict[str, Any] | None = None, tensor_type: Tensors = None) -> None:
        super().__init__({name: as_tensor(value, tensor_type, name) for name, value in (data or {}).items()})

    def __getattr__(self, name: str) -> Any:
        if name == "data" or name not in self.data:
            raise AttributeError(f"there is no {name!r} in this batch")
        return self.data[name]

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move all tensors to a device, and those of floats to a dtype; arguments as of `torch.Tensor.to`."""
        import torch

        device = kwargs.get("device", next((arg for arg in args if not isinstance(arg, torch.dtype)), None))
        without_dtype = {"device": device, "non_blocking": kwargs.get("non_blocking", False)}

        def moved(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return type(value)(moved(item) for item in value)
            if not isinstance(value, torch.Tensor):
                return value
            return value.to(*args, **kwargs) if value.is_floating_point() else value.to(**without_dtype)

        self.data = {name: moved(value) for name, value in self.data.items()}
        return self


BatchEncoding = BatchFeature  # what tokenizers call theirs


def as_tensor(value: Any, tensor_type: Tensors, name: str) -> Any:
    """A list of arrays or of numbers as one torch tensor ("pt") or numpy array ("np"); without a type, as it is."""
    if tensor_type is None or isinstance(value, str):
        return value
    if tensor_type not in ("pt", "np"):
        raise BadOption(f"return_tensors={tensor_type!r} is not known", hint='"pt" for torch, "np" for numpy')
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise BadOption(
            f"{name} of different shapes cannot be one tensor",
            hint="padding=True for texts, do_pad=True for pictures, one num_frames for videos; or no return_tensors",
        ) from error
    if tensor_type == "np" or array.dtype == object:
        return array
    import torch

    return torch.from_numpy(array)
