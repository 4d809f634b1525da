"""Held-out rows of a calibration: weights as numbers of rows, and the classes that they show."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.methods.calibration._held_out_rows import among_seen, row_weights

LOGITS = np.arange(20.0).reshape(5, 4)
Y = np.array([3, 1, 3, 0, 1])


def test_weights_are_numbers_of_rows() -> None:
    np.testing.assert_array_equal(row_weights(LOGITS, Y, np.array([1.0, 2, 3, 1, 1])), [1, 2, 3, 1, 1])
    # 1 : 2 : 5 are worth 64 / 30 rows.
    found = row_weights(LOGITS[:3], Y[:3], np.array([0.1, 0.2, 0.5]))
    np.testing.assert_allclose(found, np.array([1, 2, 5]) / 8 * 64 / 30)
    for sizes in ((4, 5, 5), (5, 4, 5), (5, 5, 4)):
        parts = [part[:size] for part, size in zip((LOGITS, Y, np.ones(5)), sizes, strict=True)]
        given = "got logits={}, y={}, weight={}".format(*sizes)
        with pytest.raises(ValueError, match=f"one label and weight per row.*{given}"):
            row_weights(*parts)


def test_rows_and_logits_of_the_classes_with_weight_are_kept() -> None:
    weight = np.array([1.0, 0.0, 2.0, 4.0, 0.0])
    logits, y, kept, seen = among_seen(LOGITS, Y, weight)
    np.testing.assert_array_equal(seen, [True, False, False, True])
    np.testing.assert_array_equal(logits, LOGITS[[0, 2, 3]][:, [0, 3]])
    assert (y.tolist(), kept.tolist()) == ([1, 1, 0], [1, 2, 4])
    # A row without weight of a class with weight stays: it changes nothing.
    _, y, kept, _ = among_seen(LOGITS, np.array([3, 3, 3, 0, 1]), weight)
    assert (y.tolist(), kept.tolist()) == ([1, 1, 1, 0], [1, 0, 2, 4])


def test_where_every_class_has_weight_nothing_is_copied() -> None:
    y, weight = np.array([0, 1, 2, 3, 0]), np.ones(5)
    logits, same, kept, seen = among_seen(LOGITS, y, weight)
    assert logits is LOGITS
    assert same is y
    assert kept is weight
    assert seen.all()
