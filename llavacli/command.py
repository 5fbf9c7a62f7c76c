"""How a function becomes a command: groups of options spread into flags, config files filled in, help in sections.

To spell out a command's flags takes as long as Python's own start, and a run needs those of one: commands are offered,
and made when they are asked for.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import OptionInfo

from llavacli import options, settings
from llavacli.failures import USAGE, UsageError, usage_failure
from llavacli.render.shell import pasted
from llavacli.signals import Stopper
from llavacli.sources import is_url
from llavacli.streams import Notes

SETTLED = "llavacli.settled"  # in Context.meta, once the command itself runs: its TerminalOptions


class Command(TyperCommand):
    """A command whose help shows the options under their headings."""

    optional_values: ClassVar[Mapping[str, str]] = {}  # flags whose value may be left out, and what it is then

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; a flag of `optional_values` takes the next one for its value if that is an ending."""
        try:
            return super().parse_args(ctx, _with_values(args, self.optional_values))
        except typer.TyperException as error:
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]
            raise  # and now it is known whose help to name

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each heading, in the order of its first option; `--help` comes last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and parameter.param_type_name == "option":
                title = getattr(parameter, "rich_help_panel", None) or options.OUTPUT
                sections.setdefault(title, []).append(record)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


@dataclass(frozen=True)
class Offer:
    """A command or a group of them that is still to be made, and its help, whose first sentence stands in lists."""

    help: str
    make: Callable[[], Any]


class Commands(Mapping[str, Any]):
    """Commands by their names, each made when it is first asked for."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self.offers = offers
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self.offers[name].make()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.offers)

    def __len__(self) -> int:
        return len(self.offers)


class Group(TyperGroup):
    """The commands; a mistyped one is answered with what may have been meant."""

    commands: Any  # `Commands`

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order in which they are offered."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the name of each and the first sentence of its help."""
        width = formatter.width - 6 - max(map(len, self.commands))  # as Typer has it
        offers = self.commands.offers.items()
        rows = [(name, TyperCommand(name=name, help=offer.help).get_short_help_str(width)) for name, offer in offers]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_params(self, ctx: Any) -> list[Any]:
        """The group's own flags, off by default: Typer would load pydantic (80 ms) to convert a default of None."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            if parameter.default is None and getattr(parameter, "is_bool_flag", False):
                parameter.default = False
        return parameters

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first argument names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            raise UsageError(f"no such command: {name}", hint=self._nearest(name, ctx))
        return super().resolve_command(ctx, args)

    def _nearest(self, name: str, ctx: Any) -> str:
        close = get_close_matches(name, self.commands, n=1)
        if close:
            return f"did you mean {close[0]}?"
        if ctx.parent is None and (os.path.lexists(name) or is_url(name)):
            return f"to describe a picture: {pasted(['llavacli', 'describe', name])}"
        return f"{ctx.command_path} --help lists the commands"


def group(app: typer.Typer, offers: Mapping[str, Offer]) -> Group:
    """The group that a Typer app of that class describes, with these commands."""
    made = typer.main.get_command(app)
    assert isinstance(made, Group)
    made.commands = Commands(offers)
    return made


def offer(function: Callable[..., int], cls: type[Command] = Command, epilog: str | None = None) -> Offer:
    """The command that a function becomes, as `command` says; its help is the function's docstring."""

    def make() -> Any:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(function.__name__, cls=cls, epilog=epilog)(command(function))
        return typer.main.get_command(app)

    return Offer(inspect.getdoc(function) or "", make)


def subgroup(name: str, help: str, functions: Iterable[Callable[..., int]]) -> Offer:
    """A group of commands among the others; called without one of them it shows its help, which is a usage error."""

    def make() -> Group:
        app = typer.Typer(name=name, cls=Group, help=help, add_completion=False, rich_markup_mode=None)

        @app.callback(invoke_without_command=True)
        def without_command(ctx: typer.Context) -> None:
            if ctx.invoked_subcommand is None:
                Notes().raw(f"{ctx.get_help()}\n")
                raise typer.Exit(USAGE)

        return group(app, {function.__name__: offer(function) for function in functions})

    return Offer(help, make)


def command(function: Callable[..., int]) -> Callable[..., None]:
    """`function`, as Typer wants it: each parameter that is a group of options becomes its fields.

    The function gives the exit code. A parameter of type `Stopper` gets the process's own.
    """
    hints = get_type_hints(function, include_extras=True)
    flat: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    stoppers: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if kind is Stopper:
            stoppers.append(parameter.name)
        elif isinstance(kind, type) and is_dataclass(kind):
            groups[parameter.name] = kind
            flat += _spread(kind)
        else:
            flat.append(parameter.replace(annotation=kind))

    def run(ctx: typer.Context, **values: Any) -> None:
        kinds = _kinds(flat)
        values |= _settled(ctx, kinds)
        arguments: dict[str, Any] = dict.fromkeys(stoppers, ctx.obj)
        for name, group in groups.items():
            arguments[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
            if isinstance(arguments[name], options.TerminalOptions):
                ctx.meta[SETTLED] = arguments[name]
        _warn_of_strange_variables(ctx, kinds)
        raise typer.Exit(function(**values, **arguments))

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    flat.sort(key=lambda parameter: parameter.kind)
    run.__signature__ = inspect.Signature([context, *flat])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (context, *flat)}
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run


def _with_values(args: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The arguments with the values that were left out; behind `--` there are no flags."""
    end = args.index("--") if "--" in args else len(args)
    filled = []
    for place, argument in enumerate(args):
        filled.append(argument)
        following = args[place + 1] if place + 1 < end else ""
        if place < end and argument in values and not re.fullmatch(r"\.\w+", following):
            filled.append(values[argument])
    return filled


def _spread(group: type) -> list[inspect.Parameter]:
    """A group's fields as parameters."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(group)
    ]


def _kinds(parameters: Iterable[inspect.Parameter]) -> dict[str, Any]:
    """The type of each option that is also a setting, without what Typer is told about it; arguments are left out.

    An option without a variable is the command line's alone, unless it is a list, whose variable is not Typer's.
    """
    kinds = {}
    for parameter in parameters:
        kind = parameter.annotation.__origin__
        for told in parameter.annotation.__metadata__:
            if isinstance(told, OptionInfo) and (told.envvar is not None or settings.lists(kind)):
                kinds[parameter.name] = kind
    return kinds


def _settled(ctx: typer.Context, kinds: dict[str, Any]) -> dict[str, Any]:
    """Values for the options that no flag and no environment variable of Typer's has set."""
    free = {name for name in kinds if getattr(ctx.get_parameter_source(name), "name", None) == "DEFAULT"}
    shared = _kinds(parameter for group in options.SHARED for parameter in _spread(group))
    root = ctx.find_root().command
    configured = settings.configured(_path(ctx), kinds, shared, lambda: dict(_settable(root)))
    _refuse_out_of_range(ctx, configured)
    values = configured | settings.listed_in_environment(kinds)
    return {name: value for name, value in values.items() if name in free}


def _warn_of_strange_variables(ctx: typer.Context, kinds: Collection[str]) -> None:
    """Say which variables set nothing; as they may be another version's, nothing is refused."""
    terminal = ctx.meta.get(SETTLED, options.TerminalOptions())
    notes = Notes(quiet=terminal.quiet, color=terminal.color)
    for warning in settings.strange_variables(kinds, lambda: dict(_settable(ctx.find_root().command))):
        notes.warning(warning)


def _refuse_out_of_range(ctx: typer.Context, configured: Mapping[str, Any]) -> None:
    """Hold the values of config files to what the flags take."""
    for parameter in ctx.command.params:
        if parameter.name in configured:
            try:
                parameter.process_value(ctx, configured[parameter.name])
            except typer.BadParameter as error:
                raise UsageError(f"in a config file: {usage_failure(error).message}", hint="correct it") from error


def _settable(group: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Each command's name, after those of the groups it is in, and its options that are also settings."""
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from _settable(each, f"{prefix}{name}.")
        else:
            options = [parameter for parameter in each.params if parameter.param_type_name == "option"]
            yield f"{prefix}{name}", [option.name for option in options if option.envvar or option.multiple]


def _path(ctx: typer.Context) -> list[str]:
    """The command's name, after those of the groups it is in."""
    return [] if ctx.parent is None else [*_path(ctx.parent), str(ctx.info_name)]  # type: ignore[arg-type]
