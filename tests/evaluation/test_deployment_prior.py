"""A model under another prior: probabilities, decision and held-out rows follow; a prior is estimated, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.evaluation.deployment_prior import estimated_prior, stated_prior, under_prior
from rarebird.evaluation.held_out import decide
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Model
from rarebird.recipe.recipe import Recipe

CLASSES, NATURAL = ("ill", "well"), np.array([0.4, 0.6])


class Stated(Model):
    """A model whose members are only named."""

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    def mean_of(self, each: Sequence[np.ndarray]) -> np.ndarray:
        return each[0]


def drawn(ill: float, n: int, seed: int, strength: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a share `ill`, and exact probabilities under `NATURAL`."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < ill, 0, 1)
    x = rng.normal(strength * (y == 0))
    odds = NATURAL[0] / NATURAL[1] * np.exp(strength * x - strength**2 / 2)
    p = odds / (1 + odds)
    return np.stack([p, 1 - p], axis=1), y


def model(decision: Any = "balanced", strength: float = 2.0, n: int = 2000, **more: Any) -> Stated:
    recipe = Recipe(kind="table", network="mlp", decision=decision, **more)
    p, y = drawn(NATURAL[0], n, 0, strength)
    held = HeldOutRows(p, y, np.ones(n))
    return Stated(recipe, [], decide(recipe, held, NATURAL, CLASSES, "ill"), NATURAL, positive="ill", held_out=held)


def test_probabilities_and_held_out_rows_follow() -> None:
    prior = np.array([0.02, 0.98])
    found = under_prior(model(), prior)
    assert found.held_out is not None
    shares = np.bincount(found.held_out.y, found.held_out.weight) / found.held_out.weight.sum()
    np.testing.assert_allclose(shares, prior, atol=0.003)
    # Calibrated under the new prior: stated probabilities sum to the rows of the class.
    stated = found.held_out.weight @ found.held_out.outputs[:, 0] / found.held_out.weight.sum()
    assert stated == pytest.approx(0.02, abs=0.003)
    (step,) = found.calibrations
    assert step[0] == "prior_correction"
    # A prior of a prior is the last one.
    again = under_prior(found, NATURAL)
    before = model().held_out
    assert again.held_out is not None
    assert before is not None
    np.testing.assert_allclose(again.held_out.outputs, before.outputs, atol=1e-6)


@pytest.mark.parametrize(
    ("decision", "same"),
    [("balanced", True), ("argmax", False), ({"name": "cost", "costs": {"*": {"*": 1}}}, False)],
)
def test_the_decision_follows(decision: Any, same: bool) -> None:
    natural = model(decision)
    found = under_prior(natural, np.array([0.02, 0.98]))
    assert natural.held_out is not None
    assert found.held_out is not None
    before, after = natural.labels(natural.held_out.outputs), found.labels(found.held_out.outputs)
    # Balanced accuracy does not depend on the frequencies; what argmax serves does.
    assert (before == after).all() == same
    if not same:
        assert (after == 0).sum() < (before == 0).sum()


def test_floors_follow() -> None:
    asked = {"name": "constrained", "precision": 0.5}
    natural = model(asked, n=4000)
    found = under_prior(natural, np.array([0.05, 0.95]))
    new, truth = drawn(0.05, 100_000, 9)
    odds = new[:, 0] / new[:, 1] * (0.05 / 0.95) / (NATURAL[0] / NATURAL[1])
    p = odds / (1 + odds)
    labels = found.labels(np.stack([p, 1 - p], axis=1))
    assert (truth[labels == 0] == 0).mean() > 0.5
    assert (truth[natural.labels(new) == 0] == 0).mean() < 0.4


def test_a_prior_is_estimated_with_an_interval_and_a_check() -> None:
    inside = []
    for seed in range(20):
        found = estimated_prior(model(), [drawn(0.05, 1000, 50 + seed)[0]])
        assert found.prior.sum() == pytest.approx(1)
        assert found.agrees
        inside.append(found.low[0] <= 0.05 <= found.high[0])
        assert found.high[0] - found.low[0] < 0.1
    assert np.mean(inside) >= 0.8


def test_rows_that_changed_in_more_than_frequencies_are_noticed() -> None:
    p, _ = drawn(0.05, 2000, 3)
    # A third of the rows is neither: probabilities in the middle, which no mix of the classes explains.
    p[:700] = [0.5, 0.5]
    assert not estimated_prior(model(), [p]).agrees


def test_a_prior_is_refused_where_classes_are_confused_or_rows_are_few() -> None:
    with pytest.raises(DataError, match="confuses classes too much"):
        estimated_prior(model(strength=0.1), [drawn(0.05, 500, 1, 0.1)[0]])
    with pytest.raises(DataError, match="rows are too few"):
        estimated_prior(model(strength=1.0), [drawn(0.5, 5, 1, 1.0)[0]])
    with pytest.raises(DataError, match="kept no held-out rows"):
        under_prior(Stated(model().recipe, [], None, NATURAL), NATURAL)


def test_stated_priors() -> None:
    np.testing.assert_allclose(stated_prior({"ill": 0.02}, CLASSES, NATURAL), [0.02, 0.98])
    np.testing.assert_allclose(stated_prior({}, CLASSES, NATURAL), NATURAL)
    three = ("a", "b", "c"), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(stated_prior({"b": 0.1}, *three), [0.9 * 5 / 7, 0.1, 0.9 * 2 / 7])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sick": 0.1}, "names the class 'sick', which does not exist"),
        ({"ill": 1.2}, "between 0 and 1"),
        ({"ill": float("nan")}, "between 0 and 1"),
        ({"ill": 0.3, "well": 0.6}, r"sums to 1 over all classes, but ill = 0\.3, well = 0\.6 sums to 0\.9"),
    ],
)
def test_priors_that_cannot_be_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        stated_prior(given, CLASSES, NATURAL)
