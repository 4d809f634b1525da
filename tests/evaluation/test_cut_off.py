"""The cut-off is the probability at which the decided label changes, for every decision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.evaluation.cut_off import cut_off
from rarebird.slots import methods
from rarebird.slots.decisions import DecisionRows


class Decides:
    """A model without networks."""

    def __init__(self, name: str, classes: tuple[str, ...] = ("no", "yes"), positive: str | None = "yes", **fit: Any):
        self.classes, self.positive = classes, positive
        decision: Any = methods.build("decision", {"name": name})
        self.decision = (name, decision.fit(DecisionRows(**fit)))

    def labels(self, outputs: np.ndarray) -> np.ndarray:
        return np.asarray(self.decision[1](outputs))


def rows(prior: float) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    positive = rng.beta(1, 3, 2000)
    y = (rng.random(2000) < positive).astype(int)
    return {
        "probabilities": np.c_[1 - positive, positive],
        "y": y,
        "weight": np.ones(2000),
        "metric": lambda y, predicted, weight: float(weight[(y == 1) & (predicted == 1)].sum() - 0.3 * predicted.sum()),
        "prior": np.array([1 - prior, prior]),
    }


def test_the_most_probable_class_is_cut_off_at_a_half_and_balanced_at_the_prior() -> None:
    argmax, balanced = (cut_off(Decides(name, **rows(0.02))) for name in ("argmax", "balanced"))  # type: ignore[arg-type]
    assert argmax == pytest.approx(0.5)
    assert balanced == pytest.approx(0.02)


@pytest.mark.parametrize("positive", ["no", "yes"])
def test_labels_change_at_the_cut_off_of_a_fitted_threshold(positive: str) -> None:
    model: Any = Decides("threshold", positive=positive, **rows(0.25))
    found = cut_off(model)
    assert found is not None
    assert found != pytest.approx(0.5, abs=0.02)
    code = model.classes.index(positive)
    pair = np.empty((2, 2))
    pair[:, code] = [found - 1e-6, found + 1e-6]
    pair[:, 1 - code] = 1 - pair[:, code]
    assert list(model.labels(pair) == code) == [False, True]


def test_no_cut_off_without_two_classes_or_where_the_label_never_changes() -> None:
    three: Any = Decides("argmax", ("a", "b", "c"), None, **rows(0.02))
    assert cut_off(three) is None
    never: Any = Decides("balanced", **(rows(0.02) | {"prior": np.array([1.0, 0.0])}))
    assert cut_off(never) is None
    values: Any = Decides("argmax", (), None, **rows(0.02))
    values.decision = None
    assert cut_off(values) is None
