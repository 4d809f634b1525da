"""The contract of batch sampling: positions into the rows, no lone row, repeatable draws, and a true prior factor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.slots import methods
from rarebird.slots.sampling_state import SamplingState

CASES = [
    pytest.param(value, id=f"{name}-{place}")
    for name in methods.names("batch_sampling")
    for place, value in enumerate(methods.load("batch_sampling", name).examples())
]
every_sampler = pytest.mark.parametrize("sampler", CASES)
Y = np.repeat([0, 1, 3], [90, 9, 1])


def epoch(
    sampler: Any, y: np.ndarray, batch_size: int = 16, seed: int = 0, state: SamplingState | None = None
) -> list[np.ndarray]:
    return list(sampler(y, batch_size, np.random.default_rng(seed), state or SamplingState()))


STATES = [
    pytest.param(SamplingState(), id="start"),
    pytest.param(
        SamplingState(progress=0.7, fold=3, last_loss=np.where(np.arange(100) % 7, np.linspace(0, 9, 100), np.nan)),
        id="later",
    ),
]


@every_sampler
@pytest.mark.parametrize("state", STATES)
def test_batches_are_positions_into_the_rows(sampler: Any, state: SamplingState) -> None:
    y = Y.copy()
    for batch in epoch(sampler, y, state=state):
        assert batch.dtype == np.int64
        assert batch.min() >= 0
        assert batch.max() < len(Y)
        assert len(batch) <= 16
    np.testing.assert_array_equal(y, Y)


@every_sampler
@pytest.mark.parametrize("state", STATES)
def test_same_seed_same_batches_other_seed_others(sampler: Any, state: SamplingState) -> None:
    first, again, other = (np.concatenate(epoch(sampler, Y, seed=seed, state=state)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@every_sampler
@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 1000])
def test_no_batch_has_a_single_row(sampler: Any, batch_size: int) -> None:
    for n in range(2, 20):
        batches = epoch(sampler, np.arange(n) % 3, batch_size)
        assert min(len(batch) for batch in batches) >= 2
        assert max(len(batch) for batch in batches) <= max(batch_size, 3)


@every_sampler
def test_one_row_and_one_class_are_served(sampler: Any) -> None:
    assert [batch.tolist() for batch in epoch(sampler, np.array([0]))] == [[0]]
    assert sorted(np.concatenate(epoch(sampler, np.full(5, 2))).tolist()) == [0, 1, 2, 3, 4]


@every_sampler
def test_prior_factor_is_what_many_epochs_show(sampler: Any) -> None:
    counts = np.bincount(Y)
    factor = sampler.prior_factor(counts)
    if factor is None:
        pytest.skip("its draws follow what the network has learned, so that the logits answer to no known prior")
    # A sampler that changes on its way has the prior of its end, which the last stage's logits answer to.
    end = SamplingState(progress=1)
    drawn = np.concatenate([np.concatenate(epoch(sampler, Y, seed=seed, state=end)) for seed in range(30)])
    shown = np.bincount(Y[drawn], minlength=4) / len(drawn)
    assert np.isfinite(factor).all()
    assert np.average(factor, weights=counts) == pytest.approx(1)
    np.testing.assert_allclose(shown, factor * counts / counts.sum(), atol=0.01)


WEIGHTS = np.where(np.arange(100) % 3, 1.0, 5.0)


@every_sampler
@pytest.mark.parametrize("rows", [WEIGHTS, 0.37 * WEIGHTS], ids=["whole", "not whole"])
def test_prior_factor_is_what_many_epochs_of_weighted_rows_show(sampler: Any, rows: np.ndarray) -> None:
    """A row that counts for k rows comes k times, or its loss weighs k times."""
    counts = np.bincount(Y, rows)
    factor = sampler.prior_factor(counts)
    if factor is None:
        pytest.skip("the prior is unknown")
    end = SamplingState(progress=1, rows=rows)
    drawn = np.concatenate([np.concatenate(epoch(sampler, Y, seed=seed, state=end)) for seed in range(60)])
    weight = np.ones(100) if getattr(sampler, "draws_by_weight", False) else rows
    shown = np.bincount(Y[drawn], weight[drawn], minlength=4) / weight[drawn].sum()
    np.testing.assert_allclose(shown, factor * counts / counts.sum(), atol=0.02)
    # Within a class, each row has its share by its weight.
    common = np.bincount(drawn, weight[drawn], minlength=100)[Y == 0]
    np.testing.assert_allclose(common / common.sum(), rows[Y == 0] / rows[Y == 0].sum(), atol=0.008)


@every_sampler
def test_over_several_epochs_every_row_comes(sampler: Any) -> None:
    """900 common rows beside 100 rare ones; the draws of an epoch begin anywhere among the rows of a class."""
    y = np.repeat([0, 1], [900, 100])
    draw = np.random.default_rng(0)
    drawn = np.concatenate([np.concatenate(list(sampler(y, 50, draw, SamplingState()))) for _ in range(14)])
    assert len(np.unique(drawn)) == 1000


@every_sampler
def test_every_class_with_rows_is_seen_in_every_epoch(sampler: Any) -> None:
    assert set(Y[np.concatenate(epoch(sampler, Y))]) == {0, 1, 3}


@every_sampler
def test_batch_size_below_one_is_refused(sampler: Any) -> None:
    with pytest.raises(ValueError, match="batch_size >= 1"):
        epoch(sampler, Y, 0)
