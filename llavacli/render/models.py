"""Models in a list, one by one, and what pulling them would do: text for people, fields for pipes, records."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llavacli.render.columns import bytes_of, day, write_fields, write_table
from llavacli.render.record import line
from llavacli.render.text import escaped

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.streams import Output

LISTED, ALIASES, SHEET, CHECKED = "llavacli.models/1", "llavacli.aliases/1", "llavacli.model/1", "llavacli.verify/1"
SHORT = 7  # characters of a commit, as git and the Hub show it
WIDE = 110  # columns, from which there is room for all of a list


def list_models(models: Sequence[core.CachedModel], output: Output, *, json: bool) -> None:
    """Write models: Hub id, family, size, revision, when it was used and when fetched, whether it is whole."""
    if json:
        for each in models:
            output.write(line(_listed(each)))
    elif not output.is_terminal:
        for each in models:
            about = (
                each.family or "",
                str(each.size),
                each.revision or "",
                _stamp(each.accessed),
                _stamp(each.modified),
            )
            write_fields(output, each.id, *about, _state(each))
    else:
        rows = [("MODEL", "SIZE", "REVISION", "LAST USED", "FAMILY", "")]
        for each in models:
            state = "" if each.complete else "incomplete"
            used, revision = day(each.accessed), (each.revision or "-")[:SHORT]
            rows.append((each.id, bytes_of(each.size), revision, used, each.family or "-", state))
        is_wide = shutil.get_terminal_size().columns >= WIDE
        write_table(rows if is_wide else [(*row[:3], row[5]) for row in rows], output)


def list_aliases(
    aliases: Mapping[str, str], cached: Mapping[str, core.CachedModel], output: Output, *, json: bool
) -> None:
    """Write short names, the Hub ids they stand for, and how much of each the cache holds."""
    rows = [("ALIAS", "MODEL", "CACHED")]
    for alias, name in aliases.items():
        model = cached.get(name)
        if json:
            size = None if model is None else model.size
            values = {"alias": alias, "id": name, "size": size, "complete": model is not None and model.complete}
            output.write(line({"schema": ALIASES, **values}))
        elif not output.is_terminal:
            write_fields(output, alias, name, "" if model is None else str(model.size))
        had = "-" if model is None else bytes_of(model.size) + ("" if model.complete else ", incomplete")
        rows.append((alias, name, had))
    if output.is_terminal and not json:
        write_table(rows, output)


def write_sheet(sheet: core.Sheet, about: Mapping[str, Any], output: Output, *, json: bool) -> None:
    """Write a model's facts; `about` holds what is known beyond its files: `to_fetch`, `pull`, `prompt`."""
    if json:
        output.write(line(_sheet(sheet, about), indent=2 if output.is_terminal else None))
        return
    safe = (lambda text: escaped(text, lines=False)) if output.is_terminal else str
    for name, value in _facts(sheet, about):
        output.write(f"{name:<12}{safe(value)}\n")
    if about["prompt"] is not None:
        prompt = escaped(about["prompt"]) if output.is_terminal else about["prompt"]
        output.write(f"\n{prompt}" + ("" if prompt.endswith("\n") else "\n"))


def write_plan(pull: core.Pull, output: Output) -> None:
    """Write what a pull would fetch, file by file, and where to."""
    fetched = {file.name for file in pull.fetched}
    rows = [(file.name, file.size, "fetch" if file.name in fetched else "there") for file in pull.files]
    if not output.is_terminal:
        for name, size, what in rows:
            write_fields(output, name, str(size), what)
        return
    write_table([("FILE", "SIZE", ""), *((name, bytes_of(size), what) for name, size, what in rows)], output)


def write_checked(checked: core.Checked, id: str, folder: Path, output: Output, *, json: bool) -> None:
    """Write one file's verdict: every file as records, else those that are not as they should be."""
    if json:
        values = {
            "model": id,
            "folder": str(folder),
            "file": checked.name,
            "size": checked.size,
            "checked_by": checked.how,
        }
        output.write(line({"schema": CHECKED, **values, "problem": checked.problem}))
    elif checked.problem is not None:
        text = f"{folder / checked.name}: {checked.problem}"
        output.write((escaped(text, lines=False) if output.is_terminal else text) + "\n")


def _listed(model: core.CachedModel) -> dict[str, Any]:
    return {
        "schema": LISTED,
        "id": model.id,
        "family": model.family,
        "size": model.size,
        "revision": model.revision,
        "refs": list(model.refs),
        "accessed": _stamp(model.accessed),
        "modified": _stamp(model.modified),
        "complete": model.complete,
        "missing": list(model.missing),
        "folder": str(model.folder),
    }


def _state(model: core.CachedModel) -> str:
    return "complete" if model.complete else "incomplete"


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _facts(sheet: core.Sheet, about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each fact under its name."""
    yield "model", sheet.id + (f" at {sheet.revision[:SHORT]}" if sheet.revision else "")
    yield "family", f"{sheet.family} ({sheet.architecture})"
    yield "template", _template(sheet)
    if sheet.takes_prompt:
        yield from _costs(sheet)
    yield "takes", ", ".join(_abilities(sheet))
    yield "context", f"{sheet.positions} positions" + (" for prompt and answer" if sheet.takes_prompt else "")
    stored = ", ".join(sheet.stored) if sheet.stored else f"{sheet.dtype}, by its config.json"
    yield "parameters", f"{_count(sheet.parameters)} ({stored})"
    yield "size", f"{bytes_of(sheet.size)} in {sheet.folder}"
    if sheet.missing:
        yield "missing", ", ".join(sheet.missing)
    if about["to_fetch"]:
        yield "to fetch", bytes_of(about["to_fetch"])
    if about["pull"]:
        yield "pull", about["pull"]


def _template(sheet: core.Sheet) -> str:
    if not sheet.takes_prompt:
        return "none: it captions pictures without a prompt"
    if sheet.template is None:
        return "none: choose one with --template"
    return f"{sheet.template}, from {sheet.template_origin}"


def _costs(sheet: core.Sheet) -> Iterator[tuple[str, str]]:
    """Tokens of pictures, those of the same cost in one line, and of clips."""
    tokens = {picture.tokens for picture in sheet.pictures}
    if len(tokens) == 1:
        yield "picture", f"{tokens.pop()} tokens, whatever its size"
    else:
        for picture in sheet.pictures:
            yield "picture", f"{picture.tokens} tokens at {picture.width}x{picture.height}, in {picture.tiles} tiles"
    if sheet.clip is not None:
        each = sheet.clip.tokens_per_frame
        yield "clip", f"{sheet.clip.tokens} tokens in {sheet.clip.frames} frames of {each} (--frames)"


def _abilities(sheet: core.Sheet) -> list[str]:
    """What can be put into a prompt."""
    several = "several pictures at once" if sheet.several_images else "one picture at a time"
    marks = ["marks that it was trained on (--mark)"] if sheet.marks else []
    return [several, *(["clips"] if sheet.clip else []), "a prompt" if sheet.takes_prompt else "no prompt", *marks]


def _count(number: int) -> str:
    """How many numbers, as models are named by them: 7.06 billion."""
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if number >= unit:
            return f"{number / unit:.2f} {name}"
    return str(number)


def _sheet(sheet: core.Sheet, about: Mapping[str, Any]) -> dict[str, Any]:
    clip = sheet.clip
    return {
        "schema": SHEET,
        "id": sheet.id,
        "revision": sheet.revision,
        "folder": str(sheet.folder),
        "family": sheet.family,
        "architecture": sheet.architecture,
        "template": sheet.template,
        "template_origin": sheet.template_origin,
        "takes_prompt": sheet.takes_prompt,
        "several_images": sheet.several_images,
        "takes_videos": clip is not None,
        "marks": sheet.marks,
        "pictures": [
            {"width": each.width, "height": each.height, "tiles": each.tiles, "tokens": each.tokens}
            for each in sheet.pictures
        ],
        "clip": None
        if clip is None
        else {"frames": clip.frames, "tokens": clip.tokens, "tokens_per_frame": clip.tokens_per_frame},
        "positions": sheet.positions,
        "dtype": sheet.dtype,
        "parameters": sheet.parameters,
        "stored": dict(sheet.stored),
        "size": sheet.size,
        "missing": list(sheet.missing),
        "to_fetch": about["to_fetch"],
        "pull": about["pull"],
        "prompt": about["prompt"],
    }
