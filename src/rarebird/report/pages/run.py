"""The report of a run: one HTML file that needs no other file, contains no script and loads nothing."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from rarebird.core.checks import require
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import ClassScore, Result, Scores
from rarebird.report.pages.coverage import coverage_values
from rarebird.report.pages.explanation import Explanation
from rarebird.report.pages.external_rows import external_values
from rarebird.report.pages.page import rendered, write_page
from rarebird.report.pages.run_figures import figures
from rarebird.report.pages.synthetic_rows import synthesis_values
from rarebird.report.verdict import headline_of, scores_of, verdict
from rarebird.report.wording import TOO_FEW, better, estimate_of, interval_text, p_text, value_text, wording

MOST_IN_MATRIX = 30
CLASSWISE = "classwise_calibration_error"
MOST_CONFUSIONS = 20
# Standard errors to each side of a 95 % interval.
TWO_SIDED = 1.96
# Height in pixels of the first screen in a notebook.
FRAME_HEIGHT = 480


def write_report(
    path: Path,
    result: Result,
    recipe_toml: str,
    profile_text: str,
    profile: dict[str, Any],
    explanation: Explanation | None = None,
) -> None:
    """Write the report of a run; a reader of `path` sees the old file or the new one, never a part.

    Args:
        path: The file to write, ``RUN/report.html``.
        result: The result of the run, with scores on test or validation rows.
        recipe_toml: The recorded recipe.
        profile_text: The profile as the command line shows it.
        profile: The profile as plain values; ``ailments`` (sentences) and ``applicable`` (``slot, method, why``) are
            used if present.
        explanation: Explanations of some rows, as a section of the report; None: there is no such section.

    Raises:
        ValueError: The result holds no scores.
    """
    write_page(path, render(result, recipe_toml, profile_text, profile, explanation))


def render(
    result: Result,
    recipe_toml: str,
    profile_text: str,
    profile: dict[str, Any],
    explanation: Explanation | None = None,
) -> str:
    """The report as text; arguments as for `write_report`."""
    scores, first = _first_values(result)
    return rendered(
        "report.html",
        whole=True,
        **first,
        ailments=profile.get("ailments") or [],
        metrics=_metric_rows(result, scores, first["headline"]["name"]),
        confusion=_confusion_matrix(scores),
        confusions=_top_confusions(scores),
        figures=list(figures(result, scores)),
        tried=_tried_rows(result),
        external=external_values(result.external),
        synthesis=synthesis_values(result.synthesis),
        sets=coverage_values(scores.sets),
        explanation=explanation,
        recipe_toml=recipe_toml,
        profile_text=profile_text,
        applicable=profile.get("applicable") or [],
    )


def first_screen(result: Result) -> str:
    """The report's first screen, headline and verdict, as an element that a notebook shows.

    It is a frame of its own, so that the page's styles do not reach the notebook.

    Raises:
        ValueError: The result holds no scores.
    """
    _, first = _first_values(result)
    page = rendered("report.html", whole=False, **first)
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="rarebird report" sandbox '
        f'style="width: 100%; height: {FRAME_HEIGHT}px; border: 0"></iframe>'
    )


def _first_values(result: Result) -> tuple[Scores, dict[str, Any]]:
    """The scores of the report, and the values of its first screen."""
    scores = scores_of(result)
    require(
        scores is not None and bool(scores.metrics),
        "scores on test or validation rows",
        test=result.test,
        validation=result.validation,
    )
    assert scores is not None
    headline = headline_of(result, scores)
    return scores, {
        "result": result,
        "judged": "test rows" if result.test else "validation rows",
        "n_judged": result.n_test if result.test else sum(row.support for row in scores.per_class) or result.n_train,
        "headline": _metric_row(headline, estimate_of(scores, headline), None),
        "verdict": verdict(result),
        "classes": _class_rows(result, scores),
    }


def _cell(estimate: Estimate | None) -> dict[str, Any]:
    """A figure as the template shows it: texts, and the position of its interval bar in percent."""
    if estimate is None or estimate.value is None:
        return {"value": None, "interval": "", "at": 0.0, "low": 0.0, "high": 0.0}
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    places = {
        name: round(100 * min(max(place, 0.0), 1.0), 2)
        for name, place in (("at", estimate.value), ("low", low), ("high", high))
    }
    return {"value": value_text(estimate), "interval": interval_text(estimate), **places}


def _metric_row(name: str, estimate: Estimate | None, validation: Estimate | None) -> dict[str, Any]:
    return {
        "name": name,
        "words": wording(name),
        "better": better(name),
        "figure": _cell(estimate),
        "validation": _cell(validation),
    }


def _metric_rows(result: Result, scores: Scores, headline: str) -> list[dict[str, Any]]:
    """All metrics, the headline first, with their values on test and on validation rows."""
    beside = result.validation.metrics if result.test and result.validation else {}
    ordered = sorted(scores.metrics, key=lambda name: name != headline)
    rows = [_metric_row(name, scores.metrics[name], beside.get(name)) for name in ordered]
    if scores.classwise_calibration_error is not None:
        validation = result.validation if result.test else None
        error = None if validation is None else validation.classwise_calibration_error
        rows.append(_metric_row(CLASSWISE, scores.classwise_calibration_error, error))
    return rows


def _class_rows(result: Result, scores: Scores) -> list[dict[str, Any]]:
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
            "figures": [_cell(score.recall), _cell(score.precision), _cell(score.f1)],
            "calibration": _cell(score.calibration_error),
            "calibration_p": "" if score.calibration_p_value is None else p_text(score.calibration_p_value),
            "note": _class_note(score),
        }
        rows.append(
            row
            | {
                "validation": _cell(validation.recall) if validation else None,
                "n_validation": validation.support if validation else 0,
            }
        )
    return rows


def _class_note(score: ClassScore) -> str:
    return score.note or (TOO_FEW if score.recall.value is None else "")


def _tried_rows(result: Result) -> list[dict[str, Any]]:
    """The recipes that a search tried: the held-out loss of each, and its difference to the best with a 95 %
    interval."""
    rows = []
    for one in result.tried:
        behind = (
            ""
            if one.behind is None
            else "the best"
            if one.behind == 0
            else f"+{one.behind:.4f} ± {TWO_SIDED * one.error:.4f}"
        )
        rows.append(
            {
                "name": one.name,
                "loss": one.loss,
                "behind": behind,
                "percent": round(100 * one.share),
                "seconds": one.seconds,
            }
            | {"runs": one.runs, "is_reference": one.is_reference, "why": one.why}
        )
    return rows


def _confusion_matrix(scores: Scores) -> list[dict[str, Any]]:
    """One row per true class, its cells shaded by the share of that class's rows; empty without classes or with too
    many."""
    if not 0 < len(scores.confusion) <= MOST_IN_MATRIX:
        return []
    labels = [row.label for row in scores.per_class]
    rows = []
    for true, counts in enumerate(scores.confusion):
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


def _top_confusions(scores: Scores) -> list[dict[str, Any]]:
    """The most frequent mistakes, if there are too many classes for a matrix."""
    if len(scores.confusion) <= MOST_IN_MATRIX:
        return []
    labels = [row.label for row in scores.per_class]
    mistakes = [
        (count, sum(counts), labels[true], labels[predicted])
        for true, counts in enumerate(scores.confusion)
        for predicted, count in enumerate(counts)
        if count and true != predicted
    ]
    worst = sorted(mistakes, key=lambda mistake: (-mistake[0], mistake[1]))[:MOST_CONFUSIONS]
    return [
        {"true": true, "predicted": predicted, "count": count, "total": total, "percent": round(100 * count / total)}
        for count, total, true, predicted in worst
    ]
