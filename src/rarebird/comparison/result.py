"""The result of a comparison: a row per remedy, and the best combination with the part of each member."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarebird.comparison.course import Course
from rarebird.comparison.paired_test import Difference, Verdict
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe
from rarebird.report.language.chosen import told


@dataclass(frozen=True)
class Row:
    """A recipe with a remedy, compared with a recipe without it.

    Attributes:
        remedy: ``slot=method``, several joined by ``+``.
        value, other: The means over splits with it and without it.
        difference: With it minus without it, in the metric that decides, signed so that larger is better.
        verdict: The test's result, corrected for the number of comparisons.
        why: Why it could not be tested; empty where it was.
        metrics: Metric -> difference, each signed so that larger is better.
    """

    remedy: str
    value: float
    other: float
    difference: Difference
    verdict: Verdict
    why: str = ""
    metrics: Mapping[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True)
class Combination:
    """The best combination, scored on splits that were not used to choose it.

    Attributes:
        remedies: Its members, in the order in which they were added.
        row: The combination against the baseline.
        members: Per member, the combination against the combination without it.
        splits: Number of splits on which it was scored.
    """

    remedies: Sequence[str]
    row: Row
    members: Sequence[Row]
    splits: int


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        metric: The metric that decides.
        baseline: The baseline's mean over splits.
        rows: One per remedy, in the order in which they were asked for.
        splits: Number of parts of all repeats.
        recipe: The baseline, with its steps laid out.
        baselines: Metric -> the baseline's mean over splits.
        combination: None where no combination gained anything.
        folds: Parts of a repeat.
        notes: Sentences that the user should read.
        course: How long all recipes were trained.
    """

    metric: str
    baseline: float
    rows: Sequence[Row]
    splits: int
    recipe: Recipe
    baselines: Mapping[str, float] = field(default_factory=dict)
    combination: Combination | None = None
    folds: int = 0
    notes: Sequence[str] = ()
    course: Course = field(default_factory=Course)

    @property
    def detectable(self) -> float:
        """The smallest effect that these splits would show with a probability of 80 %, as a median over the remedies;
        NaN where there is none."""
        found = [row.difference.detectable for row in self.rows if _varies(row)]
        return float(np.median(found)) if found else math.nan

    def for_machines(self) -> dict[str, Any]:
        """The result as JSON holds it: per remedy, the difference in each metric, and the verdict."""
        return {
            "metric": self.metric,
            "baseline": known(self.baseline),
            "baseline_metrics": {name: known(value) for name, value in self.baselines.items()},
            "turned": [name for name in self.baselines if not larger_is_better(name)],
            "folds": self.folds,
            "splits": self.splits,
            "steps": self.recipe.steps,
            "share_of_steps": self.course.share,
            "no_verdict": self.course.no_verdict or None,
            "detectable": known(self.detectable),
            "remedies": {row.remedy: _plain(row) for row in self.rows},
            "combination": None if self.combination is None else _plain_combination(self.combination),
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """A table for a person, the largest gains first."""
        lines = [
            *([self.course.no_verdict] if self.course.no_verdict else []),
            f"{self.metric} of the baseline: {self.baseline:.3f}, mean of {self.splits} splits. Differences, with 95 % "
            "intervals:"
            if self.splits
            else "Nothing was compared, because there was no time for a split:",
            *_lines(by_gain(self.rows)),
        ]
        if self.combination is not None:
            lines += [
                "",
                f"Best combination, scored on {self.combination.splits} other splits:",
                *_lines([self.combination.row]),
                "What each member adds to it:",
                *_lines(self.combination.members),
            ]
        if math.isfinite(self.detectable):
            lines += [
                "",
                f"With these splits, an effect of {self.detectable:.3f} or more would be shown with a probability of "
                "80 % (median over the remedies).",
            ]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def larger_is_better(metric: str) -> bool:
    """Whether larger values of a metric are better; also for ``recall:CLASS`` and the like."""
    figure, colon, _ = metric.partition(":")
    return names.METRICS[figure if colon else metric].larger_is_better


def by_gain(rows: Sequence[Row]) -> list[Row]:
    """The largest gains first, and rows that could not be tested last."""
    return sorted(
        rows, key=lambda row: (bool(row.why), -row.difference.mean if math.isfinite(row.difference.mean) else math.inf)
    )


def known(value: float) -> float | None:
    """A number as JSON holds it: None for NaN and infinity."""
    return value if math.isfinite(value) else None


def _varies(row: Row) -> bool:
    """Whether the differences vary over splits; a remedy without effect tells nothing about the detectable effect."""
    return not row.why and 0 < row.difference.detectable < math.inf


def _plain(row: Row) -> dict[str, Any]:
    return {
        **_interval(row.difference),
        "detectable": known(row.difference.detectable),
        "verdict": row.verdict,
        **({"why": row.why} if row.why else {}),
        "metrics": {name: _interval(difference) for name, difference in row.metrics.items()},
    }


def _plain_combination(combination: Combination) -> dict[str, Any]:
    return {
        "remedies": list(combination.remedies),
        "splits": combination.splits,
        **_plain(combination.row),
        "members": {row.remedy: _plain(row) for row in combination.members},
    }


def _interval(difference: Difference) -> dict[str, float | None]:
    return {"difference": known(difference.mean), "low": known(difference.low), "high": known(difference.high)}


def _lines(rows: Sequence[Row]) -> list[str]:
    width = max((len(row.remedy) for row in rows), default=0)
    return [f"  {row.remedy:<{width}}  {_shown(row)}" for row in rows]


def _shown(row: Row) -> str:
    difference = row.difference
    if row.why:
        return told(f"not judged: {row.why}")
    bounded = math.isfinite(difference.low)
    interval = f"[{difference.low:+.3f}, {difference.high:+.3f}]" if bounded else "[no interval]"
    return f"{difference.mean:+.3f} {interval}  {told(row.verdict)}"
