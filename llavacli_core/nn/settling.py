"""Weights settle where the processor reads them fastest, once a network has begun to generate.

In bfloat16 that may be oneDNN's order of blocks. Else it is memory of their own, in which matrices of a mapped file
that are stacked in the network lie together. One row is read 1.1 to 1.3 x as fast from there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

import torch
from torch import Tensor, nn

from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.memory import in_small_pages, lacks_memory, release
from llavacli_core.nn.product import LARGE, reordered, reorders
from llavacli_core.portions import FIRST_WORDS

TOKENS = 16  # over which it is spread: all at once would be a pause in the middle of an answer
PIECE = 2**24  # bytes that are copied at a time, unless they are put into another order

Layer = Linear | Apart


class Settling:
    """Settles layers, as many bytes with each token, once the first words are told.

    `room` tells how many bytes may be taken then; where they do not suffice, the rest stays where it is. `pending` are
    those that are still to be taken. A copy has nothing to settle.
    """

    def __init__(self, layers: Sequence[Layer] = (), room: Callable[[], int] = lambda: sys.maxsize) -> None:
        layers = [layer for layer in layers if _gains(layer)]
        self.pending = sum(weight.nbytes for layer in layers for weight in _weights(layer))
        self._at_once = -(-self.pending // TOKENS)
        self._until = FIRST_WORDS
        self._steps: Iterator[int] | None = _steps(layers, room) if layers else None
        self._turn = Lock()  # several answers may be generated at a time

    def __reduce__(self) -> tuple[type[Settling], tuple[()]]:
        return Settling, ()

    def tick(self) -> None:
        """One more token will be generated."""
        if self._until > 1:
            self._until -= 1
        elif self._steps is not None and self._turn.acquire(blocking=False):
            try:
                self._go_on()
            finally:
                self._turn.release()

    def _go_on(self) -> None:
        """A token's share. What is made may be learned and changed, unlike what generating makes."""
        left = self._at_once
        with torch.inference_mode(mode=False), torch.no_grad():
            while self._steps is not None and left > 0:
                taken = next(self._steps, None)
                if taken is None:
                    self._steps, self.pending = None, 0
                else:
                    self.pending, left = self.pending - taken, left - taken


def settle(layer: Layer) -> None:
    """Settle a layer at once."""
    for _ in _steps([layer], lambda: sys.maxsize):
        pass


def _steps(layers: Sequence[Layer], room: Callable[[], int]) -> Iterator[int]:
    """Settle layers, some bytes between any two steps, whose number is given."""
    for layer in layers:
        if not _gains(layer):  # by now
            continue
        if sum(weight.nbytes for weight in _weights(layer)) > room():
            return
        try:
            yield from _settled(layer)
        except (RuntimeError, MemoryError) as error:
            if not lacks_memory(error):
                raise
            return


def _gains(layer: Layer) -> bool:
    """Whether a layer is read faster once it has settled; what learns, or is computed from others, stays."""
    if not _is_plain(layer):
        return False
    weights = _weights(layer)
    first = weights[0]
    if first.device.type != "cpu" or first.is_mkldnn or any(weight.requires_grad for weight in weights):
        return False
    return (layer.mapped or reorders(first.dtype)) and sum(weight.nbytes for weight in weights) >= LARGE


def _settled(layer: Layer) -> Iterator[int]:
    """Put a layer's matrices in their new place, as one; in another order nothing but products can read them there."""
    weights, before = _weights(layer), _state(layer)
    if reorders(weights[0].dtype):
        one = reordered(torch.cat(weights) if len(weights) > 1 else weights[0])
        yield sum(weight.nbytes for weight in weights)
    else:
        one = in_small_pages(weights[0].new_empty(sum(map(len, weights)), weights[0].shape[1]))
        yield from _copied(weights, one)
    if _state(layer) != before:  # changed meanwhile
        return
    mapped, layer.mapped = layer.mapped, False
    if isinstance(layer, Apart):
        layer.weights = nn.ParameterList([nn.Parameter(one, requires_grad=False)])
    else:
        layer.weight = nn.Parameter(one, requires_grad=False)
    for weight in weights if mapped else ():
        release(weight)


def _copied(weights: Sequence[Tensor], one: Tensor) -> Iterator[int]:
    """Fill a matrix with others, one below the other."""
    for weight, target in zip(weights, one.split([len(weight) for weight in weights]), strict=True):
        rows = max(1, PIECE * len(weight) // weight.nbytes)
        for piece, place in zip(weight.split(rows), target.split(rows), strict=True):
            place.copy_(piece)
            yield piece.nbytes


def _is_plain(layer: Layer) -> bool:
    """Whether its weights are parameters of its own: pruned ones, say, are made anew with each call."""
    if isinstance(layer, Apart):
        return all(str(place) in layer.weights._parameters for place in range(len(layer.weights)))
    return "weight" in layer._parameters


def _weights(layer: Layer) -> list[Tensor]:
    """Those that follow one another in a layer."""
    return list(layer.weights) if isinstance(layer, Apart) else [layer.weight]


def _state(layer: Layer) -> list[tuple[int, int, bool]]:
    """What tells whether somebody has changed a layer's weights, has them learn, or put others in their place."""
    return [
        (id(weight), 0 if weight.is_inference() else weight._version, weight.requires_grad)
        for weight in _weights(layer)
    ]
