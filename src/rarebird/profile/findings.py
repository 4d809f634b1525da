"""What ails the data, in plain sentences, worst first: what makes scores too good, then what cannot be judged, then
what costs accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rarebird.core.checks import some
from rarebird.profile.duplicates import Conflicts, Duplicates

if TYPE_CHECKING:
    from rarebird.profile.facts import Profile

_ROUGHLY_JUDGED = 10
_SKEWED = 10.0
_FEW_ROWS = 200
_MUCH_MISSING = 0.3
_FEW_GROUPS = 10
_SKEWNESS = 2.0


def ailments(profile: Profile) -> list[str]:
    """Sentences on the profile, worst first; none where nothing is wrong."""
    return [*_too_good(profile), *_not_judged(profile), *_costly(profile), *_left_out(profile)]


def _too_good(profile: Profile) -> Iterator[str]:
    for leak in profile.leaks:
        yield (
            f"Column {leak.column!r} alone predicts {profile.target!r} almost perfectly ({leak.metric} {leak.score:.3f}): "
            "leave it out unless it is known before the target is."
        )
    for part, name in (("test", "test"), ("val", "validation")):
        copies = profile.across.get(part, Duplicates())
        if (copies.exact or copies.near) and not copies.chance:
            n = _counted(
                copies.exact + copies.near, f"{name} row", "copies" if copies.exact + copies.near == 1 else "copy"
            )
            yield f"{n} training rows ({_kinds(copies)}): scores on them are too good."
    copies = profile.duplicates
    if profile.groups and profile.groups.shared.get("test"):
        n = _counted(profile.groups.shared["test"], "test row", "is" if profile.groups.shared["test"] == 1 else "are")
        yield f"{n} of groups that training rows show too: scores say nothing of new groups."
    if profile.conflicts.rows and not copies.chance:
        yield _at_odds(profile.conflicts)
    if (copies.exact or copies.near) and not copies.chance:
        n = _counted(copies.exact + copies.near, "row", "repeats" if copies.exact + copies.near == 1 else "repeat")
        yield f"{n} an earlier one ({_kinds(copies)}): a split must keep copies together."


def _not_judged(profile: Profile) -> Iterator[str]:
    rows = sorted((row for row in profile.classes if 0 < row.count < _ROUGHLY_JUDGED), key=lambda row: row.count)
    for row in rows:
        if row.count <= 2:
            yield f"Class {row.label!r} has {_counted(row.count, 'row')}: its recall cannot be judged."
    small = [f"{row.label!r} ({row.count})" for row in rows if row.count > 2]
    if small:
        yield f"Under {_ROUGHLY_JUDGED} rows: {some(small)}; figures of so small a class have wide intervals."
    untested = [repr(row.label) for row in profile.classes if row.count and row.test == 0]
    if untested:
        yield f"The test rows have none of class {some(untested)}: what a model does there stays unknown."
    if profile.n < _FEW_ROWS:
        yield f"{_counted(profile.n, 'row')} in all: prefer cross-fitting, and expect wide intervals."
    if profile.groups and profile.groups.count < _FEW_GROUPS:
        yield f"Only {_counted(profile.groups.count, 'group')}: how well a model does on a new one can hardly be judged."
    elif profile.groups and profile.groups.largest > profile.n / 2:
        yield f"One group holds {profile.groups.largest:,} of {profile.n:,} rows: splits by group are uneven."


def _costly(profile: Profile) -> Iterator[str]:
    if profile.imbalance_ratio and profile.imbalance_ratio >= _SKEWED:
        present = [row for row in profile.classes if row.count]
        rare, common = min(present, key=lambda row: row.count), max(present, key=lambda row: row.count)
        yield (
            f"Class {common.label!r} has {profile.imbalance_ratio:,.4g} times the rows of class {rare.label!r}: "
            f"accuracy of {common.share:.1%} comes from never naming another class."
        )
    summary = profile.target_summary
    if summary and abs(summary["skewness"]) >= _SKEWNESS:
        yield f"The target is skewed (skewness {summary['skewness']:.1f}): squared error is ruled by its few extreme values."
    much = [f"{name!r} ({share:.0%})" for name, share in profile.missing_by_column.items() if share >= _MUCH_MISSING]
    if much:
        yield f"Much is missing in column {some(much)}."
    elif profile.missing_share:
        what = "cells" if profile.kind == "table" else "values"
        yield f"{profile.missing_share:.2%} of the {what} are missing, in {some(map(repr, profile.missing_by_column))}."
    width = profile.shape.get("columns", 0)
    if width > profile.n:
        yield f"There are more columns ({int(width):,}) than rows ({profile.n:,}): expect chance to look like signal."


def _left_out(profile: Profile) -> Iterator[str]:
    if profile.identifier_columns:
        yield (
            "Left out as identifiers: "
            + some(f"{name!r} ({why})" for name, why in profile.identifier_columns.items())
            + "."
        )
    if profile.constant_columns:
        yield f"Left out as constant: {some(map(repr, profile.constant_columns))}."
    copies = profile.duplicates
    if copies.chance and copies.exact:
        n = _counted(copies.exact, "row", "equals" if copies.exact == 1 else "equal")
        yield f"{n} an earlier one; chance or a default value explains that, so they are not kept together."
    if copies.chance and profile.conflicts.rows:
        yield _at_odds(profile.conflicts)


def _at_odds(conflicts: Conflicts) -> str:
    (first, label), (second, other) = conflicts.examples[0]
    rows = _counted(conflicts.rows, "row")
    instance = f"{first!r} is {label}, {second!r} is {other}"
    return f"{rows} share their features with a row of another target ({instance}): no model can get both right."


def _kinds(copies: Duplicates) -> str:
    first, second = copies.examples[0]
    return f"{copies.exact:,} exact, {copies.near:,} near; for instance {second!r} is {first!r}"


def _counted(n: int, noun: str, verb: str = "") -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'} {verb}".rstrip()
