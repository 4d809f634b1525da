"""How labels are decided, in sentences: what they serve, and from which probability on a row gets one."""

from __future__ import annotations

from rarebird.evaluation.decision_result import DecisionSummary
from rarebird.evaluation.result import Result, Scores
from rarebird.report.decision_text import promise_text
from rarebird.report.wording import percent_text


def label_rule(result: Result, scores: Scores) -> str:
    """When a row gets its label, where that is not always the most probable class."""
    why = other_labels(result, scores)
    if result.cut_off is not None and result.positive is not None:
        why = f"{cut_off_text(result.positive, probability_text(result.cut_off))} {why}"
    return why.strip()


def cut_off_text(positive: str, cut_off: str) -> str:
    """A sentence on the smallest probability at which a row gets the positive label."""
    return f"A row is labelled “{positive}” if the probability of “{positive}” is {cut_off} or more."


def label_text(decision: DecisionSummary, metric: str, positive: str | None, cut_off: float | None) -> str:
    """What labels serve, for predictions that also show the most probable class.

    Args:
        decision: The decision.
        metric: The run's metric.
        positive, cut_off: Of two classes, the positive one and the probability from which on it is the label.
    """
    if decision.name == "argmax":
        return "The label is the most probable class."
    metric = decision.goal or metric
    promises = "".join(f" {promise_text(one)}" for one in decision.promises)
    # In the digits of the predicted probabilities: a row with 0.298 must not contradict a cut-off of 0.3.
    rule = "" if positive is None or cut_off is None else f" {cut_off_text(positive, f'{cut_off:.6g}')}"
    if probability_text(cut_off or 0.0) == "0.5":
        return f"The label serves {metric}.{rule}{promises}"
    return f"The label serves {metric}, so it can differ from the most probable class.{rule}{promises}"


def other_labels(result: Result, scores: Scores) -> str:
    """How many labels are not the most probable class; empty if hardly any, or if it is not known."""
    share = "" if scores.most_probable is None else percent_text(1 - scores.most_probable)
    if not share:
        return ""
    serves = (result.decision.goal if result.decision else "") or result.metric
    return f"For {share} of the rows the label is not the most probable class: labels serve {serves}."


def probability_text(value: float) -> str:
    """A probability with two significant digits near 0 and near 1."""
    return f"{value:.2g}" if value < 0.5 else f"{1 - float(f'{1 - value:.2g}'):.6g}"
