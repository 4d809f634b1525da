"""The section on confusions: a matrix of counts and of rates, or the most frequent mistakes of many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rarebird.evaluation.result import Scores
from rarebird.report.sections.section import RunContents

MOST_IN_MATRIX = 30
MOST_CONFUSIONS = 20


def confusion_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """Matrix and mistakes, one of which is empty; None without classes."""
    labels = [row.label for row in scores.per_class]
    if not scores.confusion:
        return None
    if len(scores.confusion) <= MOST_IN_MATRIX:
        return {"matrix": matrix_rows(scores.confusion, labels), "mistakes": []}
    return {"matrix": [], "mistakes": _mistakes(scores.confusion, labels)}


def matrix_rows(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """One row per true class, its cells shaded by the share of that class's rows."""
    rows = []
    for true, counts in enumerate(confusion):
        total = sum(counts)
        shares = [count / total if total else 0.0 for count in counts]
        cells = [
            {
                "count": count,
                "percent": round(100 * share),
                "shade": round(share, 3),
                "right": true == predicted,
                "predicted": labels[predicted],
            }
            for predicted, (count, share) in enumerate(zip(counts, shares, strict=True))
        ]
        rows.append({"label": labels[true], "total": total, "cells": cells})
    return rows


def _mistakes(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent mistakes."""
    mistakes = [
        (count, sum(counts), labels[true], labels[predicted])
        for true, counts in enumerate(confusion)
        for predicted, count in enumerate(counts)
        if count and true != predicted
    ]
    worst = sorted(mistakes, key=lambda mistake: (-mistake[0], mistake[1]))[:MOST_CONFUSIONS]
    return [
        {"true": true, "predicted": predicted, "count": count, "total": total, "percent": round(100 * count / total)}
        for count, total, true, predicted in worst
    ]
