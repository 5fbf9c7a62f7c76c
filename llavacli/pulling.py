"""Fetching and checking models in the cache or a folder: where, what of it, and how it is told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from llavacli.options import MODEL, flag
from llavacli.render.columns import bytes_of
from llavacli.render.progress import follow
from llavacli.render.shell import pasted
from llavacli.signals import Interrupted
from llavacli.streams import Notes, Output

if TYPE_CHECKING:
    import llavacli_core as core

Offline = Annotated[bool, flag("--offline", panel=MODEL, help="Never ask the Hub.")]
CacheDir = Annotated[
    str | None,
    flag(
        "--cache-dir",
        panel=MODEL,
        metavar="DIR",
        settable=False,
        help="The cache. [default: that of HF_HUB_CACHE or HF_HOME]",
    ),
]
LocalDir = Annotated[
    str | None,
    flag("--local-dir", panel=MODEL, metavar="DIR", settable=False, help="A folder of its own instead of the cache."),
]
Revision = Annotated[
    str | None,
    flag("--revision", panel=MODEL, metavar="REV", settable=False, help="A branch, tag or commit. [default: main]"),
]


@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """What is fetched, and where to."""

    revision: Revision = None
    cache_dir: CacheDir = None
    local_dir: LocalDir = None
    force: Annotated[bool, flag("--force", panel=MODEL, settable=False, help="Fetch again what is there already.")] = (
        False
    )
    repair: Annotated[
        bool, flag("--repair", panel=MODEL, settable=False, help="Check what is there, and fetch what is damaged.")
    ] = False
    dry_run: Annotated[
        bool, flag("--dry-run", panel=MODEL, settable=False, help="Say what would be fetched, and fetch nothing.")
    ] = False
    offline: Offline = False


def pull_one(model: str, pulling: PullOptions, notes: Notes, output: Output) -> None:
    """Fetch one model, and print its folder."""
    from llavacli.render.models import write_plan

    plan = _plan(model, pulling, notes)
    if isinstance(plan, str):
        output.write(f"{plan}\n")
        return
    if pulling.dry_run:
        write_plan(plan, output)
        notes.note(f"{_to_fetch(plan)} to {plan.folder}, where {bytes_of(plan.free)} are free")
        plan.check_room()
        return
    complete = f"{plan.id} is complete already: {bytes_of(plan.listing.size)} at {plan.commit[:7]}"
    notes.note(_to_fetch(plan) if plan.fetched else complete)
    try:
        follow(plan.run(), plan.id, notes)
    except Interrupted:
        notes.note("what has come is kept: the same command goes on from there")
        raise
    output.write(f"{plan.folder}\n")


def _plan(model: str, pulling: PullOptions, notes: Notes) -> core.Pull | str:
    """What is to be fetched; where the Hub cannot be asked and nothing is lacking, the folder that it is in."""
    import llavacli_core as core

    bad = _damaged(model, pulling, notes) if pulling.repair else set()
    try:
        return core.plan_pull(
            model,
            revision=pulling.revision,
            cache=pulling.cache_dir,
            folder=pulling.local_dir,
            again=lambda name: pulling.force or name in bad,
            offline=pulling.offline,
        )
    except core.errors.Unreachable:
        here = core.find_model(model, revision=pulling.revision, cache=pulling.cache_dir)
        if bad or pulling.force or pulling.local_dir is not None or here is None or not here.complete:
            raise
        asked = "the Hub was not asked whether there is a newer one"
        notes.note(f"{here.id} is complete already: {bytes_of(here.size)} at {(here.revision or '')[:7]}; {asked}")
        return str(here.folder)


def _damaged(model: str, pulling: PullOptions, notes: Notes) -> set[str]:
    """The names of files that are there and not as they should be; none if there is nothing yet."""
    import llavacli_core as core

    try:
        plan = core.plan_verification(
            model, revision=pulling.revision, cache=pulling.cache_dir, folder=pulling.local_dir, offline=pulling.offline
        )
    except core.errors.ModelMissing:
        return set()
    bad = {each.name for each in check_files(plan, notes) if each.problem is not None}
    notes.note(f"{plan.id}: {len(bad)} damaged or missing" if bad else f"{plan.id}: nothing is damaged")
    return bad


def check_files(plan: core.Verification, notes: Notes) -> list[core.Checked]:
    """Check all files, in the order of their names, and show how far it is."""
    import llavacli_core as core

    checked: list[core.Checked] = []

    def progress() -> Iterator[core.Progress]:
        for event in plan.run():
            if isinstance(event, core.Checked):
                checked.append(event)
            else:
                yield event

    follow(progress(), plan.id, notes, doing="checking")
    return sorted(checked, key=lambda each: each.name)


def sound(plan: core.Verification, checked: Sequence[core.Checked]) -> str:
    """What to say of files that are as they should be, and by what that is known."""
    unknown = sum(each.how == "structure" for each in checked)
    what = f"{plan.id}: {len(checked)} files, {bytes_of(plan.size)}, are as they should be"
    if not unknown:
        return what
    of_which = "no hashes are known" if unknown == len(checked) else f"of {unknown} no hash is known"
    return f"{what}, as far as can be told: {of_which}"


def repair(plan: core.Verification, options: Mapping[str, str | None]) -> str:
    """What to do about files that are not."""
    return pull_line(plan.id, options, "--repair") if "/" in plan.id and plan.revision else "fetch the checkpoint again"


def pull_line(name: str, options: Mapping[str, str | None], *flags: str) -> str:
    """The command that fetches a model."""
    given = [part for option, value in options.items() if value is not None for part in (option, value)]
    return pasted(["llavacli", "models", "pull", name, *flags, *given])


def to_fetch(name: str, revision: str | None, cache: str | None) -> int | None:
    """Bytes that a pull would fetch; None where the Hub cannot be asked."""
    import llavacli_core as core

    try:
        plan = core.plan_pull(name, revision=revision, cache=cache)
    except core.errors.CoreError:
        return None
    return plan.size - plan.resumed


def _to_fetch(plan: core.Pull) -> str:
    """How much is to come."""
    count, resumed = len(plan.fetched), plan.resumed
    files = f"{count} file{'s' if count != 1 else ''}"
    here = f", of which {bytes_of(resumed)} are here from an earlier attempt" if resumed else ""
    return f"{plan.id} at {plan.commit[:7]}: {files}, {bytes_of(plan.size)} to fetch{here}"
