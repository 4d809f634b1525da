"""How often prediction sets and intervals contain the truth, in sentences."""

from __future__ import annotations

from rarebird.core.checks import some
from rarebird.evaluation.coverage_result import ClassSetScore, SetScore
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Scores
from rarebird.model.conformal import rows_needed
from rarebird.report.wording import interval_text, number, value_text


def coverage_sentences(scores: Scores, judged: str) -> list[str]:
    """Full sentences on prediction sets, or intervals; none where the scores have neither.

    Args:
        scores: Scores of the rows.
        judged: What the rows are called.
    """
    if scores.sets is not None:
        return _sets(scores.sets, judged)
    found = scores.intervals
    if found is None:
        return []
    width = f"{value_text(found.width)} {interval_text(found.width)}"
    return [
        f"Intervals with a promised coverage of {found.coverage:g} contain {_percents(found.covered)} of the {judged}; "
        f"their mean width is {width}, a tenth is narrower than {number(found.narrowest)} and a tenth wider "
        f"than {number(found.widest)} (predict --coverage {found.coverage:g})."
    ]


def _sets(found: SetScore, judged: str) -> list[str]:
    whole = (
        f"Sets of classes with a promised coverage of {found.coverage:g} for each class contain the true one of "
        f"{_percents(found.covered)} of the {judged}, with {value_text(found.size)} classes on average"
    )
    judged_classes = [one for one in found.classes if one.covered.value is not None]
    least = min(judged_classes, key=lambda one: one.covered.value or 0.0, default=None)
    if least is not None and len(judged_classes) > 1:
        whole += f"; least often of “{least.label}”: {_percents(least.covered)}"
    sentences = [f"{whole} (predict --coverage {found.coverage:g})."]
    return sentences + _without_own_promise(found)


def _without_own_promise(found: SetScore) -> list[str]:
    """The classes with too few held-out rows for a promise of their own, and what becomes of them."""
    needed = rows_needed(found.coverage)
    together = [_named(one) for one in found.classes if one.basis == "small classes together"]
    always = [_named(one) for one in found.classes if one.basis == "always in the set"]
    why = f"too few held-out rows for a promise of their own, which needs {needed}"
    said = []
    if together:
        said.append(f"{some(together)} have {why}: the coverage is promised for them together.")
    if always:
        has = "has" if len(always) == 1 else "have"
        own = why.replace("their", "its") if len(always) == 1 else why
        said.append(f"{some(always)} {has} {own}: every set contains {'it' if len(always) == 1 else 'them'}.")
    return said


def _named(one: ClassSetScore) -> str:
    return f"“{one.label}” ({one.held_out})"


def _percents(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    ends = (
        ""
        if estimate.low is None or estimate.high is None
        else f" [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
    )
    return f"{100 * estimate.value:.1f} %{ends}"
