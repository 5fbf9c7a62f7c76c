"""The project's own network made ready for training: weights drawn, stacked matrices taken apart, optimisers chosen."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from demo.pictures import IGNORED, TARGETS
from llavacli_core.config import ModelConfig
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.rotary import Rotary

AUXILIARY = {"kind": 1.0, "colour": 1.0, "size": 0.5, "column": 0.5, "row": 0.5}


class Stack(nn.Module):
    """Several matrices as one: our `qkv` and `gate_up`, each part a parameter of its own, as Muon needs them."""

    def __init__(self, parts: tuple[int, ...]) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, *matrices: Tensor) -> Tensor:
        """[part, in] each -> [sum(parts), in]."""
        return torch.cat(matrices)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """[sum(parts), in] -> [part, in] each."""
        return torch.split(weight, list(self.parts))


class Student(nn.Module):
    """The network, and a head that asks each patch of the tower what it shows; the head is dropped at the end."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.llava = Llava(config, kernel="eager")  # for these short sequences faster than the fused kernel, on a CPU
        self.head = nn.Linear(config.vision.hidden_size, sum(TARGETS.values()))
        initialise(self.llava)
        for module in list(self.llava.modules()):
            if isinstance(module, Linear) and len(module.parts) > 1:
                parametrize.register_parametrization(module, "weight", Stack(module.parts))
        self.tower_layers: Callable[[Tensor], Tensor] = self._tower_layers
        self.decoder_layers: Callable[[Tensor, Tensor, Tensor], Tensor] = self._decoder_layers

    def compile_layers(self) -> None:
        """Compile the two stacks of layers, for any number of tiles and any length."""
        self.tower_layers = torch.compile(self._tower_layers)
        self.decoder_layers = torch.compile(self._decoder_layers)

    def tower(self, tiles: Tensor) -> Tensor:
        """[N, S, S, 3] bytes -> hidden states [N, 1 + P, D]."""
        pixels = (tiles.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        x = self.llava.vision.embed(pixels)
        torch._dynamo.maybe_mark_dynamic(x, 0)
        return self.tower_layers(x)

    def _tower_layers(self, x: Tensor) -> Tensor:
        """The tower's blocks: [N, P, D] -> [N, P, D]."""
        for block in self.llava.vision.blocks:
            x = block(x)
        return x

    def _decoder_layers(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The decoder's blocks: [B, T, D] -> [B, T, D]. A plain function turns, since `Turn` cannot be compiled."""

        def turn(heads: Tensor) -> Tensor:
            return torch.addcmul(heads * cos, heads.roll(heads.shape[-1] // 2, -1), sin)

        for block in self.llava.decoder.blocks:
            x = block(x, turn, None, 0, None)
        return x

    def patch_loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """[N, 1 + P, D] and classes [N, P, 5] -> what the patches' answers cost."""
        answers = self.head(states[:, 1:]).float().split(tuple(TARGETS.values()), -1)
        losses = [
            weight * F.cross_entropy(answer.flatten(0, 1), targets[..., index].flatten(), ignore_index=IGNORED)
            for index, (answer, weight) in enumerate(zip(answers, AUXILIARY.values(), strict=True))
        ]
        return torch.stack(losses).sum()

    def look(self, tiles: Tensor, targets: Tensor) -> Tensor:
        """The tower alone: [B, N, S, S, 3] bytes and patch classes [B, N, P, 5] -> loss."""
        return self.patch_loss(self.tower(tiles.flatten(0, 1)), targets.flatten(0, 1))

    def read(
        self, tiles: Tensor, targets: Tensor, layout: Tensor, prefix: Tensor, text: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Patch loss and text loss.

        `layout` [tokens] picks image tokens out of a picture's [N * P] features, and N * P stands for the newline;
        `prefix` [B, T] comes before the picture, `text` [B, T] after it, `labels` are those of `text`.
        """
        states = self.tower(tiles.flatten(0, 1))
        logits = self.answer(states, len(tiles), layout, prefix, text)
        words = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED)
        return self.patch_loss(states, targets.flatten(0, 1)), words

    def answer(self, states: Tensor, pictures: int, layout: Tensor, prefix: Tensor, text: Tensor) -> Tensor:
        """The tower's states -> logits [B, T, V] that foretell `text`, token by token."""
        connector, decoder = self.llava.connector, self.llava.decoder
        features = connector.project([states])
        features = features.reshape(pictures, -1, features.shape[-1])
        newline = connector.newline.to(features.dtype).expand(pictures, 1, -1)  # type: ignore[union-attr]
        image = torch.cat((features, newline), 1)[:, layout]
        x = torch.cat((decoder.embed(prefix), image, decoder.embed(text)), 1)
        turn = Rotary(decoder.config, x.shape[1], x.device, x.dtype).turn(0, x.shape[1])
        for tensor, length in ((x, 1), (turn.cos, 0), (turn.sin, 0)):
            torch._dynamo.maybe_mark_dynamic(tensor, length)
        return decoder.logits(self.decoder_layers(x, turn.cos, turn.sin)[:, -text.shape[1] - 1 : -1])


def initialise(llava: Llava) -> None:
    """Draw the weights: by fan-in, those that add to the residual stream also by depth; norms start as identity."""
    for name, parameter in llava.named_parameters():
        if name.endswith("norm.weight"):
            nn.init.ones_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 1 or "embedding" in name or "positions" in name:
            nn.init.normal_(parameter, std=0.05)
        else:
            depth = len(llava.vision.blocks if name.startswith("vision") else llava.decoder.blocks)
            branch = name.endswith(("out.weight", "down.weight")) and "blocks" in name
            fan_in = parameter[0].numel()
            nn.init.normal_(parameter, std=(fan_in * (2 * depth if branch else 1)) ** -0.5)


def optimisers(student: Student) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of tower, projector and decoder, AdamW for all the rest."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in student.named_parameters():
        inner = ".blocks." in name or ".connector." in name
        (matrices if inner and parameter.ndim == 2 else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=1e-3, momentum=0.95, weight_decay=0.01, adjust_lr_fn="original"),
        torch.optim.AdamW(rest, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def cosine(progress: float, floor: float) -> float:
    """The share of the learning rate left after `progress` (0..1) of a stage."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
