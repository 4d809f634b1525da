"""A reference in a network's place: what a round costs is measured, a tight deadline lays out fewer, and an end is
recorded."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Frame
from rarebird.recipe.recipe import Recipe
from rarebird.training import reference_trainer
from rarebird.training.inference import logits
from rarebird.training.network_trainer import Trained
from rarebird.training.reference_trainer import MEASURED_ROUNDS, SHARE, ReferenceBench

REFERENCES = ("boosted_trees", "extra_trees")
each_reference = pytest.mark.parametrize("reference", REFERENCES)


def rows(n: int = 80, share: float = 0.25) -> Dataset:
    rng = np.random.default_rng(0)
    y = (np.arange(n) < share * n).astype(np.int64)
    frame = Frame(pd.DataFrame({name: rng.normal(y, 1) for name in "abcd"} | {"e": rng.choice(["u", "v"], n)}))
    return Dataset("table", "classification", frame, np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def bench(reference: str, fold: int = 0, rounds: int = 30, **changes: Any) -> ReferenceBench:
    plain = {"kind": "table", "network": "mlp", "reference": {"name": reference, "rounds": rounds}, "threads": 1}
    return ReferenceBench(Recipe(**plain | changes), rows(), fold)


def said(trained: Trained) -> np.ndarray:
    return logits(trained.network, trained.prepared.inputs(rows()))


def go_on(progress: float) -> bool:
    return False


@each_reference
def test_what_is_measured_is_positive_and_finite(reference: str) -> None:
    one = bench(reference)
    for seconds in one._measured:
        assert 0 < seconds < np.inf
    assert one.seconds_per_row() == pytest.approx(one._measured[1] * 30)


def test_measured_times_are_of_a_round_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a made clock: 5 s at once and 2 s a round to grow, 1 s and 3 s a round to predict all 80 rows."""
    one = bench("boosted_trees")
    monkeypatch.setattr(one, "_timed", lambda rounds, some: (5 + 2 * rounds, 1 + 3 * rounds))
    assert one._measured == pytest.approx((2, 3 / 80))


@pytest.mark.parametrize("times", [(0.01, 0.02), (0.02, 0.01)])
def test_a_clock_that_wavers_still_gives_times_above_nothing(
    times: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bench("boosted_trees")
    few, many = times
    monkeypatch.setattr(one, "_timed", lambda rounds, some: (many, many) if rounds == MEASURED_ROUNDS else (few, few))
    assert min(one._measured) > 0


@each_reference
def test_without_a_deadline_it_is_the_references_own_course_unmeasured(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReferenceBench, "_timed", lambda *arguments: 1 / 0)
    assert bench(reference).lay_out(None, 5).steps == 30
    assert bench(reference, steps=12).lay_out(None, 5).steps == 12


def test_a_tight_deadline_lays_out_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_trainer, "time", SimpleNamespace(monotonic=lambda: 1000.0))

    def laid(seconds: float, networks: int = 1, of_a_round: float = 0.25) -> int:
        one = bench("boosted_trees")
        monkeypatch.setattr(one, "_timed", lambda rounds, some: (of_a_round * rounds, 1e-3 * rounds))
        steps = one.lay_out(1000.0 + seconds, networks).steps
        assert steps is not None
        return steps

    assert laid(1e9) == 30
    assert laid(5.01) == int(SHARE * 5.01 / 0.25) == 16
    assert laid(5.01, networks=2) == 8
    assert laid(5.01, of_a_round=0.5) == 8
    # However late it is, there is something to judge by.
    assert laid(0.0) == laid(-100.0) == 1


@each_reference
def test_a_deadline_on_the_real_clock_is_one_round_or_more(reference: str) -> None:
    assert bench(reference).lay_out(time.monotonic(), 1).steps == 1
    assert bench(reference).lay_out(time.monotonic() + 1e6, 1).steps == 30


@each_reference
def test_a_course_goes_to_its_end_or_to_where_it_was_ended(reference: str) -> None:
    one = bench(reference, rounds=50)
    one.recipe = one.lay_out(None, 1)
    told: list[float] = []
    whole = one.run(None, (), lambda progress: told.append(progress) or False)  # type: ignore[func-returns-value]
    assert len(told) == 50
    assert (whole.changes, whole.ended) == ([], "epochs")
    ended = one.run(None, (), lambda progress: progress > 0.1)
    ((done, total),) = ended.changes
    assert done == total < 50
    assert ended.ended == "stop"
    # The replay of what was recorded gives the same trees.
    again = one.run(None, ended.changes, go_on)
    np.testing.assert_array_equal(said(again), said(ended))
    assert not np.array_equal(said(again), said(whole))
    assert again.changes == ended.changes


@each_reference
def test_seeds_and_folds_have_trees_of_their_own(reference: str) -> None:
    def grown(**given: Any) -> np.ndarray:
        one = bench(reference, rounds=5, **given)
        one.recipe = one.lay_out(None, 1)
        return said(one.run(None, (), go_on))

    np.testing.assert_array_equal(grown(), grown())
    assert not np.array_equal(grown(seed=1), grown())
    assert not np.array_equal(grown(fold=1), grown())


def test_the_prior_that_resampling_bends_is_told_of() -> None:
    one = bench("boosted_trees", rounds=3)
    one.recipe = one.lay_out(None, 1)
    np.testing.assert_allclose(one.run(None, (), go_on).prior_factor, [0.5, 0.5])
    even = bench("boosted_trees", rounds=3, resampling="random_over")
    even.recipe = even.lay_out(None, 1)
    # 20 and 60 rows were made 60 and 60: the rarer class counts three times as much.
    np.testing.assert_allclose(even.run(None, (), go_on).prior_factor, [0.25, 0.75])
