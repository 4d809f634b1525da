"""Mixtures: two separated clusters of two classes are found; the information criterion chooses; few rows borrow."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from rarebird.core.compute import Compute
from rarebird.methods.synthesis import _mixture_table
from rarebird.methods.synthesis.mixture import Mixture
from tests.methods.synthesis.made_classes import clusters, ellipses


def made(rows, code: int, n: int = 400, **settings):  # type: ignore[no-untyped-def]
    generator = Mixture(**settings).fit(rows, Compute(), np.random.default_rng(0))
    return generator.sample(code, n, np.random.default_rng(1)).raw(), generator.sampler


@pytest.mark.parametrize("code", [0, 1])
def test_both_clusters_of_a_class_are_drawn_and_none_between(code: int) -> None:
    frame, sampler = made(clusters(), code)
    right = frame["side"] == "right"
    assert 0.4 < right.mean() < 0.6
    assert (np.abs(frame["x"] - 10 * right) < 3).mean() > 0.94
    assert (np.abs(frame["y"] - 10 * code - 3 * right) < 3).mean() > 0.94
    assert len(sampler.classes[code].share) >= 2


def test_one_gaussian_is_one_component() -> None:
    rows = ellipses((150, 150), slope=0.0)
    _, sampler = made(rows, 0)
    assert len(sampler.classes[0].share) == 1


def test_the_likelihood_never_falls_and_beats_one_component(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clusters()
    codec = _mixture_table.TableCodec.fit(rows)
    encoded = codec.encode(rows, np.random.default_rng(0))
    count = np.ones(len(rows))
    prior = _mixture_table._prior(encoded, rows.codes, count, codec.cardinalities)
    # Drawn towards almost nothing, the iterations are those of maximum likelihood.
    monkeypatch.setattr(_mixture_table, "PRIOR_ROWS", 1e-3)
    found = [
        _mixture_table._one_fit(4, steps, encoded, count, prior, np.random.default_rng(3))[0] for steps in range(1, 9)
    ]
    assert all(after >= before - 1e-6 * abs(before) for before, after in itertools.pairwise(found))
    one = _mixture_table._one_fit(1, 1, encoded, count, prior, np.random.default_rng(3))[0]
    assert found[-1] > one + 50


def test_a_class_of_one_row_has_its_mean_and_the_spread_of_the_others() -> None:
    rows = ellipses((200, 200, 1))
    frame, sampler = made(rows, 2)
    own = sampler.classes[2]
    assert len(own.share) == 1
    np.testing.assert_allclose(own.variance, own.variance[0] * np.ones_like(own.variance))
    assert frame["first"].std() > 0.3


def test_a_row_of_weight_three_is_three_rows() -> None:
    rows = clusters((40, 20))
    thrice = rows.take(np.concatenate([np.arange(60), np.repeat(np.arange(60), 2)]))
    weighted = replace(rows, weight=np.full(60, 3.0))
    one = Mixture(components=1).fit(thrice, Compute(), np.random.default_rng(0)).sampler
    other = Mixture(components=1).fit(weighted, Compute(), np.random.default_rng(0)).sampler
    for first, second in zip(one.classes, other.classes, strict=True):  # type: ignore[attr-defined]
        np.testing.assert_allclose(first.mean, second.mean, atol=0.05)
        np.testing.assert_allclose(first.categories[0], second.categories[0])
