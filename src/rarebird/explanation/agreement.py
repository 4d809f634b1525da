"""How alike two models explain the same rows, class by class: what a change of a model, such as compression, does to
its reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.explanation import shapley
from rarebird.explanation.amounts import Amounts
from rarebird.explanation.explain import USUAL, Effort, Explainer
from rarebird.model.model import Model


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of the explanations of a class.

    Attributes:
        label: The class; empty for regression.
        rows: How many rows were explained by both.
        correlation: Mean over the rows of Spearman's correlation of their amounts; None where no row has amounts that
            differ.
    """

    label: str
    rows: int
    correlation: float | None


def agreement(
    before: Model, after: Model, rows: Dataset, background: Dataset, most: int = 20, effort: Effort = USUAL
) -> list[Agreement]:
    """The agreement of two models, for each class: both explain the same rows against the same background rows, by the
    method that suits both and adds up; by Shapley values where none but these does.

    Args:
        before, after: The models; both know the same classes.
        rows: Labelled rows in the models' classes.
        background: Rows to compare with.
        most: Rows of each class at most.
        effort: How much is computed.
    """
    classes = before.classes or ("",)
    explainers = [Explainer(model, background, effort=effort) for model in (before, after)]
    methods = {one.main_method() for one in explainers}
    method = methods.pop() if len(methods) == 1 else shapley.METHOD
    found = []
    for code, label in enumerate(classes):
        own = np.flatnonzero(rows.codes == code) if before.classes else np.arange(len(rows))
        some = rows.take(own[: len(own) // most * most : max(1, len(own) // most)] if len(own) > most else own)
        if not len(some):
            found.append(Agreement(label, 0, None))
            continue
        codes = np.full(len(some), code)
        pair = [one.explain(some, codes, method) for one in explainers]
        known = rank_correlations(*pair)
        known = known[np.isfinite(known)]
        found.append(Agreement(label, len(some), float(known.mean()) if len(known) else None))
    return found


def rank_correlations(first: Amounts, second: Amounts) -> np.ndarray:
    """``(n,)`` Spearman's correlation of each row's amounts by two explanations of the same rows; NaN where one of them
    has equal amounts everywhere. Channels are added up, and columns that only one of them has count as 0."""
    from scipy.stats import rankdata

    a, b = _aligned(first, second)
    ranks = [rankdata(one, axis=1) for one in (a, b)]
    centered = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    size = np.sqrt((centered[0] ** 2).sum(axis=1) * (centered[1] ** 2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (centered[0] * centered[1]).sum(axis=1) / size
    return found


def _aligned(first: Amounts, second: Amounts) -> tuple[np.ndarray, np.ndarray]:
    if first.names or second.names:
        names = dict.fromkeys((*first.names, *second.names))
        wide = []
        for one in (first, second):
            known = {name: one.values[:, place] for place, name in enumerate(one.names)}
            wide.append(np.stack([known.get(name, np.zeros(len(one))) for name in names], axis=1))
        return wide[0], wide[1]
    added = [one.values.sum(axis=1).reshape(len(one), -1) for one in (first, second)]
    least = min(one.shape[1] for one in added)
    return added[0][:, :least], added[1][:, :least]
