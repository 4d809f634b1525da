"""Prediction sets and intervals: coverage on new rows class by class, p-values by hand, and too few rows said."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.model.conformal import merged_errors, prediction_sets, rows_needed, value_intervals
from rarebird.model.held_out_rows import HeldOutRows


def classes(n: int, seed: int, shares: tuple[float, ...] = (0.7, 0.2, 0.1)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.choice(len(shares), size=n, p=shares)
    logits = rng.normal(size=(n, len(shares))) + 1.5 * np.eye(len(shares))[y] + np.log(shares)
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), y


def held_classes(n: int, seed: int, **more: np.ndarray) -> HeldOutRows:
    p, y = classes(n, seed)
    return HeldOutRows(p, y, np.ones(n), **more)


def test_each_class_is_covered_as_promised_on_new_rows() -> None:
    new, truth = classes(20_000, 10**6)
    covered = []
    for seed in range(100):
        found = prediction_sets(held_classes(300, seed), [new], 0.9)
        hit = found.members[np.arange(len(truth)), truth]
        covered.append([hit[truth == code].mean() for code in range(3)])
    # About 30 rows of the rarest class: the mean coverage lies between .9 and .9 + 1 / 31.
    assert (np.mean(covered, axis=0) > 0.893).all()
    assert (np.mean(covered, axis=0) < 0.945).all()


def test_a_class_is_in_the_set_unless_its_p_value_is_small() -> None:
    own = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    p = np.stack([own, 1 - own], axis=1)
    held = HeldOutRows(np.concatenate([p, p[:, ::-1]]), np.repeat([0, 1], 9), np.ones(18))
    # At .15, one of nine rows is as improbable: (1 + 1) / 10.
    for coverage, expected in ((0.79, False), (0.81, True)):
        assert bool(prediction_sets(held, [np.array([[0.15, 0.85]])], coverage).members[0, 0]) == expected
    assert not prediction_sets(held, [np.array([[0.05, 0.95]])], 0.9).members[0, 0], "1 / 10 is not above 1 - .9"


def test_a_row_is_compared_with_rows_of_the_same_member() -> None:
    def softer(p: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True))

    new, truth = classes(5000, 10**6)
    covered = {"with members": [], "without": []}
    for seed in range(40):
        p, y = classes(400, seed)
        member = np.arange(400) % 2
        p = np.where((member == 1)[:, None], softer(p), p)
        for name, held in (
            ("with members", HeldOutRows(p, y, np.ones(400), member=member)),
            ("without", HeldOutRows(p, y, np.ones(400))),
        ):
            found = prediction_sets(held, [new, softer(new)] if name == "with members" else [new], 0.9)
            covered[name].append([found.members[truth == code, code].mean() for code in range(3)])
    together, apart = (np.mean(covered[name], axis=0) for name in covered)
    np.testing.assert_allclose(together, 0.915, atol=0.03)
    assert np.abs(apart - 0.91).max() > 0.03, "the members differ in this test"


def test_nine_rows_are_needed_for_a_coverage_of_9_and_fewer_are_said() -> None:
    assert [rows_needed(one) for one in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    p, y = classes(200, 0)
    y[:] = np.where(np.arange(200) < 192, 0, 2)
    y[:180] = np.arange(180) % 2
    found = prediction_sets(HeldOutRows(p, y, np.ones(200)), [p], 0.9)
    assert found.rows == (102, 90, 8)
    assert found.basis == ("own rows", "own rows", "always in the set")
    assert found.members[:, 2].all()
    y[180:196] = np.where(np.arange(16) < 8, 1, 2)
    y[:180] = 0
    y[196:] = 0
    p = 0.7 * np.eye(3)[y] + 0.1
    found = prediction_sets(HeldOutRows(p, y, np.ones(200)), [p], 0.9)
    assert found.basis == ("own rows", "small classes together", "small classes together")
    np.testing.assert_array_equal(found.members[:, 2], y == 2)


def test_weights_count_rows_and_groups_count_once() -> None:
    p, y = classes(60, 3)
    times = np.random.default_rng(0).integers(1, 4, 60)
    copies = np.repeat(np.arange(60), times)
    new, _ = classes(500, 4)
    weighted = prediction_sets(HeldOutRows(p, y, times.astype(float)), [new], 0.8)
    repeated = prediction_sets(HeldOutRows(p[copies], y[copies], np.ones(len(copies))), [new], 0.8)
    np.testing.assert_array_equal(weighted.members, repeated.members)
    grouped = prediction_sets(HeldOutRows(p[copies], y[copies], np.ones(len(copies)), group=copies), [new], 0.8)
    assert grouped.rows == tuple(np.bincount(y, minlength=3))
    assert grouped.members.sum() > repeated.members.sum()


def test_no_set_is_empty() -> None:
    assert prediction_sets(held_classes(300, 0), [classes(2000, 1)[0]], 0.2).members.any(axis=1).all()


def values(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors grow with the prediction."""
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(1, 10, n)
    return predicted[:, None], predicted + 0.3 * predicted * rng.normal(size=n)


def test_intervals_cover_as_promised_and_widen_where_errors_are_larger() -> None:
    new, truth = values(20_000, 10**6)
    covered, few = [], []
    for seed in range(60):
        predicted, y = values(300, seed)
        low, high = value_intervals(HeldOutRows(predicted, y, np.ones(300)), [new], 0.9).T
        hit = (low <= truth) & (truth <= high)
        covered.append(hit.mean())
        few.append(hit[new[:, 0] > 8].mean())
        assert (high - low)[new[:, 0] > 8].mean() > 2 * (high - low)[new[:, 0] < 3].mean()
    assert np.mean(covered) == pytest.approx(0.9, abs=0.012)
    # A width that is the same for all would cover .75 of the largest.
    assert np.mean(few) > 0.86


def test_with_members_the_interval_is_made_of_their_own_predictions() -> None:
    predicted, y = values(400, 0)
    member = np.arange(400) % 2
    shift = np.where(member == 0, 0.5, -0.5)
    held = HeldOutRows(predicted + shift[:, None], y + shift, np.ones(400), member=member)
    new, truth = values(5000, 1)
    low, high = value_intervals(held, [new + 0.5, new - 0.5], 0.9).T
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.92, abs=0.04)
    one = value_intervals(HeldOutRows(predicted, y, np.ones(400)), [new], 0.9)
    same = value_intervals(HeldOutRows(predicted, y, np.ones(400), member=member), [new, new], 0.9)
    np.testing.assert_allclose(one, same, rtol=1e-9)


def test_merged_errors_are_never_smaller() -> None:
    errors, weight = merged_errors(np.arange(1000.0), np.ones(1000))
    assert len(errors) == 200
    assert weight.sum() == 1000
    np.testing.assert_array_equal(errors, np.arange(4, 1000, 5))


def test_coverages_outside_0_to_1_and_too_few_rows_are_refused() -> None:
    predicted, y = values(8, 0)
    for coverage in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(DataError, match="between 0 and 1"):
            prediction_sets(held_classes(50, 0), [classes(3, 0)[0]], coverage)
        with pytest.raises(DataError, match="between 0 and 1"):
            value_intervals(HeldOutRows(predicted, y, np.ones(8)), [predicted], coverage)
    with pytest.raises(DataError, match="needs 9 held-out rows"):
        value_intervals(HeldOutRows(predicted, y, np.ones(8)), [predicted], 0.9)
