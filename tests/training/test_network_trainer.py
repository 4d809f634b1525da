"""One network's training: how many steps it is planned for, and which rows are scored meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.validation import FEWEST_ROWS, watched_rows
from tests.training.made_rows import recipe, rows


def test_evaluations_look_at_no_more_rows_than_a_share_of_the_steps() -> None:
    held = rows(5000, seed=1)
    for steps, expected in ((1, FEWEST_ROWS), (300, int(0.2 / 12 * 300 * 64)), (20_000, 5000)):
        watched = watched_rows(recipe(steps=steps), held, 0)
        assert len(watched) == expected
        assert len(np.unique(watched.index)) == expected
    again, other = (watched_rows(recipe(steps=1), held, fold) for fold in (0, 1))
    np.testing.assert_array_equal(again.index, watched_rows(recipe(steps=1), held, 0).index)
    assert not np.array_equal(again.index, other.index)


def test_passes_are_fewer_where_batches_repeat_rows() -> None:
    def steps(**changes: object) -> int:
        chosen = recipe(**({"steps": None, "epochs": 20, "batch_size": 20} | changes))
        planned = NetworkTrainer(chosen, rows(share=0.1), rows(seed=1), 0, "cpu").plan(None, 1).steps
        assert planned is not None
        return planned

    rare = rows(share=0.1).class_counts[1]  # type: ignore[index]
    # Balanced batches show each rare row 200 / rare times in a pass of 400 draws.
    expected = 20 * 20 / np.sqrt(200 / rare)
    assert steps() == 400
    assert steps(loss="weighted") == 400
    assert steps(batch_sampling="class_balanced") == pytest.approx(expected, abs=1)
    assert steps(resampling="random_over") == pytest.approx(expected, abs=1)
    assert steps(resampling="random_under") == pytest.approx(expected, abs=1)
