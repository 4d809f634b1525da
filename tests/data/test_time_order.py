"""Splits in the order of time: nobody learns from later rows than those that judge, groups included, in every
command's parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.comparison.repeated_splits import RepeatedCrossValidation
from rarebird.core.checks import DataError
from rarebird.data import split, time_order
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.diagnostics.regularization_path import path as path_module
from rarebird.diagnostics.regularization_path.path import PathOptions, regularization_path
from rarebird.diagnostics.regularization_path.penalty import penalty_of
from rarebird.experiment.setup import prepare_run, separate
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from tests.comparison import made_rows
from tests.data.test_split import rows, skewed
from tests.diagnostics.regularization_path.made_rows import recipe as path_recipe

Sides = tuple[np.ndarray, np.ndarray]


def timed(n: int = 400, visits: int = 0, seed: int = 0) -> Dataset:
    """Two classes at times in no order; with `visits`, patients with as many visits within a tenth of the time."""
    rng = np.random.default_rng(seed)
    time, fields = rng.permutation(n).astype(float), {}
    if visits:
        patient = np.repeat(np.arange(n // visits), visits)
        time = rng.uniform(0, n, n // visits)[patient] + rng.uniform(0, n / 10, n)
        fields = {"group": patient}
    frame = Frame(pd.DataFrame({"a": rng.normal(size=n)}))
    return replace(rows(skewed([3 * n // 4, n // 4], seed + 1), time=time, **fields), source=frame)


def assert_no_leak(data: Dataset, learned: np.ndarray, held: np.ndarray) -> None:
    assert data.time is not None
    assert len(learned)
    assert len(held)
    assert data.time[learned].max() < data.time[held].min()
    if data.together is not None:
        assert not set(data.together[learned]) & set(data.together[held])


def parts_of_commands(data: Dataset) -> Iterator[list[Sides]]:
    """The parts of `compare`, its repeats, `fit --set folds=4`, and those that `tune` and the path ask for."""
    validation = RepeatedCrossValidation(data, 4, ["log_loss"], 0)
    yield from (list(validation.parts(repeat)) for repeat in range(3))
    setup = prepare_run(made_rows.baseline(folds=4), Splits(data), test_share=0)
    yield list(setup.parts(5))
    yield split.parts(data, split.decide(data, None, folds=4), 7)


@pytest.mark.parametrize("visits", [0, 5])
@pytest.mark.parametrize("dates", [False, True])
def test_in_every_command_a_part_learns_from_rows_earlier_by_the_gap(visits: int, dates: bool) -> None:
    data = timed(visits=visits)
    assert data.time is not None
    if dates:
        data = replace(data, time=np.datetime64("2024-01-01") + (data.time * 86_400).astype("timedelta64[s]"))
    gap = time_order.gap_of("21d" if dates else "21", time_order.times(data))
    distances = []
    for parts in parts_of_commands(replace(data, gap=gap)):
        for learned, held in parts:
            assert_no_leak(data, learned, held)
            distances.append(time_order.times(data)[held].min() - time_order.times(data)[learned].max())
    assert min(distances) >= gap
    assert min(distances) < 3 * gap, "no more rows are left out than the gap asks for"


def test_rows_in_the_gap_are_counted_in_the_sentence_and_test_rows_keep_it_too() -> None:
    data = replace(timed(), gap=40.0)
    splits = separate(Splits(data), made_rows.baseline(), 0.2)
    assert splits.test is not None
    assert time_order.times(splits.test).min() - time_order.times(splits.train).max() >= 40
    assert any(
        "10% of the 400 rows are before the first held-out row by less than the gap" in note for note in splits.notes
    )
    assert "less than the gap" in split.decide(data, None, folds=4).reason
    assert "less than the gap" in split.decide(data, None).reason


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("7d", np.arange(3.0)),
        ("-1", np.arange(3.0)),
        ("nan", np.arange(3.0)),
        ("inf", np.arange(3)),
        ("7", np.arange(3).astype("datetime64[D]")),
        ("0d", np.arange(3).astype("datetime64[D]")),
        ("soon", np.arange(3).astype("datetime64[ns]")),
    ],
)
def test_a_gap_that_the_times_cannot_have_is_refused(text: str, time: np.ndarray) -> None:
    with pytest.raises(DataError, match="--gap is a"):
        time_order.gap_of(text, time)


def test_a_gap_is_read_in_the_unit_of_the_times(tmp_path: Path) -> None:
    table = tmp_path / "visits.csv"
    days = pd.date_range("2024-01-01", periods=20).strftime("%Y-%m-%d")
    pd.DataFrame({"day": days, "a": range(20), "target": ["x", "y"] * 10}).to_csv(table, index=False)
    read_rows = read(table, ReadOptions(time="day", gap="2w")).train
    assert read_rows.gap == np.timedelta64(14, "D")
    learned, held = split.sides(read_rows, 0.2, 0)
    assert learned.sum() == 3
    assert held.sum() == 4
    assert read(table, ReadOptions(time="day", gap="2w", role="test rows")).train.gap is None
    with pytest.raises(DataError, match="--gap needs rows with a time"):
        read(table, ReadOptions(gap="2w"))


@pytest.mark.parametrize("visits", [0, 5])
def test_in_every_command_a_part_learns_from_earlier_rows_alone(visits: int) -> None:
    data = timed(visits=visits)
    for parts in parts_of_commands(data):
        assert len(parts) == 4
        for learned, held in parts:
            assert_no_leak(data, learned, held)
        judged = np.concatenate([held for _, held in parts])
        assert len(judged) == len(set(judged)) > 200
        # The latest part comes first: it learns from the most rows.
        assert [len(learned) for learned, _ in parts] == sorted((len(learned) for learned, _ in parts), reverse=True)


def test_the_path_learns_from_earlier_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    data, base, seen = timed(200), path_recipe(steps=3), []
    inner = path_module.cross_validate

    def recording(recipe, train, parts, compute, **named):  # type: ignore[no-untyped-def]
        seen.extend(parts)
        return inner(recipe, train, parts, compute, **named)

    monkeypatch.setattr(path_module, "cross_validate", recording)
    regularization_path(base, data, penalty_of("l2", base), [0.01], options=PathOptions(3))
    assert len(seen) == 3
    for learned, held in seen:
        assert_no_leak(data, learned, held)


def test_repeats_have_other_cuts_and_the_same_seed_the_same() -> None:
    data = timed()
    protocol = split.decide(data, folds=4)
    first, again, other = (split.parts(data, protocol, seed) for seed in (0, 0, 1))
    starts = [[data.time[held].min() for _, held in parts] for parts in (first, again, other)]  # type: ignore[index]
    assert starts[0] == starts[1]
    assert all(one != another for one, another in zip(starts[0], starts[2], strict=True))
    assert "in the order of time" in protocol.reason


@pytest.mark.parametrize("visits", [2, 5, 20])
def test_with_groups_the_share_is_as_asked_and_what_is_left_out_of_training_is_said(visits: int) -> None:
    data = timed(visits=visits)
    learned, held = split.sides(data, 0.2, 0)
    assert held.mean() == pytest.approx(0.2, abs=0.01)
    assert_no_leak(data, np.flatnonzero(learned), np.flatnonzero(held))
    share = (~learned & ~held).mean()
    assert 0 < share <= 0.15
    assert f"{share:.0%} of the 400 rows are of groups" in split.decide(data, holdout=0.2).reason
    splits = separate(Splits(data), made_rows.baseline(), 0.2, None)
    assert splits.test is not None
    assert (len(splits.train), len(splits.test)) == (learned.sum(), held.sum())
    assert any("are left out of training" in note for note in splits.notes)


def test_copies_are_on_one_side_in_time_too() -> None:
    data = timed(100)
    copies = np.arange(100)
    early, late = np.argsort(data.time)[[3, 98]]  # type: ignore[arg-type]
    copies[late] = copies[early]
    learned, held = split.sides(replace(data, copies=copies), 0.2, 0)
    assert held[late]
    assert not learned[early]
    assert learned.sum() + held.sum() == 99


def test_a_class_that_no_earlier_row_shows_is_trained_on_and_said() -> None:
    data = rows(np.repeat([0, 1, 0, 1, 2], [30, 10, 30, 10, 20]), time=np.arange(100.0))
    protocol = split.decide(data, folds=3)
    assert "No earlier row shows 2" in protocol.reason
    for learned, held in split.parts(data, protocol, 0):
        assert set(data.codes[learned]) == {0, 1, 2}
        others = learned[data.codes[learned] != 2]
        assert data.time[others].max() < data.time[held].min()  # type: ignore[index]


def test_groups_that_last_for_all_of_the_time_leave_nothing_to_train_on() -> None:
    data = rows(skewed([70, 30]), time=np.arange(100.0), group=np.arange(100) % 5)
    with pytest.raises(DataError, match="leave out --time"):
        split.sides(data, 0.2, 0)


def test_halves_of_held_out_rows_are_of_all_times() -> None:
    data = timed(100)
    half = split.halves(data, 0)
    assert half.mean() == pytest.approx(0.5, abs=0.02)
    assert np.median(data.time[half == 0]) == pytest.approx(50, abs=20)  # type: ignore[index]
