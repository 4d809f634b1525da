"""Synthetic rows for a student: made from its own rows alone, and of classes that the gate passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rarebird.compression.synthetic_rows import passed_rows
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from tests.methods.synthesis.made_classes import ellipses
from tests.methods.synthesis.planted import Planted, copier, halves, real


def test_classes_that_the_gate_passes_are_filled_and_the_others_are_named() -> None:
    train, reserve = halves(ellipses((400, 160), slope=0.85), 1, np.random.default_rng(0), 160)
    found = passed_rows(Planted(real, reserve, weight=0.5), train, Compute(), 0)
    counts = train.class_counts
    assert counts is not None
    assert np.bincount(found.rows.codes, minlength=2).tolist() == [0, counts[0] - counts[1]]
    assert bool(found.rows.synthetic.all())
    np.testing.assert_allclose(found.rows.weights, 0.5)
    assert f"{counts[0] - counts[1]} synthetic rows by planted teach the student" in found.notes[0]
    assert repr(train.classes[1]) in found.notes[0]


def test_rejected_rows_are_refused_with_the_gates_reason() -> None:
    train, reserve = halves(ellipses((400, 160), slope=0.85), 1, np.random.default_rng(0), 160)
    with pytest.raises(DataError, match=r"The gate rejects the rows that planted makes: .*training rows.*--synthesis"):
        passed_rows(Planted(copier, reserve, weight=0.5), train, Compute(), 0)


def test_where_no_class_lacks_rows_and_for_numbers_the_option_is_refused() -> None:
    even = ellipses((50, 50))
    with pytest.raises(DataError, match=r"synthesis\.ratio"):
        passed_rows(Planted(real, even, weight=0.5), even, Compute(), 0)
    numbers = replace(even, task="regression", classes=(), y=np.linspace(0, 1, 100))
    with pytest.raises(DataError, match="predicts a number"):
        passed_rows(Planted(real, even, weight=0.5), numbers, Compute(), 0)
