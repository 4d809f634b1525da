"""Intervals of figures by hand: what each share, area and loss adds, weighted and in groups."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.intervals import ADDED_ROWS, bootstrap_estimate
from rarebird.evaluation.result import Scores
from rarebird.evaluation.scoring import score
from rarebird.metrics import ranking, uncertainty

LABELS = ["a", "b", "c"]


def kish(weight: np.ndarray) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum())


def wilson(share: float, n: float) -> tuple[float, float]:
    low, high = uncertainty.wilson(share, n)
    return float(low), float(high)


def ends(figure: Estimate) -> tuple[float, float]:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


def two_classes(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True codes, probabilities without ties, and weights that are not one."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    p = 1 / (1 + np.exp(-(1.5 * y - 1 + rng.normal(size=n))))
    return y, np.stack([1 - p, p], axis=1), rng.uniform(0.2, 3, size=n)


def scored(weight: np.ndarray | None = None, group: np.ndarray | None = None) -> Scores:
    y, p, _ = two_classes()
    return score(y, p, (p[:, 1] > 0.4).astype(int), LABELS[:2], weight=weight, group=group, positive=1)


def test_an_undefined_figure_or_draw_has_no_interval() -> None:
    assert bootstrap_estimate(np.nan, np.arange(9.0)) == Estimate(value=None)
    assert bootstrap_estimate(0.5, np.full(9, np.nan)) == Estimate(value=0.5)
    found = bootstrap_estimate(50.0, np.arange(101.0))
    assert (found.value, found.low, found.high) == (50.0, 2.5, 97.5)


@pytest.mark.parametrize("weighted", [False, True])
def test_areas_have_their_intervals_on_kishs_numbers_of_each_side(weighted: bool) -> None:
    y, p, weight = two_classes()
    weight = weight if weighted else np.ones(90)
    found = scored(weight if weighted else None).metrics
    positive, n, others = y == 1, kish(weight[y == 1]), kish(weight[y == 0])
    area = float(ranking.roc_auc(positive, p[:, 1], weight))
    assert ends(found["roc_auc"]) == pytest.approx(uncertainty.auc_interval(area, n, others))
    precision = float(ranking.average_precision(positive, p[:, 1], weight))
    errors = ranking.average_precision_errors(positive, p[:, 1], weight)
    variance = sum((errors[side] ** 2).sum() * size / (size - 1) for side, size in ((positive, n), (~positive, others)))
    most = precision * (1 - precision) / n
    smoothed = (n * variance + ADDED_ROWS * most) / (n + ADDED_ROWS)
    rows = max(precision * (1 - precision) / smoothed, n)
    assert rows > 1.05 * n
    assert ends(found["average_precision"]) == pytest.approx(wilson(precision, rows))


@pytest.mark.parametrize("times", [2, 5])
def test_copies_that_are_a_group_count_about_once_for_areas(times: int) -> None:
    """Each row `times` times, as one group: little is known beyond the rows, and Student's t makes it a little less."""
    y, p, _ = two_classes()
    copies = np.repeat(np.arange(90), times)
    grouped = score(y[copies], p[copies], y[copies], LABELS[:2], group=copies, positive=1).metrics
    blind = score(y[copies], p[copies], y[copies], LABELS[:2], positive=1).metrics
    once = scored().metrics
    for name in ("roc_auc", "average_precision"):
        low, high = ends(once[name])
        assert ends(grouped[name]) == pytest.approx((low, high), abs=0.15 * (high - low)), name
        assert ends(blind[name])[1] - ends(blind[name])[0] < (high - low) / np.sqrt(times) * 1.2, name


@pytest.mark.parametrize("arrangement", ["mixed", "errors add up", "errors cancel"])
def test_rows_that_groups_of_both_sides_count_for(arrangement: str) -> None:
    """Fifteen groups of 2 positives and 4 negatives: errors of both sides that add up in a group count as fewer rows,
    but as many as there are groups, and errors that cancel as more, but no more than there are."""
    y, p, _ = two_classes(seed=3)
    errors = ranking.auc_errors(y == 1, p[:, 1], np.ones(90))
    group, sizes = np.empty(90, dtype=int), []
    for code, size in ((1, 2), (0, 4)):
        at = np.flatnonzero(y == code)
        at = at[np.argsort(errors[at])] if arrangement != "mixed" else at
        group[at[:: -1 if arrangement == "errors cancel" and code else 1]] = np.arange(len(at)) // size
    sums = [np.bincount(group[y == code], errors[y == code]) for code in (1, 0)]
    both = float(((sums[0] + sums[1]) ** 2).sum() / sum((one**2).sum() for one in sums))
    for code, n in ((1, 30), (0, 60)):
        own = uncertainty.effective_rows(np.ones(n), errors[y == code] * n, group[y == code])
        sizes.append(float(np.clip(own / both, 15, n)))
    mixed, cancel = 15 < sizes[0] < 30 < sizes[1] < 60, sizes[0] == 30 < sizes[1]
    assert {"mixed": mixed, "errors add up": sizes == [15, 15], "errors cancel": cancel}[arrangement]
    area = float(ranking.roc_auc(y == 1, p[:, 1], np.ones(90)))
    found = score(y, p, y, LABELS[:2], group=group, positive=1).metrics["roc_auc"]
    assert ends(found) == pytest.approx(uncertainty.auc_interval(area, *sizes))


@pytest.mark.parametrize("how", ["plain", "weighted", "grouped"])
def test_a_loss_without_spread_may_still_be_that_of_a_wrong_row(how: str) -> None:
    """All rows are right with .9: Wilson's upper end of no mistake, times what a mistake costs beyond that."""
    weight = np.array([1.0, 2.0, 4.0, 1.0, 1.0, 3.0]) if how == "weighted" else None
    group = np.array([0, 0, 0, 1, 2, 2]) if how == "grouped" else None
    found = score(
        np.zeros(6, int), np.tile([0.9, 0.1], (6, 1)), np.zeros(6, int), LABELS[:2], weight=weight, group=group
    )
    n = {"plain": 6.0, "weighted": 12**2 / 32, "grouped": 36 / (9 + 1 + 4)}[how]
    for name, right, wrong in (("log_loss", -np.log(0.9), -np.log(0.1)), ("brier_score", 0.01, 0.81)):
        figure = found.metrics[name]
        assert figure.value == pytest.approx(right)
        assert ends(figure) == pytest.approx((right, right + wilson(0.0, n)[1] * (wrong - right)))


def test_recalls_of_nought_move_together_in_the_geometric_mean() -> None:
    y = np.repeat([0, 1, 2], [30, 6, 8])
    predicted = np.where(np.arange(44) < 24, 0, np.where(y == 0, 1, 0))
    figure = score(y, np.full((44, 3), 1 / 3), predicted, LABELS).metrics["geometric_mean"]
    most = 0.8 * wilson(0.0, 6)[1] * wilson(0.0, 8)[1]
    assert (figure.value, figure.low) == (0, 0)
    assert figure.high == pytest.approx(most ** (1 / 3))


def test_figures_of_a_class_by_hand_on_weighted_rows() -> None:
    """Both shares have Kish's numbers of their rows; supports are sums of weights."""
    y = np.repeat([0, 1], [100, 20])
    predicted = np.r_[np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [5, 15])]
    weight = np.random.default_rng(0).uniform(0.2, 3, size=120)
    found = score(y, np.eye(2)[predicted] * 0.8 + 0.1, predicted, LABELS[:2], weight=weight, positive=1)
    own, others = weight[y == 1], weight[y == 0]
    recall = float(own[predicted[y == 1] == 1].sum() / own.sum())
    false = float(others[predicted[y == 0] == 1].sum() / others.sum())
    (l1, u1), (l2, u2) = wilson(recall, kish(own)), wilson(false, kish(others))

    def f1(recall: float, false: float) -> float:
        return float(2 * own.sum() * recall / (own.sum() * (1 + recall) + others.sum() * false))

    def precision(recall: float, false: float) -> float:
        return float(own.sum() * recall / (own.sum() * recall + others.sum() * false))

    for name, figure in (("f1", f1), ("precision", precision)):
        value = figure(recall, false)
        below = np.hypot(value - figure(l1, false), value - figure(recall, u2))
        above = np.hypot(figure(u1, false) - value, figure(recall, l2) - value)
        assert found.metrics[name].value == pytest.approx(value)
        assert ends(found.metrics[name]) == pytest.approx((value - below, value + above)), name
        assert found.metrics[name] == getattr(found.per_class[1], name)
    assert ends(found.metrics["recall"]) == pytest.approx((l1, u1))


def test_a_class_that_all_rows_have_is_judged_by_its_own_share() -> None:
    found = score(
        np.zeros(9, int), np.tile([0.7, 0.3], (9, 1)), np.r_[np.zeros(6, int), 1, 1, 1], LABELS[:2], positive=0
    )
    recall = found.metrics["recall"]
    assert recall.value == pytest.approx(2 / 3)
    assert ends(recall) == pytest.approx(wilson(2 / 3, 9))
    low, high = wilson(2 / 3, 9)
    assert ends(found.metrics["f1"]) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert found.metrics["precision"].value == 1


def test_what_classes_decide_by_hand_for_three_of_them() -> None:
    """Balanced accuracy is the mean of three independent recalls; a class without rows has no part."""
    y, predicted = (
        np.repeat([0, 1, 2], [40, 20, 10]),
        np.r_[np.repeat([0, 1], [30, 10]), np.repeat([1, 0], [12, 8]), np.repeat([2, 0], [9, 1])],
    )
    for classes in (3, 4):
        found = score(y, np.full((70, classes), 1 / classes), predicted, [*LABELS, "d"][:classes])
        shares, sizes = (0.75, 0.6, 0.9), (40, 20, 10)
        limits = [wilson(share, n) for share, n in zip(shares, sizes, strict=True)]
        below = np.sqrt(sum((share - low) ** 2 for share, (low, _) in zip(shares, limits, strict=True))) / 3
        above = np.sqrt(sum((high - share) ** 2 for share, (_, high) in zip(shares, limits, strict=True))) / 3
        value = sum(shares) / 3
        assert ends(found.metrics["balanced_accuracy"]) == pytest.approx((value - below, value + above))
        root = float(np.prod(shares)) ** (1 / 3)
        changed = [
            [root * (end / share) ** (1 / 3) for end in limit] for share, limit in zip(shares, limits, strict=True)
        ]
        below = np.sqrt(sum((root - low) ** 2 for low, _ in changed))
        assert ends(found.metrics["geometric_mean"])[0] == pytest.approx(root - below)
        assert ends(found.metrics["accuracy"]) == pytest.approx(wilson(51 / 70, 70))
