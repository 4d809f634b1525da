"""Ranges: draws stay inside, reach both ends, and are uniform on the range's own scale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from rarebird.slots.ranges import Choice, Float, Int, Range


def draws(searched: Range, n: int = 2000) -> list:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    return [searched.sample(rng) for _ in range(n)]


def test_floats_are_uniform_on_their_scale() -> None:
    assert kstest(draws(Float(-2, 3)), "uniform", (-2, 5)).pvalue > 0.01
    assert kstest(np.log10(draws(Float(1e-4, 1, log=True))), "uniform", (-4, 4)).pvalue > 0.01
    assert all(isinstance(value, float) for value in draws(Float(0, 1), 5))


def test_whole_numbers_reach_both_ends_and_no_further() -> None:
    assert set(draws(Int(2, 5))) == {2, 3, 4, 5}
    logarithmic = draws(Int(1, 8, log=True))
    assert set(logarithmic) == set(range(1, 9))
    assert logarithmic.count(1) > logarithmic.count(8)
    assert all(isinstance(value, int) for value in logarithmic)


def test_choices_are_equally_likely_and_keep_their_type() -> None:
    drawn = draws(Choice("a", None, 3))
    assert set(drawn) == {"a", None, 3}
    assert min(drawn.count(value) for value in ("a", None, 3)) > 550


def test_same_generator_same_draws() -> None:
    assert draws(Float(0, 1), 5) == draws(Float(0, 1), 5)


def test_broken_ranges_are_refused_with_rule_and_values() -> None:
    for made in (Float, Int):
        with pytest.raises(ValueError, match="`low < high` must hold, but got low=2, high=2"):
            made(2, 2)
        with pytest.raises(ValueError, match="`low > 0 on a logarithmic scale` must hold, but got low=0"):
            made(0, 2, log=True)
    with pytest.raises(ValueError, match="at least two values"):
        Choice("alone")


def test_ranges_are_values() -> None:
    assert Float(0, 1) == Float(0, 1)
    assert Choice(1, 2) == Choice(1, 2) != Choice(2, 1)
    with pytest.raises(AttributeError):
        Int(0, 1).low = 5  # type: ignore[misc]
