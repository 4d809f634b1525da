"""What a decision promises, costs and leaves to a person, in sentences."""

from __future__ import annotations

from rarebird.evaluation.decision_result import AbstentionScore, CostScore, DecisionScore, PromiseScore
from rarebird.evaluation.estimate import Estimate
from rarebird.report.wording import interval_text, number, percent_text, value_text
from rarebird.slots.decisions import Promise

# Alerts are stated per this number of rows.
PER = 1000


def promise_text(promise: Promise) -> str:
    """What holds on new rows and how surely; or that it cannot be promised, and the nearest that can be."""
    sure = f"with a confidence of {percent_text(promise.confidence)}"
    rows = f"{promise.rows} held-out rows" + (f" of “{promise.label}”" if promise.label else "")
    if promise.is_kept:
        return f"On new rows {_figure(promise, promise.asked)}, {sure} (from {rows})."
    asked = f"No cut-off promises {sure} that {_figure(promise, promise.asked)} on new rows; there are {rows}."
    if promise.level is None:
        return f"{asked} Nothing near to it can be promised."
    return f"{asked} The nearest that can be promised, and that this one serves: {_figure(promise, promise.level)}."


def decision_sentences(found: DecisionScore | None, judged: str) -> list[str]:
    """Full sentences on a decision's promises, costs and abstentions.

    Args:
        found: On scored rows; None for a decision that knows nothing of these.
        judged: What the rows are called.
    """
    if found is None:
        return []
    sentences = [f"{promise_text(one.promise)} {_observed(one, judged)}".strip() for one in found.promises]
    sentences += [] if found.cost is None else [_cost(found.cost, judged)]
    return sentences + ([] if found.abstention is None else [_abstention(found.abstention, judged)])


def _figure(promise: Promise, level: float) -> str:
    """The promised figure at a level, as a clause."""
    if promise.figure == "alerts":
        return f"at most {number(PER * level, PER * level / 20)} of {PER} rows are labelled “{promise.label}”"
    if promise.figure == "error":
        of = f" “{promise.label}”" if promise.label else ""
        return f"at most {_percent(level)} of the labels{of} are wrong"
    return f"the {promise.figure} of “{promise.label}” is at least {level:.3g}"


def _observed(found: PromiseScore, judged: str) -> str:
    if found.observed.value is None:
        return ""
    if found.promise.figure == "alerts":
        scaled = Estimate(**{name: None if end is None else PER * end for name, end in found.observed})
        return f"On the {judged} it is {value_text(scaled)} {interval_text(scaled)} of {PER}."
    return f"On the {judged} it is {_share(found.observed)}."


def _cost(found: CostScore, judged: str) -> str:
    """The mean cost of a row, and what the labels save against one label for all rows and the most probable class."""
    costs = f"On the {judged} a row costs {_share(found.per_row)} on average"
    constant = f"labelling all rows “{found.constant_label}” would cost {value_text(found.constant)}"
    constant += f" ({_saved(found.against_constant)})"
    probable = f"the most probable class {value_text(found.most_probable)} ({_saved(found.against_most_probable)})"
    return f"{costs}; {constant}, {probable}."


def _saved(difference: Estimate) -> str:
    assert difference.value is not None
    return f"difference {_share(difference)}"


def _abstention(found: AbstentionScore, judged: str) -> str:
    left = f"{_percent(found.left.value)} of the {judged} are left to a person"
    if found.error.value is None:
        return f"{left}, and no row is labelled."
    return (
        f"{left}; of the other labels {_percents(found.error)} are wrong, of labels for all rows "
        f"{_percents(found.error_of_all)} would be."
    )


def _percents(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return _percent(estimate.value)
    return f"{_percent(estimate.value)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.3g} %"


def _share(estimate: Estimate) -> str:
    return f"{value_text(estimate)} {interval_text(estimate)}".strip()
