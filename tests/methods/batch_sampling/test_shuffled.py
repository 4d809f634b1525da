"""Shuffled batches: every row once, batches of even size."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.methods.batch_sampling.shuffled import Shuffled, even_batches
from rarebird.slots.sampling_state import SamplingState


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 64, 65, 128, 129, 1000])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_every_row_once_in_batches_that_differ_by_one_at_most(n: int, batch_size: int) -> None:
    batches = list(Shuffled()(np.zeros(n), batch_size, np.random.default_rng(0), SamplingState()))
    assert sorted(row for batch in batches for row in batch) == list(range(n))
    sizes = [len(batch) for batch in batches]
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_as_many_batches_as_a_full_division_needs() -> None:
    assert [len(batch) for batch in even_batches(np.arange(129), 64)] == [43, 43, 43]
    assert [len(batch) for batch in even_batches(np.arange(3), 2)] == [3]


def test_any_target_serves() -> None:
    for y in (np.random.default_rng(0).normal(size=10), np.eye(2)[[0, 1] * 5]):
        assert sum(len(batch) for batch in Shuffled()(y, 4, np.random.default_rng(0), SamplingState())) == 10
