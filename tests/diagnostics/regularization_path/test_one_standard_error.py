"""The one-standard-error rule on scores that are known, and the means and errors it goes by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rarebird.diagnostics.regularization_path.one_standard_error import (
    Point,
    mean_and_error,
    one_standard_error,
    points_of,
)

NAN = math.nan


def points(scores: list[float], errors: list[float] | float) -> list[Point]:
    errors = [errors] * len(scores) if isinstance(errors, float) else errors
    return [
        Point(10.0**place, NAN, NAN, score, error)
        for place, (score, error) in enumerate(zip(scores, errors, strict=True))
    ]


def chosen(scores: list[float], errors: list[float] | float, larger_is_better: bool = True) -> tuple[int, int]:
    """Places of the best point and of the rule's choice."""
    made = points(scores, errors)
    best, choice = one_standard_error(made, larger_is_better)
    return made.index(best), made.index(choice)


def test_the_strongest_within_one_error_of_the_best_is_chosen() -> None:
    assert chosen([0.70, 0.80, 0.78, 0.74, 0.50], 0.03) == (1, 2)
    assert chosen([0.70, 0.80, 0.78, 0.74, 0.50], 0.07) == (1, 3)
    assert chosen([0.70, 0.80, 0.78, 0.74, 0.50], 0.0) == (1, 1)


def test_where_smaller_is_better_the_same_holds_of_losses() -> None:
    losses = [0.30, 0.20, 0.22, 0.26, 0.50]
    assert chosen(losses, 0.03, larger_is_better=False) == (1, 2)
    assert chosen(losses, 0.03) == (4, 4)
    assert chosen([-loss for loss in losses], 0.03) == (1, 2)


def test_it_is_the_best_ones_own_error_that_counts() -> None:
    assert chosen([0.8, 0.7, 0.6], [0.05, 0.5, 0.5]) == (0, 0)
    assert chosen([0.8, 0.7, 0.6], [0.15, 0.0, 0.0]) == (0, 1)


def test_a_score_at_the_very_edge_is_within() -> None:
    # 0.8 - 0.1 is a little above 0.7 in floats.
    assert chosen([0.8, 0.7, 0.2], 0.1) == (0, 1)
    assert chosen([0.8e6, 0.7e6, 0.2e6], 0.1e6) == (0, 1)


def test_a_stronger_penalty_need_not_be_reached_without_a_gap() -> None:
    assert chosen([0.80, 0.60, 0.79, 0.50], 0.02) == (0, 2)


def test_of_equal_scores_the_strongest_is_the_best() -> None:
    assert chosen([0.8, 0.8, 0.8, 0.5], 0.0) == (2, 2)
    assert chosen([0.8, 0.8 - 1e-14, 0.5], 0.0) == (1, 1)


def test_undefined_scores_are_never_chosen_and_undefined_errors_are_none() -> None:
    assert chosen([NAN, 0.7, 0.8, NAN, 0.79, NAN], 0.02) == (2, 4)
    assert chosen([0.8, 0.79], NAN) == (0, 0)
    with pytest.raises(ValueError, match="at least one point with a score"):
        one_standard_error(points([NAN, NAN], 0.1), True)


def test_the_error_of_one_split_is_the_textbooks() -> None:
    values = np.array([0.7, 0.8, 0.75, 0.9])
    assert mean_and_error([values]) == pytest.approx((values.mean(), stats.sem(values)))
    assert mean_and_error([np.append(values, NAN)]) == pytest.approx((values.mean(), stats.sem(values)))


def test_repeats_steady_the_mean_and_leave_the_error_that_of_one_split() -> None:
    rng = np.random.default_rng(0)
    splits = [rng.normal(0.7, 0.1, 5) for _ in range(400)]
    mean, error = mean_and_error(splits)
    assert mean == pytest.approx(0.7, abs=0.01)
    assert error == pytest.approx(0.1 / math.sqrt(5), rel=0.05)
    assert mean_and_error([splits[0]] * 3) == pytest.approx(mean_and_error(splits[:1]))


def test_too_few_scores_have_no_error_and_none_has_no_mean() -> None:
    mean, error = mean_and_error([np.array([0.5, NAN])])
    assert mean == 0.5
    assert math.isnan(error)
    assert all(math.isnan(figure) for figure in mean_and_error([np.array([NAN, NAN])]))


def test_points_are_means_over_the_splits_that_all_strengths_came_to() -> None:
    one, two = (np.array([0.9, 0.9]), np.array([0.5, 0.7])), (np.array([0.1, 0.1]), np.array([0.1, 0.1]))
    made = points_of({1.0: [one, two], 2.0: [one], 3.0: [one]}, {3.0: "it diverged"})
    assert [point.strength for point in made] == [1.0, 2.0, 3.0]
    assert (made[0].training, made[0].validation) == pytest.approx((0.9, 0.6))
    assert made[1] == Point(
        2.0, *(getattr(made[0], name) for name in ("training", "training_error", "validation", "validation_error"))
    )
    assert made[2].why == "it diverged"
    assert math.isnan(made[2].validation)
    # A path that ended within its first split keeps what there is.
    assert [point.strength for point in points_of({1.0: [one], 2.0: []}, {})] == [1.0]
