"""What a comparison says: a row per remedy, the best combination with what each member adds, for persons and for
machines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarebird.comparison.paired_test import Difference, Verdict
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe


@dataclass(frozen=True)
class Row:
    """One remedy beside a recipe without it.

    Attributes:
        remedy: ``slot=method``, several joined by ``+``.
        value, beside: The means over splits with it and without it.
        difference: With it less without, in the metric that decides, turned so that larger is better.
        verdict: What that says among all comparisons.
        why: Why it could not be judged; empty where it was.
        metrics: Metric -> difference, each turned so that larger is better.
    """

    remedy: str
    value: float
    beside: float
    difference: Difference
    verdict: Verdict
    why: str = ""
    metrics: Mapping[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True)
class Combination:
    """The best combination, judged on splits that had no part in choosing it.

    Attributes:
        remedies: Its members, in the order in which they were added.
        row: All of them beside the baseline.
        members: Of each, the combination less the combination without it.
        splits: That judged it.
    """

    remedies: Sequence[str]
    row: Row
    members: Sequence[Row]
    splits: int


@dataclass(frozen=True)
class Comparison:
    """What a comparison says.

    Attributes:
        metric: What decides.
        baseline: The baseline's mean over splits.
        rows: One per remedy, as asked.
        splits: Parts of all repeats.
        recipe: The baseline, with its steps laid out.
        baselines: Metric -> the baseline's mean over splits.
        combination: None where no combination gained anything.
        folds: Parts of a repeat.
        notes: Sentences that the user should read.
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

    @property
    def detectable(self) -> float:
        """The smallest effect that these splits would have shown four times in five: the median over remedies; NaN
        where there is none."""
        return (
            float(np.median(found))
            if (found := [row.difference.detectable for row in self.rows if _varies(row)])
            else math.nan
        )

    def for_machines(self) -> dict[str, Any]:
        """Per remedy its difference, interval and verdict, in the metric that decides, and the difference in each
        metric."""
        combination = self.combination
        return {
            "metric": self.metric,
            "baseline": known(self.baseline),
            "baseline_metrics": {name: known(value) for name, value in self.baselines.items()},
            "turned": [name for name in self.baselines if not larger_is_better(name)],
            "folds": self.folds,
            "splits": self.splits,
            "steps": self.recipe.steps,
            "detectable": known(self.detectable),
            "remedies": {row.remedy: _plain(row) for row in self.rows},
            "combination": None
            if combination is None
            else {
                "remedies": list(combination.remedies),
                "splits": combination.splits,
                **_plain(combination.row),
                "members": {row.remedy: _plain(row) for row in combination.members},
            },
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """A table for a person, the largest gains first."""
        head = f"{self.metric} of the baseline: {self.baseline:.3f}, mean of {self.splits} splits. Differences, with 95 % intervals:"
        lines = [head, *_lines(by_gain(self.rows))]
        if self.combination is not None:
            lines += [
                "",
                f"Best combination, judged on {self.combination.splits} other splits:",
                *_lines([self.combination.row]),
            ]
            lines += ["What each member adds to it:", *_lines(self.combination.members)]
        lines += [
            "",
            f"The smallest effect that these splits would have shown four times in five, at the median: {self.detectable:.3f}.",
        ]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def larger_is_better(metric: str) -> bool:
    """Whether larger values of a metric are better; ``recall:CLASS`` and the like included."""
    figure, colon, _ = metric.partition(":")
    return names.METRICS[figure if colon else metric].larger_is_better


def by_gain(rows: Sequence[Row]) -> list[Row]:
    """The largest gains first, those that were not judged last."""
    return sorted(
        rows, key=lambda row: (bool(row.why), -row.difference.mean if math.isfinite(row.difference.mean) else math.inf)
    )


def known(value: float) -> float | None:
    """A figure as JSON holds it: None where there is none."""
    return value if math.isfinite(value) else None


def _varies(row: Row) -> bool:
    """Whether splits differ in what a remedy does; one that changes nothing says nothing of what could be shown."""
    return not row.why and 0 < row.difference.detectable < math.inf


def _plain(row: Row) -> dict[str, Any]:
    metrics = {name: _ends(difference) for name, difference in row.metrics.items()}
    why = {"why": row.why} if row.why else {}
    return {
        **_ends(row.difference),
        "detectable": known(row.difference.detectable),
        "verdict": row.verdict,
        **why,
        "metrics": metrics,
    }


def _ends(difference: Difference) -> dict[str, float | None]:
    return {"difference": known(difference.mean), "low": known(difference.low), "high": known(difference.high)}


def _lines(rows: Sequence[Row]) -> list[str]:
    width = max((len(row.remedy) for row in rows), default=0)
    return [f"  {row.remedy:<{width}}  {_shown(row)}" for row in rows]


def _shown(row: Row) -> str:
    if row.why:
        return f"not judged: {row.why}"
    interval = (
        f"[{row.difference.low:+.3f}, {row.difference.high:+.3f}]"
        if math.isfinite(row.difference.low)
        else "[no interval]"
    )
    return f"{row.difference.mean:+.3f} {interval}  {row.verdict}"
