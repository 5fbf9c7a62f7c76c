"""Which prompts are computed together: those that begin alike, else those of like length. Counts, never computes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

WASTE = 1 / 8  # of a group's positions, at most, are padding
WORTH = 1 / 4  # of a group's longest prompt, at least, is a shared beginning that is worth computing apart


@dataclass(frozen=True)
class Group:
    """Prompts by their places among those that were given, and how many first positions are computed once for all."""

    members: tuple[int, ...]
    shared: int = 0


def like_lengths(lengths: Sequence[int], most: int) -> list[Group]:
    """Groups of like lengths, each of at most `most` positions, padding included; one that is longer goes alone."""
    groups: list[list[int]] = []
    total = 0
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        padded = (len(groups[-1]) + 1) * lengths[place] if groups else 0
        total += lengths[place]
        if not groups or padded > most or padded - total > WASTE * padded:
            groups.append([])
            total = lengths[place]
        groups[-1].append(place)
    return [Group(tuple(sorted(group))) for group in groups]


def like_beginnings(
    stems: Sequence[Hashable], lengths: Sequence[int], most: int, shared: Callable[[Sequence[int]], int]
) -> list[Group]:
    """Groups of prompts whose `stems` are equal where that is worth it, and of like lengths for the rest.

    `shared` tells how many first positions some prompts may share with each other, or a single one with what was
    computed before.
    """
    families: dict[Hashable, list[int]] = defaultdict(list)
    for place, stem in enumerate(stems):
        families[stem].append(place)
    groups, rest = list[Group](), list[int]()
    for family in families.values():
        common = shared(family)
        if common < WORTH * max(lengths[place] for place in family):
            rest += family
            continue
        for part in like_lengths([lengths[place] - common for place in family], most):
            groups.append(Group(tuple(family[place] for place in part.members), common))
    apart = like_lengths([lengths[place] for place in rest], most)
    return groups + [Group(tuple(rest[place] for place in part.members)) for part in apart]
