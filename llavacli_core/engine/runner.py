"""One answer's way through its network: what the picture and the prompt come to, then one token after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.forward import FEWER, check_finite, encode_pictures, prefill, step
from llavacli_core.engine.memory import Memory, keys_of
from llavacli_core.engine.request import Request
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.tokens import in_step, tokens
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.rows import Rows

ROOM = 1024  # positions at most that are made ready for an answer before it begins


class Network(Protocol):
    """What decodes rows together, of either kind."""

    def step(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append tokens to every row, ids [R, T]; scores of what follows each, [R, T, V]."""


class Runner(Protocol):
    """What an answer needs of its network."""

    @property
    def network(self) -> Network:
        """What decodes."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def cached(self) -> int:
        """Tokens of the prompt that need not be computed."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has come up while this answer was computed."""

    def encode(self) -> None:
        """Have the pictures seen."""

    def prefill(self, limit: int = 0) -> Tensor:
        """Compute the prompt; scores of the first new token, [1, V]. `limit` is how many new tokens there may be."""

    def tokens(self, logits: Tensor, choose: Chooser, said: Sequence[int], limit: int) -> Iterator[int]:
        """New ids, the first chosen by `logits`. The caller adds each to `said`, and asks for at most `limit`."""

    def rows(self) -> Rows:
        """What was prefilled, as one row to be decoded together with others; `tokens` is not called then."""


class Conversation:
    """A prompt in front of a decoder. What `memory` shares with it is not computed again; it keeps what is new."""

    def __init__(self, network: Llava, request: Request, memory: Memory) -> None:
        self.network, self.request, self.memory = network, request, memory
        self.device = memory.cache.device
        self.keys = keys_of(request)
        self.cached = memory.reuse(self.keys)
        self._unrecorded = network.decoder.unrecorded

    @property
    def warnings(self) -> tuple[str, ...]:
        """That steps cannot be recorded, in the answer that found it out: it is not tried again."""
        reason = self.network.decoder.unrecorded
        if reason is None or reason == self._unrecorded:
            return ()
        return (f"steps cannot be recorded as a graph, so that answers take longer: {reason.splitlines()[0]}",)

    def encode(self) -> None:
        """Pictures that no cached position covers and that were never encoded go through the tower."""
        encode_pictures(self.network, self.request, self.memory, self.cached)

    def prefill(self, limit: int = 0) -> Tensor:
        """The positions that are not cached, in one pass."""
        return prefill(self.network, self.request, self.memory, self.keys, self.cached, min(limit, ROOM))

    def tokens(self, logits: Tensor, choose: Chooser, said: Sequence[int], limit: int) -> Iterator[int]:
        """Ids whose positions the memory keeps, all but the last one's."""
        return tokens(self.memory, partial(step, self.network, memory=self.memory), choose, logits, said, limit)

    @torch.inference_mode()
    def rows(self) -> Rows:
        """The memory's positions, which are its own no longer once the row has been written to."""
        return self.memory.cache.rows()


class Caption:
    """A picture in front of a captioner; nothing is kept."""

    cached = 0
    warnings: tuple[str, ...] = ()

    def __init__(self, network: EncoderDecoder, request: Request) -> None:
        self.network, self.request = network, request
        weight = next(network.parameters())
        self.device, self.dtype = weight.device, weight.dtype

    @torch.inference_mode()
    def encode(self) -> None:
        """The picture through the encoder."""
        (picture,) = self.request.pictures
        with memory_for("1 picture", self.device, FEWER):
            pixels = torch.from_numpy(picture.tiles.pixels).to(device=self.device, dtype=self.dtype)
            self.row = self.network.start(self.network.encode(pixels))

    @torch.inference_mode()
    def prefill(self, limit: int = 0) -> Tensor:
        """The start token, and what was said already."""
        logits = self.network.step(torch.tensor([self.request.token_ids], device=self.device), self.row)
        return check_finite(logits[:, -1])

    def tokens(self, logits: Tensor, choose: Chooser, said: Sequence[int], limit: int) -> Iterator[int]:
        """Ids, step by step."""
        return in_step(self._step, choose, logits, said)

    @torch.inference_mode()
    def _step(self, chosen: Tensor, token_id: int) -> Tensor:
        """One position more."""
        return self.network.step(chosen, self.row)[:, -1]

    def rows(self) -> Rows:
        """The one row."""
        return self.row
