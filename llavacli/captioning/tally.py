"""How a run stands: counts, rates, and the line that sums it up."""

from __future__ import annotations

import time
from collections import Counter


class Tally:
    """Counts of a run with `total` items to do."""

    def __init__(self, total: int, *, skipped: int, failed_before: int) -> None:
        self.total, self.skipped, self.failed_before = total, skipped, failed_before
        self.captioned = self.tokens = self.cut = 0
        self.failed: Counter[str] = Counter()  # by code
        self._pieces: Counter[int] = Counter()  # of answers under way
        self._began = time.monotonic()

    def start(self) -> None:
        """From here on time counts: the model is loaded."""
        self._began = time.monotonic()

    def piece(self, index: int) -> None:
        """A piece of an answer has come; it counts as one token until the answer's are known."""
        self._pieces[index] += 1
        self.tokens += 1

    def answer(self, index: int, tokens: int) -> None:
        """An answer is whole."""
        self.tokens += tokens - self._pieces.pop(index, 0)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    @property
    def failures(self) -> int:
        """All that failed in this run."""
        return self.failed.total()

    @property
    def ended(self) -> int:
        """Items of this run that are done with, one way or the other."""
        return self.captioned + self.failures

    def progress(self, columns: int) -> str:
        """One line on how far it is: `12/200  3.4/s  120 tokens/s  1 failed  0:55 left`, or what there is room for."""
        rate = self._rate(self.ended)
        speeds = [f"{rate:.1f}/s", f"{self._rate(self.tokens):.0f} tokens/s"]
        ends = [f"{self.failures} failed"] if self.failures else []
        ends += [f"{clock((self.total - self.ended) / rate)} left"] if self.ended else []
        for shown in (speeds, speeds[:1], []):
            line = "  ".join([f"{self.ended}/{self.total}", *shown, *ends])
            if len(line) <= columns:
                return line
        return line[:columns]

    def summary(self) -> str:
        """The line at the end: `180 captioned, 20 failed (20 input_unreadable); 12.3 s, 14.6 captions/s, ...`."""
        parts = [f"{self.captioned} captioned"]
        if self.cut:
            parts[0] += f" ({self.cut} cut by --max-tokens)"
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        if self.failures:
            codes = ", ".join(f"{count} {code}" for code, count in sorted(self.failed.items()))
            parts.append(f"{self.failures} failed ({codes})")
        if self.failed_before:
            parts.append(f"{self.failed_before} failed before (--retry-failed tries them again)")
        if self.ended < self.total:
            parts.append(f"{self.total - self.ended} not done")
        if not self.captioned:
            return ", ".join(parts)
        rates = f"{self._rate(self.captioned):.1f} captions/s, {self._rate(self.tokens):.0f} tokens/s"
        return f"{', '.join(parts)}; {self.seconds:.1f} s, {rates}"

    def _rate(self, count: int) -> float:
        return count / max(self.seconds, 1e-6)


def clock(seconds: float) -> str:
    """Seconds as people read them: 0:55, 12:03, 3:05:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
