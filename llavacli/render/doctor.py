"""What `doctor` found: one JSON object, and the text that is written from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llavacli.render.columns import bytes_of
from llavacli.render.preview import protocol
from llavacli.render.shell import pasted
from llavacli.render.text import escaped

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.streams import Output

SCHEMA = "llavacli.doctor/1"

Report = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """A model and what it is asked, as it would run (`wanted`), in other forms, and the one to be advised."""

    model: core.ModelInfo
    work: core.Work
    wanted: core.Fit
    choices: Sequence[core.Fit]
    best: core.Fit | None
    command: str | None  # to paste


def report(found: core.Environment, checkup: Checkup | None, output: Output) -> Report:
    """The JSON object, its keys in order; sizes are bytes."""
    return {
        "schema": SCHEMA,
        "version": found.version,
        "python": found.python,
        "platform": found.platform,
        "torch": asdict(found.torch),
        "devices": [
            {"device": each.device, "name": each.name, "bfloat16": each.bfloat16, **_room(each.room)}
            for each in found.devices
        ],
        "libraries": [asdict(each) for each in found.libraries],
        "cache": asdict(found.cache),
        "terminal": {"color": output.colored, "graphics": protocol("auto", os.environ, color=output.colored)},
        "model": None if checkup is None else {"id": checkup.model.id, "family": checkup.model.family},
        "work": None if checkup is None else asdict(checkup.work),
        "memory": None if checkup is None else memory(checkup.wanted),
        "choices": [] if checkup is None else [memory(choice) for choice in checkup.choices],
        "fits": None if checkup is None else checkup.wanted.fits,
        "command": None if checkup is None else checkup.command,
    }


def memory(fit: core.Fit) -> dict[str, Any]:
    """What a model takes in one form; `total` is beyond a process that has imported everything and loaded nothing."""
    needs = fit.footprint
    return {
        "device": fit.device,
        "dtype": fit.dtype,
        "quant": fit.quant,
        "weights": needs.weights,
        "mapped": needs.mapped,
        "cache": needs.cache,
        "activations": needs.activations,
        "overhead": needs.overhead,
        "total": needs.total,
        "free": None if fit.room is None else fit.room.free,
        "budget": fit.budget,
        "verdict": fit.verdict,
    }


def advised(model: str, flags: Sequence[str], sources: Sequence[str]) -> str:
    """The command to paste: without sources, a conversation."""
    ends = ["--"] if any(name.startswith("-") and name != "-" for name in sources) else []
    return pasted(["llavacli", "describe" if sources else "chat", "-m", model, *flags, *ends, *sources])


def as_text(found: Report) -> str:
    """The text: a line for each fact, then the table of forms."""
    lines = [*_environment(found)]
    if found["model"] is not None:
        lines += ["", *_table(found)]
    return "".join(f"{escaped(line, lines=False)}\n" for line in lines)


def _environment(found: Report) -> list[str]:
    """Versions, devices, libraries, cache, terminal."""
    torch = found["torch"]
    builds = [f"CUDA {torch['cuda']}" if torch["cuda"] else "no CUDA", *(["MPS"] if torch["mps"] else [])]
    lines = [
        f"llavacli  {found['version']}, Python {found['python']}, {found['platform']}",
        f"torch     {torch['problem']}"
        if torch["problem"]
        else f"torch     {torch['version']}, {', '.join(builds)}, {torch['threads']} threads",
    ]
    for device in found["devices"]:
        has = "bfloat16" if device["bfloat16"] else "no bfloat16 arithmetic"
        room = (
            "memory unknown"
            if device["total"] is None
            else f"{bytes_of(device['free'])} of {bytes_of(device['total'])} free"
        )
        lines.append(f"{device['device']:<8}  {device['name']}: {room}, {has}")
    for library in found["libraries"]:
        said = library["version"] if library["problem"] is None else f"{library['problem']}: {library['hint']}"
        lines.append(f"library   {library['name']} {said} ({library['use']})")
    cache = found["cache"]
    free = "" if cache["free"] is None else f", {bytes_of(cache['free'])} free"
    lines.append(f"cache     {cache['folder']}{free}{', offline' if cache['offline'] else ''}")
    color = "colours" if found["terminal"]["color"] else "no colours"
    return [*lines, f"terminal  {color}, pictures by {found['terminal']['graphics']}"]


def _table(found: Report) -> list[str]:
    """What the model takes in each form, and the command."""
    work, wanted = found["work"], found["memory"]
    tiles = work["tiles"] + sum(work["frames"])
    asked = f"prompt {work['prompt']} tokens, answer {work['answer']}, tiles {tiles}"
    lines = [
        f"model     {found['model']['id']}: {asked if work['prompt'] else 'alone; name a picture, and it counts too'}",
        "",
        f"{'':10}{'weights':>10}{'KV cache':>10}{'other':>10}{'total':>10}",
    ]
    for choice in found["choices"]:
        name = choice["dtype"] if choice["quant"] == "none" else choice["quant"]
        lines.append(f"{name:<10}{_sizes(choice)}  {choice['verdict']}")
    name = wanted["dtype"] if wanted["quant"] == "none" else f"{wanted['quant']} {wanted['dtype']}"
    allowed = "" if wanted["budget"] is None else f"; {bytes_of(wanted['budget'])} allowed"
    free = "" if wanted["free"] is None else f"{allowed}; {bytes_of(wanted['free'])} free on {wanted['device']}"
    lines += ["", f"as it is  {name} needs {bytes_of(wanted['total'])}{free}: {wanted['verdict']}"]
    otherwise = "a smaller model" if wanted["budget"] is None else "a larger --max-memory or a smaller model"
    return [*lines, f"try       {found['command'] or f'{otherwise}: nothing fits'}"]


def _sizes(choice: dict[str, Any]) -> str:
    other = choice["activations"] + choice["overhead"]
    return "".join(f"{bytes_of(each):>10}" for each in (choice["weights"], choice["cache"], other, choice["total"]))


def _room(room: core.Room | None) -> dict[str, int | None]:
    return {"total": None if room is None else room.total, "free": None if room is None else room.free}
