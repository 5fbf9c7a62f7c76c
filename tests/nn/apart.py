"""Several devices in the memory of one: tensors compute as ever, and those that lie apart do not come together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

CPU = torch.device("cpu")


class Apart(TorchFunctionMode):
    """Within it, a tensor is on the device that it was made on or moved to; an operation over two is an error."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:  # made anew whenever it is asked for
            return place(args[0])
        if func is Tensor.to:
            where = next((one for one in (*args[1:], *kwargs.values()) if isinstance(one, torch.device)), None)
            moved = [one for one in args[1:] if not isinstance(one, torch.device)]
            kwargs.pop("device", None)
            there = place(args[0]) if where is None else where
            return put(args[0].to(*moved, **kwargs) if moved or kwargs else args[0].view_as(args[0]), there)
        if func is Tensor.copy_:  # goes from one to another
            return put(func(*args, **kwargs), place(args[0]))
        where = kwargs.pop("device", None)
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.dim()]
        places = {place(one) for one in given}
        assert len(places) <= 1, f"{getattr(func, '__name__', func)} over {places}"
        result = func(*args, **kwargs)
        for one in tree_leaves(result):
            if isinstance(one, Tensor):
                put(one, torch.device(where) if where is not None else next(iter(places), CPU))
        return result


STORAGES: dict[int, torch.device] = {}  # by address; for parameters, which are made of tensors without an operation


def place(tensor: Tensor) -> torch.device:
    """Where it is."""
    known: torch.device | None = getattr(tensor, "place", None)
    if known is None and isinstance(tensor, torch.nn.Parameter):
        known = STORAGES.get(_address(tensor))
    return known or CPU


def put(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor, on a device."""
    tensor.place = device
    STORAGES[_address(tensor)] = device
    return tensor


def _address(tensor: Tensor) -> int:
    with torch._C.DisableTorchFunction():
        return 0 if tensor.is_meta else tensor.untyped_storage().data_ptr()
