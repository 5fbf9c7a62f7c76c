"""One answer's way through its network: what the picture and the prompt come to, then one token after another."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.forward import FEWER, check_finite, encode_pictures, prefill, step
from llavacli_core.engine.memory import Memory, keys_of
from llavacli_core.engine.request import Request
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.rows import Rows


class Network(Protocol):
    """What decodes rows together, of either kind."""

    def step(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append one token to every row, ids [R]; scores of the next ones, [R, V]."""


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

    def encode(self) -> None:
        """Have the pictures seen."""

    def prefill(self) -> Tensor:
        """Compute the prompt; scores of the first new token, [1, V]."""

    def step(self, chosen: Tensor, token_id: int) -> Tensor:
        """Append a token, [1, 1] on the device and known to the host; scores of the next, [1, V]."""

    def rows(self) -> Rows:
        """What was prefilled, as one row to be decoded together with others; `step` is not called any more then."""


class Conversation:
    """A prompt in front of a decoder. What `memory` shares with it is not computed again; it keeps what is new."""

    def __init__(self, network: Llava, request: Request, memory: Memory) -> None:
        self.network, self.request, self.memory = network, request, memory
        self.device = memory.cache.device
        self.keys = keys_of(request)
        self.cached = memory.reuse(self.keys)

    def encode(self) -> None:
        """Pictures that no cached position covers and that were never encoded go through the tower."""
        encode_pictures(self.network, self.request, self.memory, self.cached)

    def prefill(self) -> Tensor:
        """The positions that are not cached, in one pass."""
        return prefill(self.network, self.request, self.memory, self.keys, self.cached)

    def step(self, chosen: Tensor, token_id: int) -> Tensor:
        """One position more, which the memory keeps."""
        return step(self.network, chosen, token_id, self.memory)

    @torch.inference_mode()
    def rows(self) -> Rows:
        """The memory's positions, which are its own no longer once the row has been written to."""
        return self.memory.cache.rows()


class Caption:
    """A picture in front of a captioner; nothing is kept."""

    cached = 0

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
    def prefill(self) -> Tensor:
        """The start token, and what was said already."""
        for token_id in self.request.token_ids:
            logits = self.network.step(torch.tensor([token_id], device=self.device), self.row)
        return check_finite(logits)

    @torch.inference_mode()
    def step(self, chosen: Tensor, token_id: int) -> Tensor:
        """One position more."""
        return self.network.step(chosen[0], self.row)

    def rows(self) -> Rows:
        """The one row."""
        return self.row
