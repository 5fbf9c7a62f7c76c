"""Captions kept in one file, which is its own journal: what it holds is done."""

from __future__ import annotations

from collections.abc import Sequence

from llavacli.captioning.formats import Entry, Format, Strange
from llavacli.captioning.journal import Journal
from llavacli.captioning.ledger import Ledger
from llavacli.captioning.outcome import Outcome, State
from llavacli.captioning.picture import Item
from llavacli.captioning.replacing import Replacements, digest
from llavacli.failures import UsageError

SHOWN = 5  # numbers of lines in one message


class Table:
    """The file's rows by picture. A `journal` beside it knows what its rows have no room for."""

    def __init__(self, path: str, form: Format, journal: str | None = None) -> None:
        self._form = form
        self._ledger = Ledger(path, form.split)
        self._journal: Journal | None = None
        self._entries: list[Entry | None] = []
        self._digests: list[bytes] = []
        self._by_key: dict[str, list[int]] = {}
        self._replaced: set[int] = set()
        self._replacements = Replacements(path)
        try:
            self._read()
            if journal is not None:
                self._journal = Journal(journal)
        except BaseException:
            self._ledger.close()
            raise

    def state(self, item: Item) -> State:
        """See Keeping."""
        if any(entry.text is not None for _, entry in self._of(item)):
            return "done"
        return "missing" if self.failed_with(item) is None else "failed"

    def failed_with(self, item: Item) -> str | None:
        """See Keeping."""
        errors = [entry.error for _, entry in self._of(item) if entry.error is not None]
        if errors or self._journal is None:
            return errors[-1] if errors else None
        return self._journal.failed_with(self._form.key(item.picture))

    def is_stale(self, item: Item, fingerprint: str) -> bool:
        """See Keeping."""
        made_by = [self._fingerprint(entry) for _, entry in self._of(item) if entry.text is not None]
        return fingerprint not in made_by and any(made_by)

    def put(self, outcome: Outcome) -> None:
        """See Sink. The journal is told first: a row without what made it would be known of no one.

        It takes the place of those of the same prompt; if there are none, of all. A failure takes no caption's place.
        """
        item, before = outcome.item, self._of(outcome.item)
        before = [pair for pair in before if pair[1].prompt == item.prompt] or before
        if outcome.failure is not None and any(entry.text is not None for _, entry in before):
            return
        row = self._form.row(outcome, before[-1][1].beside if before else {})
        if self._journal is not None:
            self._journal.note(self._form.key(outcome.item.picture), outcome)
        if row is None:
            return
        places = [place for place, _ in before]
        if places:
            self._replacements.note(row, [self._digests[place] for place in places])
        self._ledger.append(row)
        self._replaced.update(places)
        self._add(row)

    def close(self, *, finished: bool) -> None:
        """See Sink."""
        try:
            if finished and self._replaced:
                rows = self._form.split(self._ledger.read())[0]
                self._ledger.rewrite(row for place, row in enumerate(rows) if place not in self._replaced)
            if finished:
                self._replacements.clear()
        finally:
            self._replacements.close()
            self._ledger.close()
            if self._journal is not None:
                self._journal.close()

    def _of(self, item: Item) -> list[tuple[int, Entry]]:
        """The rows of an item that count: of one of several prompts, those with this prompt."""
        found = []
        for place in self._by_key.get(self._form.key(item.picture), ()):
            entry = self._entries[place]
            if entry is None or place in self._replaced:
                continue
            if not item.one_of_several or entry.prompt == item.prompt:
                found.append((place, entry))
        return found

    def _fingerprint(self, entry: Entry) -> str | None:
        if self._journal is None or entry.text is None:
            return entry.fingerprint
        return self._journal.fingerprint(entry.key, entry.text)

    def _read(self) -> None:
        """Take in what is there, and mend the end; refuse a file that is not ours, before a byte of it is changed."""
        torn = self._ledger.torn
        self._take_in(self._ledger.rows, torn)
        if torn and not self._entries and not self._form.may_begin(torn):
            raise self._refused("it holds something else")
        keep = bool(torn) and self._form.is_whole(torn)
        if keep:
            self._add(torn + b"\n")
        self._ledger.mend(keep=keep)
        if not self._entries and self._form.header:
            self._ledger.append(self._form.header)
            self._add(self._form.header)
        self._replaced = self._replacements.among(self._digests)
        self._ledger.rows = []

    def _take_in(self, rows: Sequence[bytes], torn: bytes) -> None:
        """Whole rows; and if the rest holds some, it is not torn: somewhere in it a quote is too many."""
        line, strange, remedies = 1, list[int](), list[str | None]()
        for row in rows:
            try:
                self._add(row)
            except Strange as error:
                strange.append(line)
                remedies.append(error.remedy)
            line += row.count(b"\n")
        if any(map(self._form.is_whole, torn.split(b"\n")[1:])):
            strange.append(line)
        if not strange:
            return
        some = _enumerated(strange)
        remedy = remedies[0] if remedies else None
        if remedy is None and any(self._entries):
            remedy = f"mend or remove {some}, and the run goes on where it was"
        verb = "is no caption" if len(strange) == 1 else "are no captions"
        raise self._refused(f"{some} {verb} of ours", remedy)

    def _add(self, row: bytes) -> None:
        """One row more. Raises Strange."""
        entry = self._form.entry(row)
        self._entries.append(entry)
        self._digests.append(digest(row))
        if entry is not None:
            self._by_key.setdefault(entry.key, []).append(len(self._entries) - 1)

    def _refused(self, why: str, remedy: str | None = None) -> UsageError:
        hint = "name another file with -o" if remedy is None else f"{remedy}; or name another file with -o"
        return UsageError(f"{self._ledger.title}: exists, and {why}", hint=hint)


def _enumerated(lines: Sequence[int]) -> str:
    """`line 3`, `lines 3, 7`, `lines 3, 7, 8, 9, 12 and 30 more`."""
    if len(lines) == 1:
        return f"line {lines[0]}"
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"lines {', '.join(map(str, lines[:SHOWN]))}{more}"
