"""What --verbose tells of an answer: tokens, speed, and how long the first one took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llavacli.render.record import kinds_of

if TYPE_CHECKING:
    import llavacli_core as core


def statistics(done: core.Done) -> str:
    """One line: `591 prompt tokens (576 for pictures), 97 new in 1.48 s (65.5 tokens/s), the first after 0.29 s`."""
    usage, timing = done.usage, done.timing
    first = timing.prepare + timing.vision + timing.prefill
    speed = f" ({usage.completion_tokens / timing.decode * 1e3:.1f} tokens/s)" if timing.decode > 0 else ""
    seen = kinds_of(done.images, done.videos)
    known = [f"{usage.image_tokens} for {seen}"] if seen else []
    known += [f"{usage.cached_tokens} cached"] if usage.cached_tokens else []
    of_them = f" ({', '.join(known)})" if known else ""
    return (
        f"{usage.prompt_tokens} prompt tokens{of_them}, "
        f"{usage.completion_tokens} new in {timing.decode / 1e3:.2f} s{speed}, the first after {first / 1e3:.2f} s"
    )
