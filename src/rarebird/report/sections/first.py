"""The first screen: what was asked, the main figure beside what it has to beat, the findings, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rarebird.core.checks import require
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Result, Scores
from rarebird.report.sections.cells import cell, metric_row
from rarebird.report.sections.classes import class_rows
from rarebird.report.sections.next_steps import next_steps
from rarebird.report.sections.section import RunContents
from rarebird.report.verdict import guess, headline_of, scores_of, verdict
from rarebird.report.wording import better, estimate_of, wording

NO_REFERENCE = (
    "This run trained one recipe alone. A fit with a budget trains references beside it, and rarebird compare tells "
    "which remedy helps."
)


def first_values(contents: RunContents) -> tuple[Scores, dict[str, Any]]:
    """The scores of the report, and the values of its first screen.

    Raises:
        ValueError: The result holds no scores.
    """
    result = contents.result
    scores = scores_of(result)
    require(
        scores is not None and bool(scores.metrics),
        "scores on test or validation rows",
        test=result.test,
        validation=result.validation,
    )
    assert scores is not None
    headline = headline_of(result, scores)
    beside = list(_beside(result, scores, headline))
    return scores, {
        "result": result,
        "judged": "test rows" if result.test else "validation rows",
        "n_judged": result.n_test if result.test else sum(row.support for row in scores.per_class) or result.n_train,
        "headline": metric_row(headline, estimate_of(scores, headline), None),
        "asked": list(_asked(result, headline)),
        "beside": beside,
        "beside_note": "" if result.tried else NO_REFERENCE,
        "verdict": verdict(result),
        "next_steps": next_steps(contents, scores),
        "classes": class_rows(result, scores),
    }


def _asked(result: Result, headline: str) -> Iterator[tuple[str, str]]:
    """Questions and answers on what the run was asked for."""
    direction = better(headline)
    goal = "" if result.decision is None else result.decision.goal
    yield "Asked for", f"{wording(headline).title}" + (f", {direction} is better" if direction else "")
    if goal and goal != result.metric:
        yield "Labels serve", goal
    if result.positive is not None:
        yield "Positive class", result.positive
    for promise in () if result.decision is None else result.decision.promises:
        of = f" of “{promise.label}”" if promise.label else ""
        yield "To promise", f"{promise.figure}{of}: {promise.asked:g}"
    trained = len([one for one in result.tried if one.loss is not None])
    how = f"a search over {trained} recipe{'' if trained == 1 else 's'}" if result.tried else "one recipe"
    if result.search is not None and not result.tried:
        how = f"a search over {len(result.search.trials)} trials"
    yield "Done by", f"{how}, {result.seconds:.0f} s"


def _beside(result: Result, scores: Scores, headline: str) -> Iterator[dict[str, Any]]:
    """The model's main figure on its rows, and what it has to beat: the best reference, the default recipe, and
    guessing."""
    if result.test is not None:
        yield _row("This model", "", estimate_of(scores, headline), "test rows", True)
    validation = None if result.validation is None else estimate_of(result.validation, headline)
    if validation is not None and validation.value is not None:
        yield _row("This model", "", validation, "held-out training rows", True)
    reference = next((one for one in result.tried if one.is_reference and one.figure is not None), None)
    if reference is not None:
        yield _row("Best reference:", reference.name, reference.figure, "held-out training rows", False)
    default = next((one for one in result.tried if one.is_default and one.figure is not None), None)
    if default is not None:
        yield _row("Default recipe:", default.name, default.figure, "held-out training rows", False)
    name, level, how = guess(scores, headline)
    if name == headline:
        yield _row(how, "", Estimate(value=level), "by calculation", False)


def _row(title: str, name: str, figure: Estimate | None, rows: str, is_model: bool) -> dict[str, Any]:
    return {"title": title, "name": name, "figure": cell(figure), "rows": rows, "is_model": is_model}
