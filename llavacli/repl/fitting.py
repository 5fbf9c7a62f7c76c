"""Whether a turn fits the model, before anything is computed, and what makes room for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from llavacli.failures import UsageError
from llavacli.repl.turns import Attachment, Notice, Turn

if TYPE_CHECKING:
    import llavacli_core as core

ContextPolicy = Literal["error", "drop-oldest"]


def policy_in(text: str) -> ContextPolicy:
    """What is to happen to a turn that does not fit."""
    policy = next((policy for policy in get_args(ContextPolicy) if policy == text), None)
    if policy is None:
        raise UsageError(f"context is error or drop-oldest, not {text!r}", hint="e.g. /set context drop-oldest")
    return policy  # type: ignore[no-any-return]


def messages_of(turns: Sequence[Turn], system: str | None) -> list[core.Message]:
    """The conversation as the model is shown it."""
    import llavacli_core as core

    listed = [] if system is None else [core.Message("system", system)]
    for turn in turns:
        if not turn.left_out:
            listed += turn.messages
    return listed


def make_room(
    session: core.Session, before: Sequence[Turn], turn: Turn, system: str | None, policy: ContextPolicy
) -> Iterator[Notice]:
    """Give the session the turns that `turn` follows, as many as fit.

    A notice says which are left out, or how tight it is. Raises TooLong, with what would free room.
    """
    dropped = []
    left = [earlier for earlier in before if not earlier.left_out]
    while True:
        session.messages[:] = messages_of(before, system)
        plan = session.plan(turn.parts)
        wanted = session.engine.processor.settled(plan.request, turn.question.sampling).max_tokens
        if policy != "drop-oldest" or not left or plan.room >= min(wanted, plan.positions // 4):
            break
        left[0].left_out = True
        dropped.append(left.pop(0))
    if dropped:
        yield Notice(_told(dropped))
    if plan.room < 1:
        session.messages[:] = messages_of([], system)
        alone = session.plan(turn.parts)
        session.messages[:] = messages_of(before, system)
        raise _too_long(plan, [*left, turn], policy) if alone.room > 0 else _too_long(alone, [turn], policy)
    if plan.room < wanted:
        what = f"the model has room for {plan.room} more tokens, and an answer may take {wanted}"
        yield Notice(f"{what} ({_freeing(plan, [*left, turn], policy)})", topic="room")


def several(info: core.ModelInfo, turns: Sequence[Turn]) -> Iterator[Notice]:
    """A warning, if the turns show several pictures to a model that was trained on one."""
    pictures = [each for turn in turns if not turn.left_out for each in turn.shown if not each.source.is_clip]
    if len(pictures) > 1 and not info.several_images:
        yield Notice("this model was trained on one picture at a time: it may mix them up", topic="several")


def refused(session: core.Session, turns: Sequence[Turn], pending: Sequence[Attachment]) -> Iterator[str]:
    """What a model will not take of a conversation that was begun with another; `session` has it already."""
    info = session.engine.info
    if not info.takes_prompt:
        if turns:
            yield "this model captions single pictures, without words: it sees nothing of the conversation so far"
        return
    shown = [*(each for turn in turns if not turn.left_out for each in turn.shown), *pending]
    clips = ", ".join(each.label for each in shown if each.source.is_clip)
    if clips and not info.takes_videos:
        yield f"this model takes no videos: take out {clips} with /drop before the next turn"
        return
    if not session.messages:
        return
    import llavacli_core as core

    try:
        plan = session.plan()
    except core.errors.CoreError as error:
        yield f"the conversation cannot be shown to this model as it is: {error}"
        return
    if plan.room < 1:
        yield (
            f"the conversation has {plan.prompt_tokens} tokens and this model {plan.positions} positions: "
            f"{_freeing(plan, turns, 'error')}"
        )


def _told(dropped: Sequence[Turn]) -> str:
    """Which turns the model is no longer shown."""
    labels = ", ".join(each.label for turn in dropped for each in turn.attachments)
    turns = "the oldest turn is" if len(dropped) == 1 else f"the {len(dropped)} oldest turns are"
    return f"{turns} left out to make room" + (f", and so is {labels}" if labels else "")


def _too_long(plan: core.Plan, turns: Sequence[Turn], policy: ContextPolicy) -> core.errors.TooLong:
    """The refusal, with the way out."""
    import llavacli_core as core

    return core.errors.TooLong(
        f"with this turn the prompt has {plan.prompt_tokens} tokens, {plan.request.image_tokens} of them pictures' and "
        f"clips', and the model has {plan.positions} positions for prompt and answer",
        hint=_freeing(plan, turns, policy),
    )


def _freeing(plan: core.Plan, turns: Sequence[Turn], policy: ContextPolicy) -> str:
    """What would free room: the costliest attachment, unless words alone are too many; the last turn; the policy."""
    seen = [(each.seen.tokens, each.number) for turn in turns for each in turn.shown if each.seen is not None]
    ways = []
    if seen and plan.room + sum(tokens for tokens, _ in seen) >= 1:
        tokens, number = max(seen)
        ways.append(f"/drop {number} frees {tokens} tokens")
    if len(turns) > 1:
        ways.append("/undo takes the last turn back")
        if policy == "error":
            ways.append("/set context drop-oldest (or --context) leaves out the oldest")
    return "; ".join(ways) or "shorten the text"
