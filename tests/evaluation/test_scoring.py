"""Scores: figures equal to those of other packages, honest intervals, notes on rare classes, and plain JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as referee

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Scores
from rarebird.evaluation.scoring import score, score_regression
from rarebird.metrics.names import METRICS


def rows(n: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skewed classes, informative probabilities with ties, and their most probable class."""
    rng = np.random.default_rng(seed)
    y = np.minimum(rng.geometric(0.5, size=n) - 1, n_classes - 1)
    logits = rng.normal(size=(n, n_classes))
    logits[np.arange(n), y] += 1.5
    raw = np.round(np.exp(logits), 2) + 0.01
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return y, probabilities, probabilities.argmax(axis=1)


def labels(n_classes: int) -> list[str]:
    return [f"class {code}" for code in range(n_classes)]


def values(scores: Scores) -> dict[str, float | None]:
    return {name: estimate.value for name, estimate in scores.metrics.items()}


@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_as_scikit_learn_sees_them(weighted: bool) -> None:
    y, probabilities, predicted = rows(300, 2)
    weight = np.random.default_rng(1).uniform(0.5, 2, size=300) if weighted else None
    found = values(score(y, probabilities, predicted, labels(2), weight=weight, positive=1))
    extra: dict[str, Any] = {"sample_weight": weight}
    expected = {
        "balanced_accuracy": referee.balanced_accuracy_score(y, predicted, **extra),
        "accuracy": referee.accuracy_score(y, predicted, **extra),
        "macro_f1": referee.f1_score(y, predicted, average="macro", **extra),
        "macro_precision": referee.precision_score(y, predicted, average="macro", **extra),
        "f1": referee.f1_score(y, predicted, **extra),
        "precision": referee.precision_score(y, predicted, **extra),
        "recall": referee.recall_score(y, predicted, **extra),
        "sensitivity": referee.recall_score(y, predicted, **extra),
        "specificity": referee.recall_score(y, predicted, pos_label=0, **extra),
        "matthews_corrcoef": referee.matthews_corrcoef(y, predicted, **extra),
        "roc_auc": referee.roc_auc_score(y, probabilities[:, 1], **extra),
        "average_precision": referee.average_precision_score(y, probabilities[:, 1], **extra),
        "log_loss": referee.log_loss(y, probabilities, **extra),
        "brier_score": referee.brier_score_loss(y, probabilities[:, 1], **extra),
    }
    expected["geometric_mean"] = np.sqrt(expected["sensitivity"] * expected["specificity"])
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert set(found) == {name for name, known in METRICS.items() if known.needs != "values"}


def test_many_classes_as_scikit_learn_sees_them() -> None:
    y, probabilities, predicted = rows(400, 5)
    found = values(score(y, probabilities, predicted, labels(5)))
    assert found["sensitivity"] == found["recall"] == found["balanced_accuracy"]
    assert found["f1"] == found["macro_f1"] == pytest.approx(referee.f1_score(y, predicted, average="macro"))
    assert found["roc_auc"] == pytest.approx(referee.roc_auc_score(y, probabilities, multi_class="ovr"))
    assert found["average_precision"] == pytest.approx(
        referee.average_precision_score(np.eye(5)[y], probabilities, average="macro")
    )
    assert found["brier_score"] == pytest.approx(referee.brier_score_loss(y, probabilities, labels=list(range(5))))


def estimates(scores: Scores) -> list[Estimate]:
    return [
        *scores.metrics.values(),
        *(figure for row in scores.per_class for figure in (row.recall, row.precision, row.f1)),
    ]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_interval_has_width_and_seeds_repeat(n_classes: int, grouped: bool, weighted: bool) -> None:
    y, probabilities, predicted = rows(150, n_classes)
    rng = np.random.default_rng(2)
    given = {
        "group": rng.integers(30, size=150) if grouped else None,
        "weight": rng.uniform(0.5, 2, size=150) if weighted else None,
    }
    scores = score(y, probabilities, predicted, labels(n_classes), **given)
    for figure in estimates(scores):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.high - figure.low > 0.01
    assert score(y, probabilities, predicted, labels(n_classes), **given) == scores
    other = score(y, probabilities, predicted, labels(n_classes), seed=1, **given).metrics
    assert other["log_loss"] != scores.metrics["log_loss"]
    assert other["recall"] == scores.metrics["recall"], "Wilson's interval draws nothing"


def ends(figure: Estimate) -> tuple[float, float]:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


def wilson(share: float, n: float) -> tuple[float, float]:
    """From the published formula, with 1.96 squared."""
    z2 = 3.8414588
    center, half = share + z2 / (2 * n), np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2)))
    return (center - half) / (1 + z2 / n), (center + half) / (1 + z2 / n)


def test_weighted_shares_have_wilsons_interval_at_kishs_n() -> None:
    y, probabilities, predicted = rows(120, 3)
    weight = np.random.default_rng(3).uniform(0.2, 3, size=120)
    scores = score(y, probabilities, predicted, labels(3), weight=weight)
    for code, row in enumerate(scores.per_class):
        own = weight[y == code]
        recall = float(own[predicted[y == code] == code].sum() / own.sum())
        assert ends(row.recall) == pytest.approx(wilson(recall, own.sum() ** 2 / (own**2).sum()))
    accuracy = float(weight[y == predicted].sum() / weight.sum())
    assert ends(scores.metrics["accuracy"]) == pytest.approx(wilson(accuracy, weight.sum() ** 2 / (weight**2).sum()))


def test_grouped_shares_have_wilsons_interval_at_the_effective_number_of_groups() -> None:
    y, predicted = np.repeat([0, 1], [120, 60]), np.repeat([0, 1], [120, 60])
    # Of 12 groups of 5 rows of the class, 3 are missed as a whole; the other class is found.
    predicted[120:135] = 0
    group = np.arange(180) // 5
    probabilities = np.eye(2)[predicted] * 0.8 + 0.1
    scores = score(y, probabilities, predicted, labels(2), group=group, positive=1)
    assert ends(scores.metrics["recall"]) == pytest.approx(wilson(0.75, 12))
    assert scores.metrics["sensitivity"] == scores.metrics["recall"] == scores.per_class[1].recall
    assert ends(scores.metrics["specificity"]) == pytest.approx(wilson(1.0, 24))
    below = np.hypot(0.75 - wilson(0.75, 12)[0], 1 - wilson(1.0, 24)[0]) / 2
    above = (wilson(0.75, 12)[1] - 0.75) / 2
    assert ends(scores.metrics["balanced_accuracy"]) == pytest.approx((0.875 - below, 0.875 + above))


def test_f1_and_precision_by_hand() -> None:
    """Of 20 rows of the class 15 are found, of 100 others 10 are taken for it; both shares move F1."""
    y = np.repeat([0, 1], [100, 20])
    predicted = np.r_[np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [5, 15])]
    scores = score(y, np.eye(2)[predicted] * 0.8 + 0.1, predicted, labels(2), positive=1)
    (l1, u1), (l2, u2) = wilson(0.75, 20), wilson(0.1, 100)

    def f1(recall: float, false: float) -> float:
        return 2 * 20 * recall / (20 + 20 * recall + 100 * false)

    def precision(recall: float, false: float) -> float:
        return 20 * recall / (20 * recall + 100 * false)

    for name, figure in (("f1", f1), ("precision", precision)):
        value = figure(0.75, 0.1)
        below = np.hypot(value - figure(l1, 0.1), value - figure(0.75, u2))
        above = np.hypot(figure(u1, 0.1) - value, figure(0.75, l2) - value)
        assert scores.metrics[name].value == pytest.approx(value)
        assert ends(scores.metrics[name]) == pytest.approx((value - below, value + above))
    assert scores.metrics["f1"] == scores.per_class[1].f1


@pytest.mark.parametrize("size", [0, 1, 5])
def test_perfect_scores_have_intervals_with_width(size: int) -> None:
    """Five of five found is not all that could be found, whatever the figure and however rows are grouped."""
    y = np.repeat([0, 1], [40, 5])
    group = None if not size else np.r_[np.arange(40) // size, 100 + np.arange(5) // size]
    scores = score(y, np.eye(2)[y], y, ["no", "yes"], group=group, positive=1)
    for name, figure in scores.metrics.items():
        low, high = ends(figure)
        if name in ("log_loss", "brier_score", "expected_calibration_error"):
            assert figure.value == pytest.approx(0, abs=1e-12)
            assert high > 0.04, name
        else:
            assert figure.value == high == pytest.approx(1), name
            # At five groups, or rows, three mistakes in a hundred are possible; with one group nearly everything is.
            assert low < 0.97, name
    for name in ("recall", "f1", "balanced_accuracy", "macro_f1", "precision", "geometric_mean", "average_precision"):
        assert ends(scores.metrics[name])[0] < (0.85 if size < 5 else 0.65), name


def test_specificity_of_many_classes_moves_with_where_mistakes_go() -> None:
    """No other row is taken for class 2, and 6 of 30 for each other class: three shares, of which the first two err
    apart."""
    y = np.repeat([0, 1, 2], [15, 15, 15])
    predicted = np.r_[np.repeat([0, 1], [9, 6]), np.repeat([1, 0], [9, 6]), np.repeat(2, 15)]
    figure = score(y, np.eye(3)[predicted] * 0.7 + 0.1, predicted, labels(3)).metrics["specificity"]
    assert figure.value == pytest.approx((0.8 + 0.8 + 1) / 3)
    shares = [(0.8, wilson(0.8, 30)), (0.8, wilson(0.8, 30)), (1.0, wilson(1.0, 30))]
    below = np.array([share - low for share, (low, _) in shares])
    errors = np.array([np.where(y != code, (predicted != code) - share, 0) for code, (share, _) in enumerate(shares)])
    dependent = float(errors[0] @ errors[1] / (errors[0] @ errors[0]))
    together = np.array([[1, dependent, 0], [dependent, 1, 0], [0, 0, 1]])
    # A share without errors counts as one that may depend on nothing known: wholly on the others.
    together[2, :2] = together[:2, 2] = 1
    above = np.array([high - share for share, (_, high) in shares])
    spread = [np.sqrt(side @ together @ side) / 3 for side in (below, above)]
    assert ends(figure) == pytest.approx((figure.value - spread[0], figure.value + spread[1]))


def test_specificity_of_two_classes_that_a_third_one_without_rows_joins() -> None:
    """Of 20 rows of each class 4 and 8 are taken for the other one: two shares of other rows."""
    y, predicted = np.repeat([0, 1], 20), np.r_[np.repeat([0, 1], [16, 4]), np.repeat([1, 0], [12, 8])]
    figure = score(y, np.eye(3)[predicted] * 0.7 + 0.1, predicted, labels(3)).metrics["specificity"]
    (l1, u1), (l2, u2) = wilson(0.8, 20), wilson(0.6, 20)
    assert figure.value == pytest.approx(0.7)
    spread = np.hypot(0.8 - l1, 0.6 - l2) / 2, np.hypot(u1 - 0.8, u2 - 0.6) / 2
    assert ends(figure) == pytest.approx((0.7 - spread[0], 0.7 + spread[1]))


def test_two_classes_that_are_never_found_may_still_be() -> None:
    y = np.repeat([0, 1, 2], [30, 6, 6])
    scores = score(y, np.full((42, 3), 1 / 3), np.zeros(42, dtype=int), labels(3))
    figure = scores.metrics["geometric_mean"]
    assert figure.value == 0
    assert ends(figure)[1] > 0.1


def test_losses_have_the_bootstraps_interval_weighted_and_of_whole_groups() -> None:
    """Rows with large errors weigh six times as much, so that unweighted draws have other ends."""
    y, probabilities, predicted = rows(200, 2, seed=4)
    rng = np.random.default_rng(0)
    y, group = np.repeat(y[::5], 5), np.repeat(np.arange(40), 5)
    stated = probabilities[np.arange(200), y]
    losses = {"brier_score": (1 - stated) ** 2, "log_loss": -np.log(stated)}
    weight = np.where(stated < np.median(stated), 3.0, 0.5)
    found = score(y, probabilities, predicted, labels(2), weight=weight, group=group).metrics
    draws: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(4000):
        drawn = np.concatenate([rng.choice(np.unique(group[y == code]), (y == code).sum() // 5) for code in (0, 1)])
        times = weight * np.bincount(drawn, minlength=40)[group]
        for name, loss in losses.items():
            draws[name].append(loss @ times / times.sum())
    for name, values_drawn in draws.items():
        low, high = np.quantile(values_drawn, [0.025, 0.975])
        assert ends(found[name]) == pytest.approx((low, high), abs=0.08 * (high - low)), name


def test_renaming_the_classes_changes_no_figure() -> None:
    y, probabilities, _ = rows(200, 4)
    # No two classes tie at the top, where the calibration error takes the first.
    probabilities = 0.99 * probabilities + 0.01 * np.random.default_rng(5).dirichlet(np.ones(4), size=200)
    predicted = probabilities.argmax(axis=1)
    order = np.array([2, 0, 3, 1])
    plain = score(y, probabilities, predicted, labels(4))
    renamed = score(
        order[y], probabilities[:, np.argsort(order)], order[predicted], [labels(4)[code] for code in np.argsort(order)]
    )
    assert values(renamed) == pytest.approx(values(plain))
    assert {row.label: row.recall for row in renamed.per_class} == {row.label: row.recall for row in plain.per_class}


def test_weight_two_is_the_row_twice() -> None:
    y, probabilities, predicted = rows(80, 3)
    times = np.random.default_rng(0).integers(1, 3, size=80)
    repeated = np.repeat(np.arange(80), times)
    weighted = score(y, probabilities, predicted, labels(3), weight=times.astype(float))
    twice = score(y[repeated], probabilities[repeated], predicted[repeated], labels(3))
    assert values(weighted) == pytest.approx(values(twice))
    assert [row.f1.value for row in weighted.per_class] == pytest.approx([row.f1.value for row in twice.per_class])
    # The same weight everywhere is no weight at all.
    same = score(y, probabilities, predicted, labels(3), weight=np.full(80, 3.0))
    plain = score(y, probabilities, predicted, labels(3))
    assert same.metrics["balanced_accuracy"].low == pytest.approx(plain.metrics["balanced_accuracy"].low)
    assert same.metrics["macro_f1"].high == pytest.approx(plain.metrics["macro_f1"].high)


def test_groups_widen_the_intervals_of_rows_that_repeat() -> None:
    y, probabilities, predicted = rows(60, 2)
    ten = np.repeat(np.arange(60), 10)
    grouped = score(y[ten], probabilities[ten], predicted[ten], labels(2), group=ten)
    blind = score(y[ten], probabilities[ten], predicted[ten], labels(2))

    def width(scores: Scores, name: str) -> float:
        figure = scores.metrics[name]
        assert figure.low is not None
        assert figure.high is not None
        return figure.high - figure.low

    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"):
        assert width(grouped, name) == pytest.approx(np.sqrt(10) * width(blind, name), rel=0.35), name


def test_rare_classes_are_kept_and_noted() -> None:
    y = np.array([0] * 20 + [1] * 6 + [2] * 3 + [3])
    predicted = np.where(np.arange(30) % 5 == 4, 0, y)
    probabilities = 0.9 * np.eye(5)[predicted] + 0.02
    table = {row.label: row for row in score(y, probabilities, predicted, labels(5)).per_class}
    assert [row.note for row in table.values()] == [
        "",
        "",
        "too few rows to judge",
        "too few rows to judge",
        "no test rows",
    ]
    assert [row.support for row in table.values()] == [20, 6, 3, 1, 0]
    assert table["class 2"].recall.value is not None
    for label in ("class 3", "class 4"):
        assert table[label].recall == table[label].precision == table[label].f1 == Estimate(value=None)
    # The class of one row has no figure of its own, but is part of scikit-learn's averages.
    macro = score(y, probabilities, predicted, labels(5)).metrics["balanced_accuracy"]
    assert macro.value == pytest.approx(referee.balanced_accuracy_score(y, predicted))


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    y = np.repeat([0, 1], [12, 8])
    probabilities = np.tile([0.6, 0.4], (20, 1))
    scores = score(y, probabilities, np.zeros(20, dtype=int), ["no", "yes"], positive=1)
    row = scores.per_class[1]
    assert row.note == "never predicted"
    assert row.precision == Estimate(value=None)
    assert row.recall.value == row.f1.value == 0.0
    assert row.recall.high == pytest.approx(3.8415 / (8 + 3.8415), abs=1e-4), (
        "Wilson: nothing found in eight rows is not nothing at all"
    )
    assert scores.metrics["precision"] == Estimate(value=None)
    assert scores.metrics["matthews_corrcoef"].value == 0.0
    assert scores.metrics["roc_auc"].value == 0.5


def test_a_perfect_rare_class_keeps_a_wide_interval() -> None:
    y = np.repeat([0, 1], [200, 4])
    low = score(y, np.eye(2)[y], y, ["no", "yes"]).metrics["balanced_accuracy"].low
    assert low is not None
    assert low < 0.8


def test_one_class_alone_and_one_row_alone() -> None:
    y = np.zeros(5, dtype=int)
    scores = score(y, np.tile([0.7, 0.3], (5, 1)), y, ["no", "yes"], positive=1)
    assert {name for name, value in values(scores).items() if value is None} == {
        "precision",
        "recall",
        "sensitivity",
        "f1",
        "roc_auc",
        "average_precision",
    }
    assert scores.curves["precision_recall"] == {"yes": {"recall": [], "precision": []}}
    alone = score(np.array([2]), np.array([[0.1, 0.2, 0.7]]), np.array([2]), labels(3))
    assert alone.metrics["accuracy"].value == 1.0
    assert alone.metrics["roc_auc"].value is None


def test_positive_defaults_to_the_rarer_class() -> None:
    y, probabilities, predicted = rows(100, 2)
    assert score(y, probabilities, predicted, labels(2)) == score(
        y, probabilities, predicted, labels(2), positive=int(np.bincount(y).argmin())
    )


def test_curves_and_confusion_are_plain_json() -> None:
    y, probabilities, predicted = rows(600, 12)
    scores = score(
        y.astype(np.int32), probabilities.astype(np.float32), predicted, labels(12), group=np.arange(600) // 2
    )
    plain = scores.model_dump(mode="json")
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert scores.confusion == referee.confusion_matrix(y, predicted, labels=range(12)).tolist()
    assert len(scores.curves["precision_recall"]) == min(10, len(np.unique(y)))
    assert all(len(curve["recall"]) <= 200 for curve in scores.curves["precision_recall"].values())
    assert sum(part["count"] for part in scores.curves["reliability"]) == 600


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.array([0, 1, 5])}, "y holds codes"),
        ({"predicted": np.array([0, 1])}, "one prediction per row"),
        ({"probabilities": np.ones((3, 3))}, "probabilities are"),
        ({"probabilities": np.full((3, 2), np.nan)}, "finite"),
        ({"weight": np.array([1.0, -1.0, 1.0])}, "weights >= 0"),
        ({"group": np.zeros(2)}, "one group per row"),
        ({"positive": 2}, "positive is a code"),
        ({"y": np.zeros(0, dtype=int)}, "at least one row"),
    ],
)
def test_broken_rules_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "y": np.array([0, 1, 1]),
        "probabilities": np.full((3, 2), 0.5),
        "predicted": np.array([0, 1, 0]),
        "classes": labels(2),
    }
    with pytest.raises(ValueError, match=message):
        score(**arguments | change)


def test_regression_as_scikit_learn_sees_it() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=800)
    predicted = y + 0.5 * rng.normal(size=800)
    scores = score_regression(y, predicted)
    assert values(scores) == pytest.approx(
        {
            "mean_squared_error": referee.mean_squared_error(y, predicted),
            "root_mean_squared_error": referee.root_mean_squared_error(y, predicted),
            "mean_absolute_error": referee.mean_absolute_error(y, predicted),
            "r2": referee.r2_score(y, predicted),
        }
    )
    truth = {
        "mean_squared_error": 0.25,
        "root_mean_squared_error": 0.5,
        "mean_absolute_error": 0.5 * np.sqrt(2 / np.pi),
        "r2": 0.75,
    }
    for name, expected in truth.items():
        figure = scores.metrics[name]
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < expected < figure.high, name
    shown = scores.curves["residuals"]
    assert len(shown["true"]) == len(shown["predicted"]) == 500
    assert set(zip(shown["true"], shown["predicted"], strict=True)) <= set(
        zip(y.tolist(), predicted.tolist(), strict=True)
    )
    assert scores.per_class == []


def test_regression_weights_groups_and_limits() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=40), rng.normal(size=40)
    times = rng.integers(1, 3, size=40)
    repeated = np.repeat(np.arange(40), times)
    weighted = score_regression(y, predicted, weight=times.astype(float), group=np.arange(40) // 4)
    assert values(weighted) == pytest.approx(values(score_regression(y[repeated], predicted[repeated])))
    assert score_regression(np.ones(3), np.ones(3)).metrics["r2"] == Estimate(value=None)
    with pytest.raises(ValueError, match="values are finite"):
        score_regression(y, np.full(40, np.nan))


@pytest.mark.parametrize("change", [{"weight": np.array([1.0, -1.0, 1.0])}, {"group": np.zeros(2)}])
def test_regression_refuses_weights_and_groups_of_other_rows(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must hold"):
        score_regression(np.arange(3.0), np.arange(3.0), **change)


def test_curves_show_every_residual_of_five_hundred_rows_and_five_hundred_distinct_ones_of_more() -> None:
    for n, shown in ((40, 40), (500, 500), (501, 500), (900, 500)):
        y = np.arange(float(n))
        curve, again, other = (score_regression(y, y + 0.5, seed=seed).curves["residuals"] for seed in (3, 3, 4))
        assert len(set(curve["true"])) == len(curve["true"]) == shown
        assert curve["true"] == sorted(curve["true"])
        assert curve["predicted"] == [value + 0.5 for value in curve["true"]]
        assert curve == again
        assert (curve == other) == (n == shown)
    assert score_regression(y, 0.9 * y) == score_regression(y, 0.9 * y, seed=0)
