"""What ships is fitted on all held-out rows; figures for these rows are by calibrations and a decision of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.evaluation import complete as module
from rarebird.evaluation.complete import Completed, complete, crossing_parts
from rarebird.evaluation.deployment_prior import stated_prior
from rarebird.evaluation.held_out import apply_chains, calibrate, decide
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.model.chain import probabilities
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Member, Model
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit

PARTS = 5


def recipe(**changes: object) -> Recipe:
    plain = {"kind": "table", "network": "mlp", "calibration": ["temperature", "class_scale_bias"]}
    return Recipe(**(plain | {"decision": "balanced"} | changes))


def rows(y: np.ndarray, classes: int = 3, group: np.ndarray | None = None) -> Dataset:
    n = len(y)
    frame, names = Frame(pd.DataFrame({"a": np.zeros(n)})), ("a", "b", "c")[:classes]
    return Dataset("table", "classification", frame, np.arange(n), y, names, np.arange(n).astype(str), group=group)


def completed(
    patch: pytest.MonkeyPatch,
    y: np.ndarray,
    logits: Sequence[np.ndarray],
    parts: np.ndarray,
    group: np.ndarray | None = None,
    positive: str | None = None,
    **changes: object,
) -> Completed:
    """`complete` for recipes whose networks gave these logits, each part by a network of its own."""
    classes = logits[0].shape[1]
    data, network = rows(y, classes, group), np.arange(len(y)) % PARTS
    held = iter(HeldOut(np.arange(len(y)), one, y, np.ones(len(y)), network) for one in logits)
    asked: list[tuple[Any, ...]] = []
    patch.setattr(module, "predict", lambda *arguments: asked.append(arguments) or next(held))
    trained: Any = [SimpleNamespace(prior_factor=np.ones(classes), own_outputs=None)] * PARTS
    held_rows = [np.flatnonzero(network == place) for place in range(PARTS)]
    fits = [CrossFit(recipe(**changes), trained, held_rows) for _ in logits]
    prepared: Any = SimpleNamespace(spec=SimpleNamespace(n_outputs=classes), classes=data.classes)
    members = [Member(None, prepared) for _ in range(PARTS * len(logits))]  # type: ignore[arg-type]
    whole = recipe(**changes) if len(logits) == 1 else Ensemble.of([(1.0, recipe()) for _ in logits], ["temperature"])
    found = complete(Model(whole, members, None, data.prior, positive=positive), data, fits, parts)
    assert asked == [(one, data, "cpu", members[PARTS * at : PARTS * (at + 1)]) for at, one in enumerate(fits)]
    return found


def drawn(n: int, seed: int, knows: float = 0.0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits that know their prior and, by `knows`, something of the label."""
    rng, prior = np.random.default_rng(seed), np.array([0.8, 0.15, 0.05] if classes == 3 else [0.85, 0.15])
    y = rng.choice(classes, n, p=prior)
    return y, rng.normal(size=(n, classes)) + knows * np.eye(classes)[y] + np.log(prior)


def test_figures_promise_no_more_than_new_rows_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log loss of a network that knows nothing, 60 rows, 30 draws: calibrations scored on their own rows promise too
    much."""
    reported, promised, new = [], [], []
    for seed in range(30):
        y, logits = drawn(60, seed)
        found = completed(monkeypatch, y, [logits], np.arange(60) % PARTS, decision="argmax")
        reported.append(log_loss(y, found.outputs, labels=range(3)))
        chain = found.model.members[0].calibrations
        fresh_y, fresh = drawn(2000, 1000 + seed)
        new.append(log_loss(fresh_y, probabilities(fresh, chain), labels=range(3)))
        promised.append(log_loss(y, probabilities(logits, chain), labels=range(3)))
    optimism, rest = np.subtract(reported, promised), np.subtract(new, reported)
    assert optimism.mean() > 3 * optimism.std() / np.sqrt(30)
    assert rest.mean() < 2 * rest.std() / np.sqrt(30)


def test_what_ships_is_fitted_on_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    y, logits = drawn(300, 0, knows=2.0)
    found = completed(monkeypatch, y, [logits], np.arange(300) % PARTS)
    held = HeldOut(np.arange(300), logits, y, np.ones(300), np.arange(300) % PARTS)
    chains = calibrate(recipe(), held, [np.ones(3)] * PARTS)
    assert [member.calibrations for member in found.model.members] == chains
    p = apply_chains(held, chains)
    data = rows(y)
    assert found.model.decision == decide(recipe(), HeldOutRows(p, y, np.ones(300)), data.prior, data.classes, None)
    assert not np.array_equal(found.outputs, p)
    # One part alone is halved: its rows are not predicted by a fit on themselves either.
    alone = completed(monkeypatch, y, [logits], np.zeros(300, dtype=int))
    assert alone.model.members[0].calibrations == chains[0]
    assert not np.isclose(alone.outputs, p).all(axis=1).any()
    assert found.labels.dtype == np.int64


@pytest.mark.parametrize("recipes", [1, 2])
def test_a_rows_own_label_reaches_neither_its_output_nor_its_label(
    recipes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, logits = drawn(300, 0, knows=1.0)
    parts = np.arange(300) % PARTS
    more = [drawn(300, seed, knows=1.0)[1] for seed in range(1, recipes)]
    mine = parts == 2
    turned = y.copy()
    # Two rows change places, so that the natural prior stays what it is.
    first, second = np.flatnonzero(mine & (y == 0))[0], np.flatnonzero(mine & (y == 1))[0]
    turned[first], turned[second] = 1, 0
    one, two = (completed(monkeypatch, labels, [logits, *more], parts) for labels in (y, turned))
    np.testing.assert_array_equal(one.outputs[mine], two.outputs[mine])
    np.testing.assert_array_equal(one.labels[mine], two.labels[mine])
    assert not np.array_equal(one.outputs[~mine], two.outputs[~mine])


def test_one_part_alone_is_halved() -> None:
    y = np.arange(40) % 3
    known = np.arange(40) < 30
    halved = crossing_parts(rows(y), known, np.zeros(40, dtype=int), 0)
    assert set(halved[known]) == {0, 1}
    for code in range(3):
        assert abs(int((halved[known & (y == code)] * 2 - 1).sum())) <= 1
    for several in (2, 4):
        parts = np.arange(40) % several
        assert crossing_parts(rows(y), known, parts, 0) is parts


def test_without_a_held_out_row_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    y, logits = drawn(30, 0)
    monkeypatch.setattr(module, "_held_by_all", lambda held, n: np.zeros(n, dtype=bool))
    with pytest.raises(DataError, match="leaves no row to calibrate and decide on"):
        completed(monkeypatch, y, [logits], np.zeros(30, dtype=int))


def test_the_decision_serves_the_positive_class(monkeypatch: pytest.MonkeyPatch) -> None:
    y, logits = drawn(300, 3, knows=1.0, classes=2)
    changes: dict[str, Any] = {"decision": "threshold", "metric": "f1"}
    found = [
        completed(monkeypatch, y, [logits], np.arange(300) % PARTS, positive=label, **changes).model for label in "ab"
    ]
    for model, label in zip(found, "ab", strict=True):
        assert model.held_out is not None
        assert model.decision == decide(recipe(**changes), model.held_out, model.prior, ("a", "b"), label)
    assert found[0].decision != found[1].decision


def test_what_a_model_keeps_of_the_rows_and_what_was_before_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    y, logits = drawn(300, 0, knows=2.0)
    other, group = drawn(300, 1)[1], np.arange(300) // 3
    for networks in ([logits], [logits, other]):
        found = completed(monkeypatch, y, networks, np.arange(300) % PARTS, group=group + 7)
        assert found.uncalibrated is not None
        np.testing.assert_allclose(found.uncalibrated, np.mean([probabilities(one, ()) for one in networks], axis=0))
        kept = found.model.held_out
        assert kept is not None
        np.testing.assert_array_equal(kept.group, group)
        np.testing.assert_array_equal(kept.y, y)
        if len(networks) == 1:
            np.testing.assert_array_equal(kept.member, np.arange(300) % PARTS)
        else:
            assert kept.member is None, "means of several have no member"


def test_a_stated_prior_multiplies_the_odds_of_what_ships_and_of_what_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    y, logits = drawn(300, 0, knows=1.0)
    plain, stated = (
        completed(monkeypatch, y, [logits], np.arange(300) % PARTS, decision="argmax", prior=prior)
        for prior in (None, {"c": 0.4})
    )
    prior = stated_prior({"c": 0.4}, ("a", "b", "c"), plain.model.prior)
    expected = plain.outputs * prior / plain.model.prior
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(stated.outputs, expected)
    np.testing.assert_allclose(stated.model.prior, prior)
    np.testing.assert_array_equal(stated.labels, expected.argmax(axis=1))


def test_values_of_a_regression_are_weighted_means_at_the_rows_that_all_recipes_hold_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    values, y, group = rng.normal(size=(2, 40)), rng.normal(size=40), np.arange(40) // 2
    data = replace(rows(np.zeros(40, dtype=int), group=group), task="regression", y=y, classes=())
    parts = [HeldOut(np.arange(n), values[place, :n, None], *np.zeros((3, n), int)) for place, n in ((0, 30), (1, 35))]
    held = iter(parts)
    monkeypatch.setattr(module, "predict", lambda *arguments: next(held))
    numbers = Recipe(kind="table", network="mlp", loss="mean_squared", metric="r2", calibration=[])
    trained: Any = [SimpleNamespace(prior_factor=None, own_outputs=None)]
    fits = [CrossFit(numbers, trained, [part.rows], weight) for part, weight in zip(parts, (1.0, 3.0), strict=True)]
    prepared: Any = SimpleNamespace(spec=SimpleNamespace(n_outputs=1), classes=())
    members = [Member(None, prepared)] * 2  # type: ignore[arg-type]
    found = complete(Model(numbers, members, None, np.zeros(0)), data, fits, np.zeros(40, dtype=int))
    np.testing.assert_allclose(found.outputs[:30, 0], values[0, :30] / 4 + 3 * values[1, :30] / 4)
    assert np.isnan(found.outputs[30:]).all()
    np.testing.assert_array_equal(found.labels, found.outputs[:, 0])
    kept = found.model.held_out
    assert kept is not None
    np.testing.assert_array_equal(kept.outputs, found.outputs[:30])
    np.testing.assert_array_equal(kept.y, y[:30])
    np.testing.assert_array_equal(kept.group, group[:30])
    assert (found.uncalibrated, kept.member) == (None, None)
