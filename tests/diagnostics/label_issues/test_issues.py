"""Label issues as a value: rows ranked, those that cannot be judged left out and named, and what people and machines
are told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.diagnostics.label_issues import issues


def rows(y: np.ndarray, classes: tuple[str, ...] = ("a", "b", "c")) -> Dataset:
    frame = Frame(pd.DataFrame({"x": np.zeros(len(y))}))
    return Dataset(
        "table",
        "classification",
        frame,
        np.arange(len(y)),
        y,
        classes,
        np.array([f"row {place}" for place in range(len(y))]),
    )


def sure(y: np.ndarray, share: float = 0.9) -> np.ndarray:
    """Probabilities that name the given classes."""
    return np.where(np.eye(3)[y] > 0, share, (1 - share) / 2)


def test_the_turned_rows_come_first_with_the_right_suggestion() -> None:
    true = np.arange(60) % 3
    y = true.copy()
    y[[7, 30]] = (true[[7, 30]] + 1) % 3
    found = issues.find(rows(y), sure(true))
    assert [row.place for row in found.rows[:2]] == [7, 30]
    assert {row.id for row in found.issues} == {"row 7", "row 30"}
    first = found.rows[0]
    assert (first.given, first.suggested) == ("c", "b")
    assert (first.given_probability, first.suggested_probability) == (pytest.approx(0.05), pytest.approx(0.9))
    np.testing.assert_allclose(found.wrong, [0, 1, 1])
    assert sorted(row.place for row in found.rows) == list(range(60))
    scores = [row.score for row in found.rows]
    assert scores == sorted(scores)


def test_rows_that_were_never_held_out_are_left_out_and_change_nothing() -> None:
    y = np.arange(60) % 3
    p = sure(y)
    p[4] = [0.02, 0.95, 0.03] if y[4] == 0 else [0.95, 0.02, 0.03]
    some = np.arange(60) < 45
    part = np.where(some[:, None], p, np.nan)
    found, alone = issues.find(rows(y), part), issues.find(rows(y).take(some), p[some])
    assert [row.place for row in found.issues] == [row.place for row in alone.issues] == [4]
    assert [row.score for row in found.rows[:45]] == [row.score for row in alone.rows]
    assert all(np.isnan(row.score) and not row.is_issue for row in found.rows[45:])
    np.testing.assert_allclose(found.thresholds, alone.thresholds)
    np.testing.assert_allclose(found.estimated, alone.estimated)
    assert found.judged.sum() == 45
    assert "never" not in " ".join(alone.notes)
    assert any("could not be judged: 15" in note for note in found.notes)


@pytest.mark.parametrize("few", [1, 2, 4])
def test_a_class_of_few_rows_is_never_an_issue_by_its_rarity(few: int) -> None:
    y = np.r_[np.zeros(50, dtype=int), np.ones(50, dtype=int), np.full(few, 2)]
    p = sure(y)
    p[100:] = [0.99, 0.005, 0.005]
    found = issues.find(rows(y), p)
    assert found.issues == ()
    assert found.counts.tolist() == [50, 50, few]
    assert found.judged.tolist() == [50, 50, 0]
    assert found.wrong[2] == 0
    assert [row.given for row in found.rows[-few:]] == ["c"] * few
    assert any("'c'" in note for note in found.notes)


def test_weights_count_and_rows_of_weight_0_are_not_judged() -> None:
    true = np.arange(60) % 3
    y = true.copy()
    y[[3, 8]] = (true[[3, 8]] + 1) % 3
    weight = np.ones(60)
    weight[[3, 8]] = 0, 4
    found = issues.find(replace(rows(y), weight=weight), sure(true))
    assert [row.place for row in found.issues] == [8]
    assert found.wrong.sum() == pytest.approx(4)


def test_soft_targets_are_judged_by_their_most_probable_class() -> None:
    true = np.arange(60) % 3
    soft = sure(true, 0.6)
    soft[5] = np.roll(soft[5], 1)
    found = issues.find(replace(rows(true), y=soft), sure(true))
    assert [row.place for row in found.issues] == [5]


def test_people_and_machines_are_told_the_same() -> None:
    true = np.arange(60) % 3
    y = true.copy()
    y[7] = (true[7] + 1) % 3
    found = issues.find(rows(y), sure(true))
    plain = json.loads(json.dumps(found.for_machines(), allow_nan=False))
    assert (plain["n"], plain["n_judged"], plain["n_issues"]) == (60, 60, 1)
    assert plain["issues"][0]["id"] == "row 7"
    assert [entry["issues"] for entry in plain["per_class"]] == [0, 0, 1]
    assert plain["pairs"] == [{"given": "c", "true": "b", "estimated": 1.0}]
    assert "row 7: given c (0.050), rather b (0.900)" in found.to_text()
    clean = issues.find(rows(true), sure(true))
    assert "0 of 60 rows" in clean.to_text()
    assert clean.for_machines()["issues"] == []


@pytest.mark.parametrize(
    ("share", "figure", "judgement"),
    [
        (1.0, "accuracy of 1.00", ""),
        (0.6, "accuracy of 0.5", "many of the listed rows are mistakes"),
        (0, "", "guessing, so"),
    ],
)
def test_how_good_the_networks_were_comes_first(share: float, figure: str, judgement: str) -> None:
    true = np.arange(300) % 3
    rng = np.random.default_rng(0)
    seen = np.where(rng.random(300) < share, true, rng.integers(0, 3, 300) if share == 0 else (true + 1) % 3)
    found = issues.find(rows(true), sure(seen))
    assert figure in found.notes[0]
    assert judgement in found.notes[0]
    assert "guessing would reach 0.33" in found.notes[0]
    quality = found.for_machines()["balanced_accuracy"]
    assert quality["low"] < quality["high"]
    assert share == 0 or quality["value"] == pytest.approx(share, abs=0.1)


def test_what_cannot_be_judged_is_refused() -> None:
    y = np.arange(60) % 3
    with pytest.raises(ValueError, match="a probability per row and class"):
        issues.find(rows(y), sure(y)[:, :2])
    with pytest.raises(DataError, match="has no class with 5 rows or more"):
        issues.find(rows(y), np.full((60, 3), np.nan))
    numbers = replace(rows(y), task="regression", y=y.astype(float), classes=())
    with pytest.raises(DataError, match="the target of data holds numbers"):
        issues.find(numbers, np.zeros((60, 1)))
