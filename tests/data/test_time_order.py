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
    (told,) = [note for note in splits.notes if "before the first held-out row by less than the gap" in note]
    share, _, rest = told.partition("% of the 400 rows")
    assert 9 < float(share) < 11
    assert rest
    # One row of 400 is not 0 %.
    few = np.arange(400) == 0
    held = np.arange(400) == 399
    assert split.left_out(data, ~few & ~held, held)[0].startswith("0.25% of the 400 rows")
    left = "About 10% of the rows are left out of a part's training, because they are earlier than its judged rows"
    assert f"{left} by less than the gap." in split.decide(data, None, folds=4).reason
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
    assert time_order.gap_of(" 0.5 ", np.arange(3.0)) == 0.5


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
    commands = list(parts_of_commands(data))
    assert len(commands) == 5
    for parts in commands:
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
    assert (protocol.folds, protocol.holdout) == (4, 0)


@pytest.mark.parametrize("visits", [2, 5, 20])
def test_with_groups_the_share_is_as_asked_and_what_is_left_out_of_training_is_said(visits: int) -> None:
    data = timed(visits=visits)
    learned, held = split.sides(data, 0.2, 0)
    assert held.mean() == pytest.approx(0.2, abs=0.01)
    assert_no_leak(data, np.flatnonzero(learned), np.flatnonzero(held))
    share = (~learned & ~held).mean()
    assert 0 < share <= 0.15
    assert f"{100 * share:.3g}% of the 400 rows are of groups" in split.decide(data, holdout=0.2).reason
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
    np.testing.assert_array_equal(half, split.halves(data, 0))
    assert len({tuple(split.halves(data, seed)) for seed in range(4)}) == 4
    assert np.median(data.time[half == 0]) == pytest.approx(50, abs=20)  # type: ignore[index]


class Halfway:
    """Draws each cut in the middle of where it may be."""

    def random(self, n: int) -> np.ndarray:
        return np.full(n, 0.5)


def blocks(data: Dataset, parts: int) -> list[tuple[list[int], list[int]]]:
    """The rows that each part learns from and holds out."""
    found = time_order.chain(data, parts, Halfway())  # type: ignore[arg-type]
    return [(np.flatnonzero(learned).tolist(), np.flatnonzero(held).tolist()) for learned, held in found]


def span(begin: int, end: int) -> list[int]:
    return list(range(begin, end))


def test_parts_by_hand() -> None:
    """120 rows in order, 3 parts: the first quarter only trains, and cuts are a quarter of a part's length late."""
    for y in (np.arange(120) % 2, np.linspace(0, 1, 120)):
        cuts = [97, 67, 37]
        expected = [(span(0, cut), span(cut, end)) for cut, end in zip(cuts, [120, 97, 67], strict=True)]
        assert blocks(rows(y, time=np.arange(120.0)), 3) == expected
    # A class that is first seen at row 40: parts begin at 41 of 120 rows, and are 79 / 360 of the rows long.
    late = np.where(np.arange(120) < 40, 0, np.arange(120) % 2)
    late[40] = 1
    begins = [41 / 120 + 79 / 360 * (place + 0.25) for place in range(3)]
    starts = [held[0] for _, held in blocks(rows(late, time=np.arange(120.0)), 3)]
    assert starts == [int(120 * begin) for begin in reversed(begins)]
    # One that comes late: parts begin at half of the rows at the latest.
    rare = (np.arange(120) >= 100).astype(int)
    assert blocks(rows(rare, time=np.arange(120.0)), 2)[-1][1][0] == int(120 * (0.5 + 0.25 * 0.25))


def test_rows_of_one_time_stay_together_in_every_part() -> None:
    data = rows(np.arange(120) % 2, time=np.repeat(np.arange(12.0), 10))
    assert [held for _, held in blocks(data, 3)] == [span(90, 120), span(60, 90), span(30, 60)]


def test_a_regression_has_no_classes_to_keep_in_time() -> None:
    """Groups of early and late rows are left out of training; where all early rows are of such groups, none is left."""
    y, time = np.linspace(0, 1, 100), np.arange(100.0)
    group = np.r_[np.arange(90), np.arange(10)]
    learned, held = split.sides(rows(y, time=time, group=group), 0.2, 0)
    assert np.flatnonzero(held).tolist() == span(80, 100)
    assert np.flatnonzero(learned).tolist() == span(10, 80)
    assert time_order.unseen(rows(y, time=time), learned, held) == []
    with pytest.raises(DataError, match="give test rows with --test, or leave out --time or --groups"):
        split.sides(rows(y, time=time, group=np.arange(100) % 5), 0.2, 0)


def test_a_class_whose_early_rows_are_all_of_one_late_patient_keeps_them_in_training() -> None:
    y = np.r_[np.zeros(70, dtype=int), np.ones(10, dtype=int), np.zeros(10, dtype=int), np.ones(10, dtype=int)]
    # Patient 500 has all early rows of class 1, five of the late ones and one late row of class 0.
    group = np.arange(100)
    group[70:80] = group[90:95] = group[89] = 500
    learned, held = split.sides(rows(y, time=np.arange(100.0), group=group), 0.2, 0)
    assert np.flatnonzero(learned).tolist() == span(0, 80)
    assert np.flatnonzero(held).tolist() == [*span(80, 89), *span(95, 100)]


def test_classes_without_an_earlier_row_are_named_and_no_others() -> None:
    data = rows(np.array([0, 0, 1, 0, 2]), time=np.array([0.0, 1.0, 1.0, 3.0, 3.0]))
    learned, held = (np.isin(np.arange(5), at) for at in ([0, 1, 2, 4], [3]))
    assert time_order.unseen(data, learned, held) == ["2"]
    assert time_order.unseen(data, learned, np.zeros(5, dtype=bool)) == []


def test_parts_of_groups_that_last_for_all_of_the_time_are_refused() -> None:
    data = rows(skewed([70, 30]), time=np.arange(100.0), group=np.arange(100) % 5)
    with pytest.raises(DataError, match="give test rows with --test, or leave out --time or --groups"):
        split.parts(data, split.Protocol(3, 0.0, ""), 0)


@pytest.mark.parametrize("visits", [0, 5])
def test_the_sentence_on_parts_in_time_says_what_they_leave_out(visits: int) -> None:
    data = timed(visits=visits)
    time = data.time
    assert time is not None
    left = [
        sum(time[row] < time[held].min() for row in set(range(400)) - {*learned, *held}) / 400
        for learned, held in split.parts(data, split.Protocol(4, 0.0, ""), 0)
    ]
    said = (
        f" About {np.mean(left):.0%} of the rows are left out of a part's training, because rows of their groups "
        "(or copies) are judged in it."
    )
    assert split.decide(data, folds=4).reason == (
        "4 parts in the order of time: each network is trained on rows that are earlier than the rows that judge it; "
        f"the earliest rows are only trained on.{said if visits else ''}"
    )


def test_the_sentence_on_a_hold_out_in_time_says_what_it_leaves_out_and_which_classes_come_late() -> None:
    group = np.where(np.arange(100) == 85, 3, np.arange(100))
    data = rows(np.r_[np.arange(90) % 2, np.repeat(2, 10)], time=np.arange(100.0), group=group)
    assert split.decide(data, holdout=0.2).reason == (
        "20% of the training rows are held out (the latest in time), as the recipe asks, and never trained on. 1% of "
        "the 100 rows are of groups (or copies) that also have rows among the latest; they are left out of training, "
        "so that no group is on both sides. No earlier row shows 2: such rows are trained on, whatever their time."
    )
