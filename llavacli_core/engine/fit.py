"""Whether a model fits in memory: told from its config and a prepared request, before any weight is fetched or read.

On a CPU, weights that are wanted as they are stored stay mapped from disk. Pages of them that find no room are read
again when they are needed, so that they never keep a model from running, only from running fast: what counts against
free memory (and swap) is the rest. Nothing is refused unless the weights that must be copied and the KV cache alone
take more. Elsewhere `checkpoint.spread` knows what can be laid out over several devices, or fetched layer by layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike

from llavacli_core.checkpoint.files import CaptionerDescription, Description, describe
from llavacli_core.checkpoint.footprint import Footprint, Form, Work, footprint, form_of, weigh
from llavacli_core.checkpoint.host import Room, dtype_for, free_swap, host_memory, may_have_accelerator
from llavacli_core.checkpoint.parts import parts_of
from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.engine.captions import CaptionProcessor
from llavacli_core.engine.processor import Processor
from llavacli_core.engine.request import Request
from llavacli_core.errors import BadOption, OutOfMemory
from llavacli_core.hub.locate import locate
from llavacli_core.options import Placement, Sampling
from llavacli_core.schemes import Scheme, scheme_for

CHOICES = (("float32", None), ("bfloat16", None), ("float16", None), ("auto", "8bit"), ("auto", "4bit"))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model in one form, what it takes of its device, and what there is."""

    device: str
    dtype: str
    quant: str  # "none", or as --quant has it
    footprint: Footprint
    room: Room | None  # None where nothing can be told
    swap: int = 0
    budget: int | None = None  # what --max-memory lets it take of the device
    spread: bool = False  # over several devices, or with layers that are fetched when they are needed
    obstacle: str | None = None  # why it can be laid out in no way over devices and budgets

    @property
    def verdict(self) -> str:
        """`fits`, `over budget` (more than is allowed, not more than is free), `spread`, `too large`, or `from disk`.

        The last: mapped weights find no room and are read again and again.
        """
        if self.obstacle is not None:
            return "too large"
        if self.spread:
            return "spread"
        if self.room is None or self.footprint.total <= self.room.free:
            return "over budget" if self.budget is not None and self.footprint.total > self.budget else "fits"
        return "from disk" if self.footprint.mapped and self.footprint.pinned <= self.room.free else "too large"

    @property
    def fits(self) -> bool:
        """Whether it is expected to run."""
        return self.verdict != "too large"

    @property
    def impossible(self) -> bool:
        """Whether it cannot run, whatever is asked of it."""
        if self.obstacle is not None:
            return True
        return self.room is not None and not self.spread and self.footprint.least > self.room.free + self.swap

    @property
    def flags(self) -> str:
        """How the command line asks for it."""
        return f"--dtype {self.dtype}" + ("" if self.quant == "none" else f" --quant {self.quant}")


def work_of(
    processor: Processor | CaptionProcessor, request: Request, sampling: Sampling | None = None, *, rows: int = 1
) -> Work:
    """What a prepared request asks of the network, for so many answers at a time."""
    sampling = Sampling() if sampling is None else sampling
    settled = processor.settled(request, sampling)
    return Work(
        prompt=len(request.token_ids),
        image_tokens=request.image_tokens,
        answer=max(0, min(settled.max_tokens, processor.info.max_positions - len(request.token_ids))),
        tiles=sum(len(picture.tiles.pixels) for picture in request.pictures),
        frames=tuple(len(clip.pixels) for clip in request.clips),
        rows=max(rows, settled.sampling.beams),
    )


def fit(
    processor: Processor | CaptionProcessor, work: Work | None = None, *, placement: Placement | None = None
) -> Fit:
    """Whether the model fits as it would be placed, for some work; without work, whether it can be loaded."""
    return _fit(processor.description, Placement() if placement is None else placement, work or Work())


def fits(
    processor: Processor | CaptionProcessor, work: Work | None = None, *, placement: Placement | None = None
) -> list[Fit]:
    """The same in each number format, and quantized, on the same device: the largest first."""
    return _fits(processor.description, Placement() if placement is None else placement, work or Work())


def best_fit(choices: Sequence[Fit], wanted: Fit) -> Fit | None:
    """Of what fits, `wanted` itself, else what loses least: half precision before 8 bits before 4; None if nothing."""
    if wanted.fits:
        return wanted
    order = [("none", "float32"), ("none", "bfloat16"), ("none", "float16"), ("8bit", None), ("4bit", None)]
    ranked = [
        choice
        for quant, dtype in order
        for choice in choices
        if choice.quant == quant and dtype in (None, choice.dtype)
    ]
    whole = [choice for choice in ranked if choice.verdict == "fits"]
    return next(iter(whole or [choice for choice in ranked if choice.fits]), None)


def check_memory(processor: Processor | CaptionProcessor, work: Work, *, placement: Placement | None = None) -> Fit:
    """How it fits; OutOfMemory, with advice, where it does not."""
    found = fit(processor, work, placement=placement)
    if not found.fits:
        hint = advice(processor.description, placement or Placement(), work)
        raise _too_large(found, processor.info.id, found.footprint.total, hint, when=" with this prompt")
    return found


def refuse_impossible(
    model: str | PathLike[str], placement: Placement, *, revision: str | None = None, offline: bool = False
) -> None:
    """Raise OutOfMemory if the model cannot be loaded as it would be placed; reads small files alone."""
    located = locate(model, revision=revision, offline=offline, weights=False)
    description = describe(located.folder)
    found = _fit(description, placement, Work())
    if found.impossible:
        raise _too_large(
            found, located.id, found.footprint.least, advice(description, placement, Work()), swap=found.swap
        )


def _too_large(found: Fit, model: str, needed: int, hint: str, *, when: str = "", swap: int = 0) -> OutOfMemory:
    """What a model that does not fit is told as."""
    if found.obstacle is not None:
        return OutOfMemory(found.obstacle, hint=hint)
    assert found.room is not None
    needs, free = f"{gigabytes(needed)} of {found.device} memory{when}", gigabytes(found.room.free + swap)
    return OutOfMemory(f"{model} in {found.dtype} needs {needs}, and {free} are free", hint=hint)


def advice(
    description: Description | CaptionerDescription, placement: Placement, work: Work, below: int | None = None
) -> str:
    """What would fit, in words; with `below`, only what takes less than so many bytes, which proved too much."""
    choices = _fits(description, placement, work)
    found = [each for each in choices if each.fits and (below is None or each.footprint.total < below)]
    if not found and placement.max_memory:
        return "a larger --max-memory, or a smaller model"
    if not found:
        return "a smaller model, or a computer with more memory"
    choice = next((each for each in found if each.verdict == "fits"), found[-1])
    slow = ", read from disk again and again" if choice.verdict == "from disk" else ""
    return f"{choice.flags} needs {gigabytes(choice.footprint.total)}{slow}"


def gigabytes(size: int) -> str:
    """Bytes in words, of a thousand MB each."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{max(1, round(size / 1e6))} MB"


def _fits(description: Description | CaptionerDescription, placement: Placement, work: Work) -> list[Fit]:
    """A description's network in each of the choices that its device computes."""
    found = []
    for dtype, quantize in CHOICES:
        with suppress(BadOption):
            found.append(_fit(description, replace(placement, dtype=dtype, quantize=quantize), work))
    return found


def _fit(description: Description | CaptionerDescription, placement: Placement, work: Work) -> Fit:
    """A description's network where and how a placement has it."""
    config = description.model
    device = settled_device(placement.device)
    kind = device.partition(":")[0]
    dtype = dtype_for(placement.dtype, kind, config.dtype)
    if placement.attention == "flash":
        _check_flash(device, dtype, config)
    scheme = scheme_for(placement.quantize, kind)
    form = form_of(kind, dtype, scheme, placement.attention)
    room = room_of(device)
    obstacle, is_spread = None, False
    try:
        is_spread = _is_spread(config, placement, form, device)
    except OutOfMemory as error:
        obstacle = str(error)
    return Fit(
        device=device,
        dtype=dtype,
        quant=placement.quantize.name if isinstance(placement.quantize, Scheme) else placement.quantize or "none",
        footprint=footprint(config, form, work),
        room=room,
        swap=free_swap() if kind != "cuda" else 0,
        budget=None if room is None else _budget(placement, device, room),
        spread=is_spread,
        obstacle=obstacle,
    )


def _check_flash(device: str, dtype: str, config: ModelConfig | CaptionerConfig) -> None:
    """BadOption where loading would refuse that kernel: only it wants to know, and it alone needs torch for that."""
    import torch

    from llavacli_core.checkpoint.kernel import choose_kernel

    choose_kernel("flash", torch.device(device), getattr(torch, dtype), config)


def _budget(placement: Placement, device: str, room: Room) -> int | None:
    """What a device may take, if that is said."""
    names = (None, device, device.partition(":")[0])
    return next((budget.of(room.free) for budget in placement.max_memory if budget.device in names), None)


def _is_spread(config: ModelConfig | CaptionerConfig, placement: Placement, form: Form, device: str) -> bool:
    """Whether `checkpoint.spread` lays the network out over more than its one device; OutOfMemory if it cannot."""
    if form.device != "cuda" and not placement.max_memory:
        return False
    import torch

    from llavacli_core.checkpoint.spread import spread

    sizes = {f"{part.name}.weight": weigh(part, form) for part in parts_of(config)}
    layout = spread(config, placement, torch.device(device), form, sizes)
    return layout is not None and not layout.whole


def settled_device(name: str) -> str:
    """The device that is meant. torch is asked only where there may be another than the CPU."""
    if name == "cpu" or (name == "auto" and not may_have_accelerator()):
        return "cpu"
    from llavacli_core.checkpoint.place import choose_device

    return str(choose_device(name))


def room_of(device: str) -> Room | None:
    """A device's memory: all of it, and what is free."""
    if not device.startswith("cuda"):
        return host_memory()
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return Room(total=total, free=free)
