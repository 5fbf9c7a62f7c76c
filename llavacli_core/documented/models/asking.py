"""The parameters of one `generate` call, and what the engine makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from llavacli_core.documented.configs.generation import FIELDS, GenerationConfig
from llavacli_core.engine.settled import Settled
from llavacli_core.errors import BadOption
from llavacli_core.options import Sampling

# What `generate` does where neither the call nor the checkpoint says anything.
DEFAULTS: Mapping[str, Any] = {
    "min_length": 0,
    "do_sample": False,
    "early_stopping": False,
    "num_beams": 1,
    "num_return_sequences": 1,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
}
OFF = {name: value for name, value in DEFAULTS.items() if name != "top_k"}  # what None comes to
NEW_TOKENS = 20  # where no length is given
UNAVAILABLE = (
    *("max_time", "stop_strings", "typical_p", "epsilon_cutoff", "eta_cutoff", "bad_words_ids", "renormalize_logits"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits"),
)
# Parameters that a config may hold, and that no call takes: they would change answers.
FOREIGN = (
    *("sequence_bias", "guidance_scale", "encoder_repetition_penalty", "encoder_no_repeat_ngram_size", "top_h"),
    *("exponential_decay_length_penalty", "penalty_alpha", "num_beam_groups", "diversity_penalty", "constraints"),
    *("force_words_ids", "watermarking_config", "dola_layers", "token_healing"),
)
PARAMETERS = (*FIELDS, *FOREIGN)
NEUTRAL: tuple[Any, ...] = (None, False, 0, 1, [])  # set to these, they ask for nothing


def resolve(
    own: GenerationConfig, given: GenerationConfig | None, options: Mapping[str, Any]
) -> tuple[GenerationConfig, dict[str, Any]]:
    """The call's keywords, else its config's, else the model's own, else defaults; and what is no parameter.

    A keyword of None switches off what a config says.
    """
    asked = GenerationConfig()
    for name in PARAMETERS:
        stated = (getattr(given, name, None), getattr(own, name, None), DEFAULTS.get(name))
        value = next((value for value in stated if value is not None), None)
        setattr(asked, name, OFF.get(name) if options.get(name, value) is None else options.get(name, value))
    for name in (*UNAVAILABLE, *FOREIGN):
        if getattr(asked, name) is True or getattr(asked, name) not in NEUTRAL:
            raise BadOption(f"generate: {name} is not available", hint="leave it out, also of generation_config.json")
    if asked.do_sample and not asked.temperature > 0:
        raise BadOption(f"temperature must be above 0 to sample, not {asked.temperature}", hint="do_sample=False")
    if asked.num_return_sequences < 1:
        raise BadOption(f"num_return_sequences must be at least 1, not {asked.num_return_sequences}")
    if asked.num_return_sequences > (asked.num_beams if not asked.do_sample or asked.num_beams > 1 else 10**6):
        raise BadOption("num_return_sequences may not exceed num_beams", hint="do_sample=True, or more beams")
    inputs = {name: value for name, value in options.items() if name not in PARAMETERS}
    return asked, {name: value for name, value in inputs.items() if value is not None}


def settled_by(asked: GenerationConfig, width: int, embedded: int, positions: int | None) -> Settled:
    """For prompts of `width` tokens, padding included, or of so many `embedded` ones, which lengths count alike.

    `positions` there are, None where there is no end of them.
    """
    length = width + embedded
    limit = _limit(asked, length)
    minimum = asked.min_length - length if asked.min_new_tokens is None else asked.min_new_tokens
    return Settled(
        sampling=Sampling(
            max_tokens=limit,
            temperature=float(asked.temperature) if asked.do_sample else 0.0,
            top_k=asked.top_k or None,
            top_p=asked.top_p,
            min_p=asked.min_p,
            beams=asked.num_beams,
            repetition_penalty=asked.repetition_penalty,
        ),
        stop_ids=ids_of(asked.eos_token_id),
        max_tokens=limit,
        limit=limit if positions is None else min(limit, positions - length),
        repetition_penalty=asked.repetition_penalty,
        length_penalty=asked.length_penalty,
        early_stopping=asked.early_stopping,
        no_repeat_ngram_size=asked.no_repeat_ngram_size,
        min_tokens=max(minimum, 0),
        forced_first=asked.forced_bos_token_id if width == 1 else None,
        forced_last=ids_of(asked.forced_eos_token_id),
        suppressed=ids_of(asked.suppress_tokens),
        suppressed_first=ids_of(asked.begin_suppress_tokens),
    )


def mask_by_padding(ids: torch.Tensor | None, asked: GenerationConfig) -> torch.Tensor | None:
    """The mask of prompts [B, W] that came without one: pad tokens are no words, unless one of them ends answers."""
    padding = ids_of(asked.pad_token_id)
    if ids is None or not padding or padding[0] in ids_of(asked.eos_token_id):
        return None
    return ids != padding[0]


def seeded(settled: Settled) -> Settled:
    """The same for one answer, with draws of its own that torch.manual_seed decides."""
    if settled.sampling.temperature == 0:
        return settled
    return replace(settled, sampling=replace(settled.sampling, seed=int(torch.randint(2**62, ()))))


def ids_of(value: int | Sequence[int] | torch.Tensor | None) -> tuple[int, ...]:
    """One id, several, or none, as a tuple."""
    if value is None:
        return ()
    if isinstance(value, torch.Tensor):
        return tuple(value.flatten().tolist())
    return (value,) if isinstance(value, int) else tuple(value)


def _limit(asked: GenerationConfig, width: int) -> int:
    """How many new tokens there may be."""
    if asked.max_new_tokens is None and asked.max_length is None:
        return NEW_TOKENS
    if asked.max_new_tokens is not None and asked.max_new_tokens < 1:
        raise BadOption(f"max_new_tokens must be at least 1, not {asked.max_new_tokens}")
    limit = asked.max_length - width if asked.max_new_tokens is None else asked.max_new_tokens
    if limit < 1:
        raise BadOption(
            f"max_length {asked.max_length} leaves no room behind {width} tokens", hint="max_new_tokens=..."
        )
    return int(limit)
