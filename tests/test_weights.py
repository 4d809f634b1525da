"""Weight k is the row k times: rows with whole weights against the same rows repeated, over every loss, batch sampling,
resampling, calibration and decision. Equal to 1e-6 where nothing is drawn, within the error of a simulation else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.data import prepare
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels
from rarebird.experiment.setup import positive_class
from rarebird.methods.resampling._mixed_rows import mixed_rows
from rarebird.metrics import names
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.decisions import DecisionRows
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.sampling_state import SamplingState
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.stage import class_weights
from rarebird.training.trainer import TrainingPlan
from rarebird.training.training_rows import resample

N = 120
CLASSES = ("0", "1", "猫")
RECIPE = {"kind": "table", "network": "linear", "steps": 5, "batch_size": 32, "threads": 1}
# Resamplings that fill or cut to a number of rows. To the others, the copies of a row are its nearest neighbors.
COUNTING = ["random_over", "random_under", "smote", "adasyn"]


def source(kind: str, rng: np.random.Generator) -> Any:
    if kind == "image":
        return Pixels(rng.integers(0, 256, (N, 3, 8, 8), dtype=np.uint8))
    if kind == "series":
        lengths = rng.integers(3, 13, N)
        values = rng.normal(3, 2, (N, 2, 12)).astype(np.float32)
        values[np.broadcast_to(np.arange(12) >= lengths[:, None, None], values.shape)] = np.nan
        return Curves(values, lengths)
    frame = {
        "number": rng.lognormal(size=N),
        "gaps": np.where(rng.random(N) < 0.3, np.nan, rng.normal(size=N)),
        "whole": rng.integers(0, 6, N),
        "word": rng.choice(["a", "b", "c", "d"], N, p=[0.4, 0.3, 0.2, 0.1]),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), unit="h"),
    }
    return Frame(pd.DataFrame(frame))


def data(kind: str = "table", classes: int = 3, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Rows with whole weights, heavy ones in the class of most rows, and the same rows repeated; no classes:
    regression."""
    rng = np.random.default_rng(seed)
    y = np.sort(
        rng.choice(
            max(classes, 1),
            N,
            p=[0.7, 0.2, 0.1][: max(classes - 1, 0)] + [1 - 0.7 * (classes > 1) - 0.2 * (classes > 2)],
        )
    )
    times = rng.integers(1, 4, N) + 4 * (y == 0)
    target = y if classes else rng.gamma(1, 2, N)
    task: Any = "classification" if classes else "regression"
    rows = Dataset(kind, task, source(kind, rng), np.arange(N), target, CLASSES[:classes], np.arange(N).astype(str))  # type: ignore[arg-type]
    return replace(rows, weight=times.astype(float)), rows.take(np.repeat(np.arange(N), times))


def trainer(rows: Dataset, **changes: Any) -> NetworkTrainer:
    task = {"loss": "mean_squared"} if rows.task == "regression" else {}
    return NetworkTrainer(Recipe(**(RECIPE | task | changes)), rows, rows.take(np.arange(0)), 0, "cpu")


def flat(value: Any) -> list[Any]:
    """The leaves of a value of JSON, in order."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in [key, *flat(value[key])]]
    return [leaf for part in value for leaf in flat(part)] if isinstance(value, list | tuple) else [value]


def same(first: Any, second: Any) -> None:
    leaves, others = flat(first), flat(second)
    assert [leaf for leaf in leaves if not isinstance(leaf, float)] == [
        leaf for leaf in others if not isinstance(leaf, float)
    ]
    numbers = [[leaf for leaf in each if isinstance(leaf, float)] for each in (leaves, others)]
    np.testing.assert_allclose(*numbers, rtol=1e-6, atol=1e-6)


def all_of(slot: str) -> list[Any]:
    return [
        pytest.param(value, id=f"{name}-{place}")
        for name in methods.names(slot)
        for place, value in enumerate(methods.load(slot, name).examples())
    ]


def methods_named(slot: str, listed: list[str]) -> list[Any]:
    return [case for case in all_of(slot) if type(case.values[0]).name in listed]


@pytest.mark.parametrize(("kind", "classes"), [("table", 3), ("table", 0), ("image", 2), ("series", 2)])
def test_preparation_is_equal(kind: str, classes: int) -> None:
    weighted, repeated = data(kind, classes)
    same(*(prepare.fit(rows)[0].model_dump(mode="python") for rows in (weighted, repeated)))
    unweighted = prepare.fit(replace(weighted, weight=None))[0]
    assert unweighted != prepare.fit(weighted)[0], "the weights of this test change nothing"


def mean_loss(loss: Any, rows: Dataset, weight: np.ndarray, targets: TargetStatistics) -> float:
    """The loss of fixed logits for the rows, as the training weighs it."""
    place = torch.from_numpy(rows.index)
    outputs = 1 if rows.task == "regression" else rows.n_classes
    logits = 2 * torch.randn(N, outputs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)[place]
    y = prepare.fit(rows)[0].targets(rows).double()
    w, module = torch.from_numpy(weight), loss.build(targets)
    each = module(logits, y) if loss.per_row else module(logits, y, w)
    return float((each * w).sum() / w.sum())


@pytest.mark.parametrize("loss", all_of("loss"))
def test_losses_and_their_prior_factors_are_equal(loss: Any) -> None:
    classes = 0 if "regression" in loss.tasks else 2 if not loss.per_row else 3
    weighted, repeated = data(classes=classes)
    first, second = (trainer(rows).targets for rows in (weighted, repeated))
    same(mean_loss(loss, weighted, weighted.weights, first), mean_loss(loss, repeated, repeated.weights, second))
    factors = [loss.prior_factor(targets) for targets in (first, second)]
    if factors[0] is None:
        assert factors[1] is None
    else:
        np.testing.assert_allclose(*factors, rtol=1e-6)


@pytest.mark.parametrize("scheme", ["balanced", "inverse_square_root", "effective_number"])
def test_class_weights_of_a_stage_are_equal(scheme: str) -> None:
    np.testing.assert_allclose(*(class_weights(scheme, trainer(rows).targets) for rows in data()), rtol=1e-6)


def drawn_mass(sampler: Any, rows: Dataset) -> np.ndarray:
    """The share of each natural row in the loss of many epochs."""
    trained = trainer(rows)
    state = SamplingState(progress=1, rows=trained.rows.counts)
    draw = np.random.default_rng(0)
    drawn = np.concatenate([np.concatenate(list(sampler(rows.codes, 32, draw, state))) for _ in range(150)])
    weight = np.ones(len(rows)) if getattr(sampler, "draws_by_weight", False) else trained.rows.weight.numpy()
    mass = np.bincount(rows.index[drawn], weight[drawn], N)
    share: np.ndarray = mass / mass.sum()
    return share


@pytest.mark.parametrize("sampler", all_of("batch_sampling"))
def test_batches_weigh_each_row_alike_and_prior_factors_are_equal(sampler: Any) -> None:
    weighted, repeated = data()
    shares = [drawn_mass(sampler, rows) for rows in (weighted, repeated)]
    np.testing.assert_allclose(*shares, atol=0.003)
    np.testing.assert_allclose(*(np.bincount(weighted.codes, share) for share in shares), atol=0.012)
    factors = [sampler.prior_factor(trainer(rows).targets.class_counts) for rows in (weighted, repeated)]
    if factors[0] is not None:
        np.testing.assert_allclose(*factors, rtol=1e-6)


@pytest.mark.parametrize("method", methods_named("resampling", COUNTING))
def test_resampling_changes_the_prior_alike(method: Any) -> None:
    weighted, repeated = data()
    factors = []
    for rows in (weighted, repeated):
        drawn = [resample(Recipe(**RECIPE, resampling=method.settings(), seed=seed), rows, 0)[1] for seed in range(8)]
        mean = np.mean(drawn, axis=0)
        factors.append(mean / mean.sum())
    np.testing.assert_allclose(*factors, rtol=0.1)
    assert np.ptp(factors[1]) > 0.01


def test_distances_between_rows_have_equal_scales() -> None:
    weighted, repeated = (mixed_rows(rows, standardize=True) for rows in data())
    same([weighted.centers, weighted.scales], [repeated.centers, repeated.scales])
    every, common = np.arange(N), weighted.data.codes == 0
    penalty = weighted.points(every, np.flatnonzero(common)).penalty
    assert repeated.points(every, np.flatnonzero(repeated.data.codes == 0)).penalty == pytest.approx(penalty)


def held_out(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overconfident logits of rows, the rows' classes, and whole weights."""
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(classes), [60, 25, 5][:classes])
    return 3 * (rng.normal(size=(len(y), classes)) + np.eye(classes)[y]), y, rng.integers(1, 9, len(y)).astype(float)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("calibration", all_of("calibration"))
def test_calibrations_are_equal(calibration: Any, classes: int) -> None:
    logits, y, weight = held_out(classes)
    copies = np.repeat(np.arange(len(y)), weight.astype(int))
    factor = np.linspace(0.5, 2, classes)
    weighted = calibration.fit(logits, y, weight, factor)(logits)
    np.testing.assert_allclose(
        weighted, calibration.fit(logits[copies], y[copies], np.ones(len(copies)), factor)(logits), rtol=2e-5, atol=1e-6
    )


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("decision", all_of("decision"))
def test_decisions_are_equal(decision: Any, metric: str) -> None:
    logits, y, weight = held_out(3)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    copies = np.repeat(np.arange(len(y)), weight.astype(int))
    measured, prior = names.decision_metric(metric, None, CLASSES), np.bincount(y[copies]) / len(copies)
    weighted = decision.fit(DecisionRows(p, y, weight, measured, prior))
    repeated = decision.fit(DecisionRows(p[copies], y[copies], np.ones(len(copies)), measured, prior))
    same(weighted.model_dump(), repeated.model_dump())


def test_default_recipes_and_the_positive_class_are_equal() -> None:
    """40 rows of weight 9 and 80 of weight 1: the first class is common. 60 of weight 9 and 60 of weight 1: skewed."""
    _, base = data(classes=2)
    for heavy in (40, 60):
        rows = replace(base.take(np.arange(N)), y=np.repeat([0, 1], [heavy, N - heavy]))
        times = np.where(rows.y == 0, 9, 1)
        weighted, repeated = replace(rows, weight=times.astype(float)), rows.take(np.repeat(np.arange(N), times))
        assert positive_class(weighted, None) == positive_class(repeated, None) == "1"
        recipes = [default_recipe(part) for part in (weighted, repeated)]
        assert recipes[0].calibration == recipes[1].calibration
        assert recipes[0].loss == recipes[1].loss
        assert len(recipes[0].calibration) == 3


def test_weights_that_compare_rows_may_have_any_scale() -> None:
    weighted, _ = data()
    fits = [trainer(replace(weighted, weight=scale * weighted.weights)) for scale in (0.37, 1e-6, 1234.56)]
    for other in fits[1:]:
        np.testing.assert_allclose(other.targets.class_counts, fits[0].targets.class_counts, rtol=1e-9)
        same(other.prepared.model_dump(), fits[0].prepared.model_dump())
    kish = weighted.weights.sum() ** 2 / np.square(weighted.weights).sum()
    assert fits[0].targets.class_counts is not None
    assert fits[0].targets.class_counts.sum() == pytest.approx(kish)


WEIGHTED_STAGE = [{"share": 0.2}, {"share": 0.8, "class_weight": "balanced"}]
BENT = {
    "mixup": {"augmentation": [{"name": "mixup", "alpha": 1}]},
    "mixup, class weights": {"augmentation": [{"name": "mixup", "alpha": 1}], "stages": WEIGHTED_STAGE},
    "cutmix": {"augmentation": [{"name": "cutmix", "alpha": 1, "p": 1}]},
    "cutmix, class weights": {"augmentation": [{"name": "cutmix", "alpha": 1, "p": 1}], "stages": WEIGHTED_STAGE},
    "weighted": {"loss": "weighted"},
    "class_balanced": {"loss": "class_balanced"},
    "logit_adjusted": {"loss": "logit_adjusted"},
    "balanced batches": {"batch_sampling": "class_balanced"},
    "root batches, mixup": {"batch_sampling": "square_root", "augmentation": [{"name": "mixup", "alpha": 1}]},
    "parts of the majority": {"batch_sampling": {"name": "majority_parts", "ratio": 2}},
    "balanced batches, class weights": {"batch_sampling": "class_balanced", "stages": WEIGHTED_STAGE},
}


def corrected_odds(rows: Dataset, changes: dict[str, Any]) -> float:
    """The odds of the second class of a network on features that say nothing, corrected by its prior factor, as a
    multiple of the natural odds."""
    given = {"kind": "series", "network": "linear", "steps": 1500, "batch_size": 100, "threads": 1}
    tuned = {"optimizer": {"name": "adamw", "learning_rate": 0.03, "weight_decay": 0}, "schedule": "cosine"}
    fitted = NetworkTrainer(Recipe(**(given | tuned | changes)), rows, rows.take(np.arange(0)), 0, "cpu")
    trained = fitted.run(TrainingPlan(fitted.plan(None, 1)), lambda progress: False)
    assert trained.prior_factor is not None
    with torch.inference_mode():
        logits = trained.network(trained.prepared.inputs(rows)).double().numpy() - np.log(trained.prior_factor)
    natural = np.log(rows.prior)
    return float(np.exp(np.average(logits[:, 1] - logits[:, 0], weights=rows.weights) - natural[1] + natural[0]))


@pytest.mark.parametrize("changes", BENT.values(), ids=list(BENT))
def test_a_network_that_knows_nothing_has_the_natural_odds(changes: dict[str, Any]) -> None:
    """2000 rows, a tenth of them of the second class, with weights of 9 there and of 1 to 3 elsewhere."""
    rng = np.random.default_rng(0)
    y = (np.arange(2000) < 200).astype(np.int64)
    values = np.broadcast_to(0.05 * rng.normal(size=(2000, 1, 1)), (2000, 1, 4)).astype(np.float32)
    curves, weight = Curves(values, np.full(2000, 4)), np.where(y == 1, 9.0, rng.integers(1, 4, 2000))
    rows = Dataset(
        "series", "classification", curves, np.arange(2000), y, ("a", "b"), np.arange(2000).astype(str), weight
    )
    assert corrected_odds(rows, changes) == pytest.approx(1, abs=0.02)
