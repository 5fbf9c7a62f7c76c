"""The slash commands: the table of them all, and from a typed line to one of them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.repl import model_commands, picture_commands, session_commands, turn_commands
from llavacli.repl.slash import Command, Leave, Next, Screen

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation


def command_in(line: str) -> tuple[Command, Sequence[str]] | None:
    """The command that a line is, and its arguments; None for words, which may begin with `//` or with a path.

    Raises UsageError for an unknown command and for wrong arguments.
    """
    match = re.match(r"/(\S*)\s*", line)
    if match is None or line.startswith("//"):
        return None
    name, rest = match[1], line[match.end() :].rstrip()
    command = BY_NAME.get(name.lower())
    if command is None:
        if "/" in name or (name and os.path.lexists(f"/{name}")):
            return None
        raise unknown(name)
    return command, command.checked(_arguments(command, rest))


def is_command(line: str) -> bool:
    """Whether a line is a command, if perhaps a wrong one."""
    try:
        return command_in(line) is not None
    except UsageError:
        return True


def words_in(line: str) -> str:
    """What a line that is no command says: `//x` says `/x`."""
    return line[1:] if line.startswith("//") else line


def line_of(words: str) -> str:
    """The line that says these words, the other way round."""
    return f"/{words}" if words.startswith("//") or is_command(words) else words


def run(line: str, conversation: Conversation, screen: Screen) -> Next:
    """Run the command that a line is. Raises UsageError where it is wrong."""
    found = command_in(line)
    assert found is not None  # it is one
    command, arguments = found
    return command.run(conversation, arguments, screen)


def unknown(name: str) -> UsageError:
    """The refusal of a command that is none, with what may have been meant."""
    close = get_close_matches(name.lower(), BY_NAME, n=1)
    hint = f"did you mean /{close[0]}?" if close else "/help lists them; //x sends /x"
    return UsageError(f"no such command: /{name}", hint=hint)


def helps() -> Mapping[str, str]:
    """The commands' names and their lines of help, in the table's order."""
    return {command.name: command.help for command in TABLE}


def _arguments(command: Command, rest: str) -> list[str]:
    """What follows the command, in its way of reading it."""
    listed = [rest] if rest else []
    if command.reads == "line":
        return listed
    try:
        words = shlex.split(rest)
    except ValueError as error:
        if command.reads == "text":
            return listed
        raise UsageError(f"/{command.name}: {str(error).lower()}", hint=command.usage) from error
    is_quoted = len(words) == 1 and rest[0] in "'\""
    return words if command.reads == "words" or is_quoted else listed


def _help(_: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    """All commands, or one."""
    if arguments:
        name = arguments[0].removeprefix("/").lower()
        if name not in BY_NAME:
            raise unknown(name)
        command = BY_NAME[name]
        aliases = "".join(f", /{alias}" for alias in command.aliases)
        screen.say(f"{command.usage}{aliases}\n  {command.help}")
        return None
    width = max(len(command.usage) for command in TABLE)
    screen.say("\n".join(f"{command.usage:{width}}  {command.help}" for command in TABLE))
    screen.say("A line that begins with // is sent with one / and is no command.")
    if screen.keys:
        width = max(len(key) for key, _ in screen.keys)
        screen.say("\n" + "\n".join(f"{key:{width}}  {does}" for key, does in screen.keys))
    return None


def _quit(_: Conversation, __: Sequence[str], ___: Screen) -> Next:
    """Leave."""
    return Leave()


TABLE: tuple[Command, ...] = (
    *picture_commands.TABLE,
    *turn_commands.TABLE,
    *model_commands.TABLE,
    *session_commands.TABLE,
    Command(
        name="help", form="[COMMAND]", most=1, help="List the commands, or explain one.", run=_help, aliases=("?",)
    ),
    Command(name="quit", help="Leave.", run=_quit, aliases=("exit", "bye")),
)
BY_NAME: Mapping[str, Command] = {name: command for command in TABLE for name in (command.name, *command.aliases)}
