"""Commands about the model and how it is asked: system prompt, settings, the exact prompt, statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.loading import model_name
from llavacli.options import ModelOptions
from llavacli.render.text import escaped
from llavacli.repl import parameters
from llavacli.repl.parameters import OFF
from llavacli.repl.slash import Command, Next, Screen

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.repl.conversation import Conversation


def _system(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    if not arguments:
        screen.say("there is no system prompt" if conversation.system is None else conversation.system)
        return None
    text = None if arguments[0].lower() in OFF else arguments[0]
    conversation.set_system(text)
    screen.note("no system prompt from the next turn on" if text is None else "it holds from the next turn on")
    return None


def _set(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    settings = dict(conversation.settings())
    if not arguments:
        width = max(map(len, settings))
        lines = (f"{name:{width}}  {escaped(_valued(name, settings), lines=False)}" for name in settings)
        screen.say("\n".join(lines))
        return None
    if len(arguments) == 2:
        conversation.set(*arguments)
    settings, name = dict(conversation.settings()), arguments[0].replace("_", "-").lower()
    if name not in settings:
        raise parameters.unknown(name)
    screen.note(f"{name} is {_valued(name, settings)}")
    return None


def _valued(name: str, settings: Mapping[str, str]) -> str:
    """A setting's value, and where there is none, what holds by default."""
    default = None if settings[name] != "none" else parameters.by_default(name)
    if default is None or (name == "frames" and settings["fps"] != "none"):
        return settings[name]
    return f"none ({default})"


def _model(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    if not arguments:
        screen.say(_described(conversation.info))
        return None
    options: ModelOptions = replace(conversation.model, model=arguments[0], revision=None, template=None)
    for warning in conversation.switch(options):
        screen.warn(warning)
    screen.note(f"{model_name(options)} answers from here on")
    return None


def _described(info: core.ModelInfo) -> str:
    """A model in a few lines."""
    takes = "pictures and videos" if info.takes_videos else "several pictures" if info.several_images else "a picture"
    words = f"template {info.template}, from {info.template_origin}" if info.takes_prompt else "captions, no prompt"
    return (
        f"{info.id}\n  family {info.family}, {words}\n  takes {takes}, {info.max_positions} positions\n"
        f"  {info.dtype} on {info.device}"
    )


def _prompt(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    if arguments and arguments[0] != "--ids":
        raise UsageError(f"/prompt knows no {arguments[0]!r}", hint="/prompt [--ids]")
    request = None if conversation.loaded is None else conversation.session.request
    if request is None:
        raise UsageError("the model has been asked nothing yet", hint="ask something first")
    if arguments:
        runs = ((token_id, len(list(run))) for token_id, run in groupby(request.token_ids))
        screen.say(" ".join(f"{token_id}" if count == 1 else f"{token_id}x{count}" for token_id, count in runs))
        return None
    screen.say(request.prompt_text)
    screen.note(f"{len(request.token_ids)} tokens, {request.image_tokens} of them pictures' and clips'")
    return None


def _stats(conversation: Conversation, _: Sequence[str], screen: Screen) -> Next:
    done = next((turn.done for turn in reversed(conversation.turns) if turn.done is not None), None)
    if done is None:
        raise UsageError("nothing has been answered yet", hint="ask something first")
    usage, timing, tally = done.usage, done.timing, conversation.tally
    room = conversation.info.max_positions - usage.prompt_tokens - usage.completion_tokens
    answers = "1 answer" if tally.answers == 1 else f"{tally.answers} answers"
    screen.say(
        f"last answer\n"
        f"  prompt   {_prompted(usage.prompt_tokens, usage.cached_tokens)}; {usage.image_tokens} for pictures\n"
        f"  prefill  {_speed(usage.prompt_tokens - usage.cached_tokens, timing.prefill)}\n"
        f"  decode   {_speed(usage.completion_tokens, timing.decode)}\n"
        f"  context  room for {max(room, 0)} more tokens of {conversation.info.max_positions}\n"
        f"this session: {answers}\n"
        f"  prompt   {_prompted(tally.prompt_tokens, tally.cached_tokens)}\n"
        f"  prefill  {_speed(tally.prompt_tokens - tally.cached_tokens, tally.prefill)}\n"
        f"  decode   {_speed(tally.completion_tokens, tally.decode)}\n"
        f"  pictures {tally.encoded} encoded, {tally.reused} reused"
    )
    return None


def _prompted(tokens: int, cached: int) -> str:
    """A prompt's tokens, told apart."""
    return f"{tokens} tokens: {cached} cached, {tokens - cached} new"


def _speed(tokens: int, milliseconds: float) -> str:
    """Tokens, time, and one by the other."""
    per_second = f" ({tokens / milliseconds * 1e3:.1f} tokens/s)" if milliseconds > 0 else ""
    return f"{tokens} tokens in {milliseconds / 1e3:.2f} s{per_second}"


TABLE = (
    Command(
        name="system",
        form="[TEXT|none]",
        most=1,
        reads="text",
        help="Show the system prompt, or set it.",
        run=_system,
    ),
    Command(name="set", form="[NAME [VALUE]]", most=2, help="Show the settings, or change one.", run=_set),
    Command(name="model", form="[NAME]", most=1, help="Show the model, or go on with another.", run=_model),
    Command(name="prompt", form="[--ids]", most=1, help="Show exactly what the model got last.", run=_prompt),
    Command(name="stats", help="Show tokens, reuse and speed.", run=_stats),
)
