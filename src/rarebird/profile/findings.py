"""Problems of the data, in plain sentences, worst first: what makes scores too good, what cannot be judged, what costs
accuracy, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rarebird.core.checks import some
from rarebird.profile.duplicates import Conflicts, Duplicates

if TYPE_CHECKING:
    from rarebird.profile.facts import Profile

_FEW_IN_CLASS = 10
_SKEWED = 10.0
_FEW_ROWS = 200
_MUCH_MISSING = 0.3
_FEW_GROUPS = 10
_SKEWNESS = 2.0


def ailments(profile: Profile) -> list[str]:
    """Sentences on the profile, worst first; none if nothing is wrong."""
    return [*_too_good(profile), *_not_judged(profile), *_costly(profile), *_left_out(profile)]


def without_rows(profile: Profile) -> Profile:
    """The profile without the names of single rows, in its examples and its sentences."""
    copies = profile.duplicates.model_copy(update={"examples": ()})
    across = {part: one.model_copy(update={"examples": ()}) for part, one in profile.across.items()}
    conflicts = profile.conflicts.model_copy(update={"examples": ()})
    profile = profile.model_copy(update={"duplicates": copies, "across": across, "conflicts": conflicts})
    return profile.model_copy(update={"ailments": tuple(ailments(profile))})


def _too_good(profile: Profile) -> Iterator[str]:
    for leak in profile.leaks:
        yield (
            f"Column {leak.column!r} alone predicts {profile.target!r} almost perfectly "
            f"({leak.metric} {leak.score:.3f}): leave it out unless it is known before the target."
        )
    for part, name in (("test", "test"), ("val", "validation")):
        copies = profile.across.get(part, Duplicates())
        if (copies.exact or copies.near) and not copies.chance:
            copying = _counted(copies.exact + copies.near, f"{name} row", "copies", "copy")
            yield f"{copying} training rows ({_kinds(copies)}): `fit` leaves those training rows out."
    copies = profile.duplicates
    if profile.groups and profile.groups.shared.get("test"):
        belonging = _counted(profile.groups.shared["test"], "test row", "belongs", "belong")
        yield f"{belonging} to groups that also have training rows: the scores do not hold for new groups."
    if profile.conflicts.rows and not copies.chance:
        yield _conflicting(profile.conflicts)
    if (copies.exact or copies.near) and not copies.chance:
        repeating = _counted(copies.exact + copies.near, "row", "repeats", "repeat")
        yield f"{repeating} an earlier row ({_kinds(copies)}): a split must keep copies together."


def _not_judged(profile: Profile) -> Iterator[str]:
    rows = sorted((row for row in profile.classes if 0 < row.count < _FEW_IN_CLASS), key=lambda row: row.count)
    for row in rows:
        if row.count <= 2:
            yield f"Class {row.label!r} has {_counted(row.count, 'row')}: its recall cannot be judged."
    small = [f"{row.label!r} ({row.count})" for row in rows if row.count > 2]
    if small:
        yield f"Under {_FEW_IN_CLASS} rows: {some(small)}; the figures of such small classes have wide intervals."
    untested = [repr(row.label) for row in profile.classes if row.count and row.test == 0]
    if untested:
        yield f"No test row has class {some(untested)}: how well a model does there stays unknown."
    if profile.n < _FEW_ROWS:
        yield (
            f"Only {_counted(profile.n, 'row')} in all: prefer cross-fitting (every row is judged by a network that "
            "was not trained on it), and expect wide intervals."
        )
    if profile.groups and profile.groups.count < _FEW_GROUPS:
        groups = _counted(profile.groups.count, "group")
        yield f"Only {groups}: how well a model does on a new one can hardly be judged."
    elif profile.groups and profile.groups.largest > profile.n / 2:
        yield f"One group has {profile.groups.largest:,} of {profile.n:,} rows: splits by group are uneven."


def _costly(profile: Profile) -> Iterator[str]:
    if profile.imbalance_ratio and profile.imbalance_ratio >= _SKEWED:
        present = [row for row in profile.classes if row.count]
        rare, common = min(present, key=lambda row: row.size), max(present, key=lambda row: row.size)
        yield (
            f"Class {common.label!r} has {profile.imbalance_ratio:,.4g} times the rows of class {rare.label!r}: "
            f"a model that always predicts {common.label!r} has an accuracy of {common.share:.1%}."
        )
    summary = profile.target_summary
    if summary and abs(summary["skewness"]) >= _SKEWNESS:
        skewness = f"{summary['skewness']:.1f}"
        yield f"The target is skewed (skewness {skewness}): a few extreme values dominate the squared error."
    much = [f"{name!r} ({share:.0%})" for name, share in profile.missing_by_column.items() if share >= _MUCH_MISSING]
    if much:
        yield f"Many values are missing in {some(much)}."
    elif profile.missing_share:
        what = "cells" if profile.kind == "table" else "values"
        yield f"{profile.missing_share:.2%} of the {what} are missing, in {some(map(repr, profile.missing_by_column))}."
    width = profile.shape.get("columns", 0)
    if width > profile.n:
        yield (
            f"There are more columns ({int(width):,}) than rows ({profile.n:,}): some columns will seem to matter by "
            "chance."
        )


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
        equal = _counted(copies.exact, "row", "equals", "equal")
        yield f"{equal} an earlier row. Chance or a default value explains this, so a split may separate such rows."
    if copies.chance and profile.conflicts.rows:
        yield _conflicting(profile.conflicts)


def _conflicting(conflicts: Conflicts) -> str:
    sharing = _counted(conflicts.rows, "row", "has", "have")
    example = ""
    if conflicts.examples:
        (first, label), (second, other) = conflicts.examples[0]
        example = f" ({first!r} is {label}, {second!r} is {other})"
    return f"{sharing} the same features as a row with another target{example}: no model can get both right."


def _kinds(copies: Duplicates) -> str:
    kinds = f"{copies.exact:,} exact, {copies.near:,} near"
    if not copies.examples:
        return kinds
    first, second = copies.examples[0]
    return f"{kinds}; for example, {second!r} copies {first!r}"


def _counted(n: int, noun: str, verb: str = "", plural_verb: str = "") -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'} {verb if n == 1 else plural_verb}".rstrip()
