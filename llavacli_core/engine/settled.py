"""What holds for one answer: the caller's sampling, filled in by what the checkpoint asks of its answers."""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.config import GenerationDefaults
from llavacli_core.options import Sampling

CHAT_TOKENS = 256
CAPTION_TOKENS = 20  # as transformers generates where nothing is said


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Sampling with nothing left open. Lengths count new tokens."""

    sampling: Sampling
    stop_ids: tuple[int, ...]
    max_tokens: int  # as asked for
    limit: int  # as the model's positions allow
    repetition_penalty: float
    length_penalty: float
    early_stopping: bool | str
    no_repeat_ngram_size: int
    min_tokens: int  # before these, no stop id
    forced_first: int | None
    forced_last: tuple[int, ...]
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]  # as the first id that is free: the second, where the first is forced


def settle(
    sampling: Sampling,
    defaults: GenerationDefaults,
    stop_ids: tuple[int, ...],
    *,
    prompt: int,
    positions: int,
    captions: bool,
) -> Settled:
    """`prompt` tokens are given, `positions` there are; a model that `captions` has lengths of its own.

    As transformers does: `max_length` and `min_length` count the prompt, `max_new_tokens` and `min_new_tokens`
    replace them, and a forced first id holds only right behind a single start token.
    """
    asked = sampling.max_tokens
    if asked is None:
        asked = _own_length(defaults, prompt) if captions else CHAT_TOKENS
    minimum = defaults.min_length - prompt if defaults.min_new_tokens is None else defaults.min_new_tokens
    return Settled(
        sampling=sampling,
        stop_ids=stop_ids,
        max_tokens=asked,
        limit=min(asked, positions - prompt),
        repetition_penalty=(
            defaults.repetition_penalty if sampling.repetition_penalty is None else sampling.repetition_penalty
        ),
        length_penalty=defaults.length_penalty if sampling.length_penalty is None else sampling.length_penalty,
        early_stopping=defaults.early_stopping if sampling.early_stopping is None else sampling.early_stopping,
        no_repeat_ngram_size=(
            defaults.no_repeat_ngram_size if sampling.no_repeat_ngram_size is None else sampling.no_repeat_ngram_size
        ),
        min_tokens=max(minimum, 0),
        forced_first=defaults.forced_bos_token_id if prompt == 1 else None,
        forced_last=defaults.forced_eos_token_id,
        suppressed=defaults.suppress_tokens,
        suppressed_first=defaults.begin_suppress_tokens,
    )


def _own_length(defaults: GenerationDefaults, prompt: int) -> int:
    """How many new tokens a captioner writes by itself."""
    if defaults.max_new_tokens is not None:
        return defaults.max_new_tokens
    return CAPTION_TOKENS if defaults.max_length is None else max(defaults.max_length - prompt, 1)
