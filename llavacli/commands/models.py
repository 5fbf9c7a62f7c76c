"""`llavacli models`: the checkpoints in the Hub's shared cache, listed, described, fetched, checked, removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from llavacli.command import subgroup
from llavacli.completion import model_names
from llavacli.failures import Failure, UsageError, failure, overall
from llavacli.loading import DEMO
from llavacli.options import MODEL, OUTPUT, TerminalOptions, flag
from llavacli.pulling import (
    CacheDir,
    LocalDir,
    Offline,
    PullOptions,
    Revision,
    check_files,
    pull_line,
    pull_one,
    repair,
    sound,
    to_fetch,
)
from llavacli.render.columns import bytes_of
from llavacli.streams import Notes
from llavacli.terminal import agreed, streams

HELP = """List, describe, fetch, check and remove models in the Hugging Face Hub's shared cache.

\b
Examples:
  llavacli models ls
  llavacli models ls --aliases
  llavacli models info llava-1.5-7b
  llavacli models pull llava-1.5-7b
  llavacli models verify llava-1.5-7b
  llavacli models rm llava-1.5-7b
"""

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="A Hub id (org/name), a folder, or an alias. [default: the built-in demo]",
        autocompletion=model_names,
    ),
]
Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL", show_default=False, help="Hub ids (org/name) or aliases.", autocompletion=model_names
    ),
]
Json = Annotated[bool, flag("--json", panel=OUTPUT, help="JSON records.")]


@dataclass(frozen=True, kw_only=True)
class RemovalOptions:
    """What is removed; heeded on the command line alone, since it cannot be undone."""

    revision: Annotated[
        str | None,
        flag(
            "--revision",
            panel=MODEL,
            metavar="REV",
            settable=False,
            help="This branch, tag or commit alone. [default: all of the model]",
        ),
    ] = None
    cache_dir: CacheDir = None
    yes: Annotated[bool, flag("--yes", "-y", panel=MODEL, settable=False, help="Do not ask.")] = False
    dry_run: Annotated[
        bool, flag("--dry-run", panel=MODEL, settable=False, help="Say what would go, and remove nothing.")
    ] = False


def ls(
    *,
    aliases: Annotated[
        bool, flag("--aliases", panel=MODEL, settable=False, help="List the short names that every -m takes.")
    ] = False,
    cache_dir: CacheDir = None,
    json: Json = False,
    terminal: TerminalOptions,
) -> int:
    """List what can be used without a download: models of supported families in the cache, and the built-in demo.

    \b
    Examples:
      llavacli models ls
      llavacli models ls --aliases
      llavacli models ls --json | jq -r 'select(.complete | not).id'
      llavacli models ls | cut -f 1
    """
    import llavacli_core as core
    from llavacli.render.models import list_aliases, list_models

    notes, output = streams(terminal)
    if cache_dir is not None and not os.path.isdir(os.path.expanduser(cache_dir)):
        notes.warning(f"--cache-dir {cache_dir}: there is no such folder")
    models = list(core.list_models(cache_dir))
    if aliases:
        list_aliases(core.aliases(), {model.id: model for model in models}, output, json=json)
    else:
        list_models(models, output, json=json)
    return 0


def info(
    model: Model = DEMO,
    *,
    prompt: Annotated[
        bool, flag("--prompt", panel=OUTPUT, settable=False, help="Add the exact prompt of a sample question.")
    ] = False,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    offline: Offline = False,
    json: Json = False,
    terminal: TerminalOptions,
) -> int:
    """Tell what a model is, what it can do and what a picture costs. Its weights are neither loaded nor fetched.

    \b
    Examples:
      llavacli models info llava-1.5-7b
      llavacli models info llava-v1.6-mistral-7b --prompt
      llavacli models info ./my-checkpoint --json
    """
    import llavacli_core as core
    from llavacli.render.models import write_sheet

    _, output = streams(terminal)
    name = os.path.expanduser(model)
    sheet = core.load_sheet(name, revision=revision, offline=offline, cache=cache_dir)
    about: dict[str, Any] = {"to_fetch": None, "pull": None, "prompt": None}
    if sheet.missing and sheet.revision is not None:
        about["pull"] = pull_line(sheet.id, {"--revision": revision, "--cache-dir": cache_dir})
        about["to_fetch"] = None if offline else to_fetch(sheet.id, revision, cache_dir)
    if prompt and sheet.takes_prompt:
        about["prompt"] = core.sample_prompt(sheet)
    write_sheet(sheet, about, output, json=json)
    return 0


def pull(models: Models, *, pulling: PullOptions, terminal: TerminalOptions) -> int:
    """Fetch models into the cache, and print their folders. What was cut short goes on where it was.

    \b
    Examples:
      llavacli models pull llava-1.5-7b
      llavacli models pull --dry-run llava-v1.6-34b
      llavacli models pull --revision main --local-dir ./llava llava-hf/llava-1.5-7b-hf
      llavacli models pull --repair llava-1.5-7b
    """
    if pulling.local_dir is not None and len(models) > 1:
        raise UsageError("one --local-dir for several models", hint="pull them one by one")
    if pulling.local_dir is not None and pulling.cache_dir is not None:
        raise UsageError("--local-dir and --cache-dir are two places", hint="give one of them")
    notes, output = streams(terminal)
    return _each(models, lambda model: pull_one(model, pulling, notes, output), notes)


def verify(
    models: Models,
    *,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    local_dir: LocalDir = None,
    offline: Offline = False,
    json: Json = False,
    terminal: TerminalOptions,
) -> int:
    """Compare a model's files, in the cache or a folder, with the sizes and hashes that the Hub gave. Works offline.

    \b
    Examples:
      llavacli models verify llava-1.5-7b
      llavacli models verify ./my-checkpoint
      llavacli models verify llava-hf/llava-1.5-7b-hf --local-dir ./llava
    """
    import llavacli_core as core
    from llavacli.render.models import write_checked

    if local_dir is not None and len(models) > 1:
        raise UsageError("one --local-dir for several models", hint="check them one by one")
    notes, output = streams(terminal)

    def check(model: str) -> Failure | None:
        plan = core.plan_verification(
            os.path.expanduser(model), revision=revision, cache=cache_dir, folder=local_dir, offline=offline
        )
        checked = check_files(plan, notes)
        bad = [each for each in checked if each.problem is not None]
        for each in checked if json else bad:
            write_checked(each, plan.id, plan.folder, output, json=json)
        if not bad:
            notes.note(sound(plan, checked))
            return None
        what = f"{plan.id}: {len(bad)} of {len(checked)} files are not as they should be"
        places = {"--revision": revision, "--cache-dir": cache_dir, "--local-dir": local_dir}
        return Failure("model_broken", what, repair(plan, places))

    return _each(models, check, notes)


def rm(models: Models, *, removal: RemovalOptions, terminal: TerminalOptions) -> int:
    """Remove models from the cache. On a terminal it asks first; folders elsewhere are never touched.

    \b
    Examples:
      llavacli models rm llava-1.5-7b
      llavacli models rm --dry-run llava-1.5-7b vip-llava-7b
      llavacli models rm --revision 0123456 llava-1.5-7b
    """
    import llavacli_core as core

    notes, output = streams(terminal)
    plans = [core.plan_removal(name, revision=removal.revision, cache=removal.cache_dir) for name in models]
    plans = list({(plan.repository, plan.commits): plan for plan in plans}.values())
    for plan in plans:
        for folder in plan.folders if removal.dry_run else ():
            output.write(f"{folder}\n")
    freed = bytes_of(sum(plan.freed for plan in plans))
    what = ", ".join(plan.id if plan.whole else f"{plan.id} at {plan.commits[0][:7]}" for plan in plans)
    if removal.dry_run:
        notes.note(f"this would remove {what} and free {freed}")
        return 0
    if not removal.yes and not agreed(f"remove {what} and free {freed}?", notes):
        notes.note("nothing removed")
        return 0
    for plan in plans:
        plan.run()
    notes.note(f"removed {what}: {freed} freed")
    return 0


def _each(models: Sequence[str], do: Callable[[str], Failure | None], notes: Notes) -> int:
    """Do it for every model; what fails with one does not keep the others from it."""
    import llavacli_core as core

    failures = []
    for model in models:
        try:
            failed, cause = do(model), None
        except core.errors.CoreError as error:
            failed, cause = failure(error), error
        if failed is not None:
            notes.error(failed, cause)
            failures.append(failed)
    return overall(failures, len(models))


MODELS = subgroup("models", HELP, (ls, info, pull, verify, rm))
