"""The page of `rarebird compare-runs`: finished runs side by side, in one HTML file without script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarebird.evaluation.estimate import Estimate
from rarebird.report.pages.page import rendered, write_page
from rarebird.report.sections.cells import cell
from rarebird.report.wording import better, interval_text, number, wording


@dataclass(frozen=True)
class RunColumn:
    """One run.

    Attributes:
        judged: The rows of its figures.
        trained_on_same, tested_on_same: Whether it learned from, and was tested on, the rows of the first run.
    """

    name: str
    path: str
    data: str
    n_train: int
    n_test: int
    judged: str
    metric: str
    seconds: float
    trained_on_same: bool
    tested_on_same: bool


@dataclass(frozen=True)
class MetricRow:
    """A metric of all runs, and the paired differences to the first; None where rows differ."""

    name: str
    values: tuple[Estimate, ...]
    differences: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class ClassRow:
    """A class's recall in all runs, and the paired differences to the first; None where rows differ."""

    label: str
    support: int
    recalls: tuple[Estimate, ...]
    differences: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        settings: ``(key, values)`` of the settings in which recipes differ.
        notes: Sentences for the user.
    """

    runs: tuple[RunColumn, ...]
    metrics: tuple[MetricRow, ...]
    classes: tuple[ClassRow, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]

    def for_machines(self) -> dict[str, Any]:
        """What ``compare-runs --json`` prints."""
        return {
            "runs": [vars(run) for run in self.runs],
            "metrics": [
                {"name": row.name, "values": _plain(row.values), "differences": _plain(row.differences)}
                for row in self.metrics
            ],
            "per_class": [
                {"class": row.label, "support": row.support}
                | {"recalls": _plain(row.recalls), "differences": _plain(row.differences)}
                for row in self.classes
            ],
            "settings": {key: list(values) for key, values in self.settings},
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """The metric of the first run, of all runs, for a terminal."""
        main = self.metrics[0]
        lines = [f"{main.name}, with 95 % intervals:"]
        width = max(len(run.name) for run in self.runs)
        for run, value, difference in zip(self.runs, main.values, main.differences, strict=True):
            shown = cell(value)
            paired = "" if difference is None else f"  {difference_text(difference)} against {self.runs[0].name}"
            lines.append(f"  {run.name:<{width}}  {shown['value'] or '-'} {shown['interval']} ({run.judged}){paired}")
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def write(path: Path, page: Page) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = [
        {
            "words": wording(row.name),
            "better": better(row.name),
            "cells": [
                {"figure": cell(value), "difference": _shown(difference, better(row.name) != "lower")}
                for value, difference in zip(row.values, row.differences, strict=True)
            ],
        }
        for row in page.metrics
    ]
    classes = [
        {
            "label": row.label,
            "support": row.support,
            "cells": [
                {"figure": cell(value), "difference": _shown(difference, True)}
                for value, difference in zip(row.recalls, row.differences, strict=True)
            ],
        }
        for row in page.classes
    ]
    write_page(path, rendered("compare_runs.html", page=page, metrics=metrics, classes=classes))


def difference_text(difference: Estimate) -> str:
    """``+0.021 [-0.004, 0.046]``."""
    if difference.value is None:
        return ""
    spread = None if difference.low is None or difference.high is None else (difference.high - difference.low) / 2
    sign = "+" if difference.value > 0 else ""
    return f"{sign}{number(difference.value, spread)} {interval_text(difference)}".strip()


def _shown(difference: Estimate | None, larger_is_better: bool) -> dict[str, str] | None:
    """A difference, and what it shows; None where there is none."""
    if difference is None or difference.value is None:
        return None
    low, high = difference.low or 0.0, difference.high or 0.0
    above, below = (low > 0, high < 0) if larger_is_better else (high < 0, low > 0)
    return {
        "text": difference_text(difference),
        "verdict": "better" if above else "worse" if below else "too few rows to tell",
    }


def _plain(estimates: tuple[Estimate | None, ...]) -> list[Any]:
    return [None if one is None else one.model_dump() for one in estimates]
