"""What a prompt would be and cost, without weights: as text, or as JSON along the lines of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llavacli.failures import Failure
from llavacli.loading import model_name
from llavacli.options import ModelOptions
from llavacli.render.columns import bytes_of
from llavacli.render.doctor import memory
from llavacli.render.record import error, images, kinds_of, line, model, unloaded, videos
from llavacli.render.text import escaped, heading

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.request import Question, Request
    from llavacli.streams import Output

SCHEMA = "llavacli.dry-run/1"

Plan = dict[str, Any]  # the JSON object; the text is written from it too


class DryRunText:
    """Shows the prompt, then a line for each picture and for the sum."""

    def __init__(self, output: Output, *, headed: bool) -> None:
        self._output = output
        self._headed = headed
        self._first = True

    def planned(self, request: Request, plan: Plan) -> None:
        """Show a request that could be prepared, whether it fits or not."""
        gap = "" if self._first else "\n"
        self._first = False
        top = f"{heading(request.title, self._output)}\n" if self._headed else ""
        text, costs = plan["prompt_text"], _costs(plan)
        if self._output.is_terminal:
            text, costs = escaped(text), [escaped(line, lines=False) for line in costs]
        if text:
            text += "\n" if text.endswith("\n") else "\n\n"
        self._output.write(gap + top + text + "".join(f"{line}\n" for line in costs))

    def failed(self, request: Request, failure: Failure, info: core.ModelInfo | None) -> None:
        """Nothing: what went wrong is for stderr."""


class DryRunRecords:
    """Writes one JSON object per request."""

    def __init__(self, output: Output, question: Question, options: ModelOptions) -> None:
        self._output = output
        self._question = question
        self._unloaded = unloaded(model_name(options), options.revision)
        self._written: Request | None = None

    def planned(self, request: Request, plan: Plan) -> None:
        """Write a request that could be prepared, whether it fits or not."""
        self._written = request
        self._output.write(line(plan))

    def failed(self, request: Request, failure: Failure, info: core.ModelInfo | None) -> None:
        """Write a request that could not be prepared; one that does not fit is written already."""
        if request is self._written:
            return
        described = self._unloaded if info is None else model(info)
        plan = _empty(request, self._question, info, described) | refused(failure)
        self._output.write(line(plan))


def plan_of(
    request: Request,
    question: Question,
    processor: core.Processor | core.CaptionProcessor,
    prepared: core.Request,
    fit: core.Fit,
    *,
    tokens: bool,
) -> Plan:
    """What a request comes to, as long as nothing is wrong with it."""
    prompt_tokens, positions = len(prepared.token_ids), processor.info.max_positions
    max_tokens = processor.settled(prepared, question.sampling).max_tokens
    plan = _empty(request, question, processor.info, model(processor.info)) | {
        "params": question.params(max_tokens),
        "images": images(request.images, prepared.images),
        "videos": videos(request.videos, prepared.videos),
        "usage": {
            "prompt_tokens": prompt_tokens,
            "image_tokens": prepared.image_tokens,
            "max_tokens": max_tokens,
            "max_positions": positions,
        },
        "memory": memory(fit),
        "fits": fit.fits,
        "warnings": list(prepared.warnings),
        "prompt_text": prepared.prompt_text,
    }
    return plan | {"token_ids": list(prepared.token_ids)} if tokens else plan


def refused(why: Failure) -> Plan:
    """What is different in the plan of a request that cannot be asked."""
    return {"status": "error", "fits": False, "error": error(why)}


def _empty(request: Request, question: Question, info: core.ModelInfo | None, described: dict[str, Any]) -> Plan:
    """A plan with all its keys in order, and nothing prepared yet."""
    return {
        "schema": SCHEMA,
        "status": "ok",
        "source": request.source,
        "images": [],
        "videos": [],
        "prompt": question.prompt_for(request, info),
        "system": question.system,
        "model": described,
        "params": question.params(None),
        "usage": None,
        "memory": None,
        "fits": None,
        "warnings": [],
        "error": None,
        "prompt_text": None,
    }


def _costs(plan: Plan) -> list[str]:
    """The lines below the prompt: pictures, clips, tokens, and whether they fit."""
    lines = []
    for image in plan["images"]:
        marked = f", marked {' '.join(image['marks'])}" if "marks" in image else ""
        cost = f"{_count(image['tiles'], 'tile')}, {_count(image['tokens'], 'token')}"
        lines.append(f"picture  {image['source']}: {image['width']}x{image['height']}, {cost}{marked}")
    for video in plan["videos"]:
        frames = f"{_count(len(video['frames']), 'frame')} ({_listed(video['frames'])})"
        cost = f"{frames}, {_count(video['tokens'], 'token')}"
        lines.append(f"clip     {video['source']}: {video['width']}x{video['height']}, {cost}")
    usage = plan["usage"]
    room = usage["max_positions"] - usage["prompt_tokens"]
    verdict = "does not fit"
    if room > 0:
        verdict = "fits" if room >= usage["max_tokens"] else f"fits, but an answer ends after {_count(room, 'token')}"
    kinds = kinds_of(plan["images"], plan["videos"])
    prompt = f"{_count(usage['prompt_tokens'], 'token')}, {usage['image_tokens']} of them for {kinds}"
    return [
        *lines,
        f"prompt   {'none: this model captions by itself' if plan['prompt'] is None else prompt}",
        f"answer   {_count(usage['max_tokens'], 'token')} at most",
        f"model    {usage['max_positions']} positions: {verdict}",
        _memory(plan["memory"]),
    ]


def _memory(needs: dict[str, Any]) -> str:
    """What the run takes, of what is free."""
    form = needs["dtype"] if needs["quant"] == "none" else f"{needs['dtype']} {needs['quant']}"
    verdict = {
        "from disk": "fits, but weights are read from disk again and again",
        "too large": "does not fit",
        "spread": "fits, spread",
        "over budget": "fits, but takes more than is allowed",
    }
    allowed = "" if needs["budget"] is None else f", {bytes_of(needs['budget'])} allowed"
    free = "" if needs["free"] is None else f"{allowed}, {bytes_of(needs['free'])} free"
    said = verdict.get(needs["verdict"], needs["verdict"])
    return f"memory   {bytes_of(needs['total'])} in {form} on {needs['device']}{free}: {said}"


def _listed(frames: Sequence[int]) -> str:
    """Numbers of frames; of many, the first and the last."""
    numbers = [str(number) for number in frames]
    return " ".join(numbers if len(numbers) <= 16 else [*numbers[:8], "...", numbers[-1]])


def _count(number: int, noun: str) -> str:
    """`1 tile`, `5 tiles`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
