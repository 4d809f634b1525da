"""The section on each class: its rows, recall, precision, F1 and calibration, with intervals."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.result import ClassScore, Result, Scores
from rarebird.report.sections.cells import cell
from rarebird.report.sections.section import RunContents
from rarebird.report.wording import TOO_FEW, p_text


def classes_values(contents: RunContents, scores: Scores) -> list[dict[str, Any]] | None:
    """The rows of the table; None for regression."""
    return class_rows(contents.result, scores) or None


def class_rows(result: Result, scores: Scores) -> list[dict[str, Any]]:
    """The class table, in the order of the classes. A class counts as rare if it has less than half as many training
    rows as it would have if all classes were equally frequent."""
    beside = {row.label: row for row in result.validation.per_class} if result.test and result.validation else {}
    equal_share = sum(result.class_counts.values()) / max(len(result.class_counts), 1)
    rows = []
    for score in scores.per_class:
        n_train = result.class_counts.get(score.label)
        validation = beside.get(score.label)
        row = {
            "label": score.label,
            "n_train": n_train,
            "support": score.support,
            "rare": n_train is not None and n_train < equal_share / 2,
            "positive": score.label == result.positive,
            "figures": [cell(score.recall), cell(score.precision), cell(score.f1)],
            "calibration": cell(score.calibration_error),
            "calibration_p": "" if score.calibration_p_value is None else p_text(score.calibration_p_value),
            "note": _note(score),
        }
        rows.append(
            row
            | {
                "validation": cell(validation.recall) if validation else None,
                "n_validation": validation.support if validation else 0,
            }
        )
    return rows


def _note(score: ClassScore) -> str:
    return score.note or (TOO_FEW if score.recall.value is None else "")
