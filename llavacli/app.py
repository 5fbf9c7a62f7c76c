"""The list of commands, and running one of them: exceptions to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from llavacli import streams
from llavacli.command import SETTLED, Group, group, offer
from llavacli.commands.caption import CaptionCommand, caption
from llavacli.commands.chat import chat
from llavacli.commands.describe import describe
from llavacli.commands.doctor import doctor
from llavacli.commands.mark import mark
from llavacli.commands.models import MODELS
from llavacli.commands.sessions import SESSIONS
from llavacli.failures import READER_GONE, USAGE, Failure, UsageError, failure, usage_failure
from llavacli.options import MARKS_HELP, TerminalOptions
from llavacli.signals import Stopper
from llavacli.streams import Notes

HELP = """Chat with pictures in the terminal.

\b
Examples:
  llavacli chat cat.jpg
  llavacli describe cat.jpg
  llavacli describe -m llava-hf/llava-v1.6-mistral-7b-hf -p "What is this?" cat.jpg
  llavacli describe -m llava-hf/vip-llava-7b-hf --mark box:10%,10%,60%,60%:red -p "What is in the red box?" cat.jpg
  llavacli caption photos/ -o captions.jsonl
  cat cat.jpg | llavacli describe -
"""

EPILOG = """Options can also be set in the environment (LLAVACLI_MAX_TOKENS=128), in ./llavacli.toml, or in the user's
config.toml (max-tokens = 128). An option that may be repeated takes a list there, and in the environment one value per
line."""

MARKS_EPILOG = f"{MARKS_HELP}\n\n{EPILOG}"

app = typer.Typer(
    name="llavacli",
    cls=Group,
    help=HELP,
    rich_markup_mode=None,  # Rich would double the time that --help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = {
    "chat": offer(chat, epilog=MARKS_EPILOG),
    "describe": offer(describe, epilog=MARKS_EPILOG),
    "mark": offer(mark, epilog=MARKS_EPILOG),
    "doctor": offer(doctor, epilog=EPILOG),
    "caption": offer(caption, CaptionCommand, EPILOG),
    "models": MODELS,
    "sessions": SESSIONS,
}


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """See HELP."""
    if version:
        import llavacli_core as core

        typer.echo(f"llavacli {core.__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        Notes().raw(f"{ctx.get_help()}\n")
        raise typer.Exit(USAGE)


def run(argv: Sequence[str], stopper: Stopper) -> int:
    """Run the command line and give its exit code; nothing that goes wrong gets past here with a traceback."""
    streams.fill_closed_descriptors()
    cli: Any = group(app, COMMANDS)
    meta: dict[str, Any] = {}
    try:
        if "_LLAVACLI_COMPLETE" in os.environ:
            _complete(cli, argv)
        with cli.make_context("llavacli", list(argv), obj=stopper) as context:
            meta = context.meta
            cli.invoke(context)
        return 0
    except typer.Exit as done:
        if done.exit_code == 0 and sys.__stdout__ is None and SETTLED not in meta:  # help that nobody gets
            return _reported(streams.closed(), None)
        return done.exit_code
    except Exception as error:
        return stopper.exit_code if stopper.signum is not None else _reported(error, meta.get(SETTLED))


def _complete(cli: Any, argv: Sequence[str]) -> None:
    """Answer a shell that completes a line."""
    try:
        cli.main(args=list(argv), prog_name="llavacli")
    except (KeyError, ValueError) as error:  # the line is in variables, too
        raise UsageError(
            "_LLAVACLI_COMPLETE is set, and no line to complete",
            hint="unset it; llavacli --install-completion lets the shell set it",
        ) from error


def _reported(error: Exception, terminal: TerminalOptions | None) -> int:
    """Say what went wrong in one line, and give the exit code; `terminal` is None before a command has begun."""
    if isinstance(error, OSError) and terminal is None:
        error = streams.output_error(error)  # Typer was printing help
    terminal = terminal or TerminalOptions()
    notes = Notes(debug=terminal.debug, color=terminal.color)
    if isinstance(error, streams.OutputError):
        streams.abandon_stdout()
        if error.exit_code != READER_GONE:
            notes.error(Failure("internal", str(error), error.hint), error)
        return error.exit_code
    what = usage_failure(error) if isinstance(error, typer.TyperException) else failure(error)
    notes.error(what, error)
    return what.exit_code
