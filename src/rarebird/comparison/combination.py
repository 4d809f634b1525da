"""The best combination of remedies, built greedily, and what each of its members adds to it.

Choosing a combination and judging it on the same splits would reward luck. It is chosen on the splits that judged the
remedies alone, and judged on others: the choice decides which recipes are trained there, and nothing else. The rows are
the same ones, so that some of the luck of the sample stays with the choice; that is said with the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rarebird.comparison.remedies import clash, combines

# Remedies beside the first that are tried, and members at most: each asks for trainings of its own.
MOST_TRIED, MOST_MEMBERS = 6, 5


def candidates(gains: Mapping[str, float]) -> list[str]:
    """Remedies that gained something alone and can be combined, the largest gain first; of equal ones, as asked."""
    return sorted(
        (remedy for remedy, gain in gains.items() if gain > 0 and combines(remedy)), key=lambda remedy: -gains[remedy]
    )


def choose(gains: Mapping[str, float], gain_of: Callable[[Sequence[str]], float | None]) -> list[str]:
    """Start with the largest gain, and add the others in turn where the mean gains by it and no slot is filled twice.

    Args:
        gains: Remedy -> mean difference alone, larger is better; NaN where it could not be judged.
        gain_of: Of a combination on the same splits; None where there is no time left for another.

    Returns:
        The members; one or none where nothing is gained by combining.
    """
    order = candidates(gains)
    members, best, tried = order[:1], gains[order[0]] if order else 0.0, 0
    for remedy in order[1:]:
        if any(clash(member, remedy) for member in members):
            continue
        if tried == MOST_TRIED or len(members) == MOST_MEMBERS:
            break
        tried, gain = tried + 1, gain_of([*members, remedy])
        if gain is None:
            break
        if gain > best:
            members, best = [*members, remedy], gain
    return members


def left_out(members: Sequence[str]) -> dict[str, list[str]]:
    """Each member -> the others."""
    return {member: [other for other in members if other != member] for member in members}


def most_sets(remedies: Sequence[str]) -> tuple[int, int]:
    """How many recipes are trained at most to choose a combination, and to judge it, the baseline among them."""
    able = sum(map(combines, remedies))
    return (min(able - 1, MOST_TRIED), 2 + min(able, MOST_MEMBERS)) if able > 1 else (0, 0)
