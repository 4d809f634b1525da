"""The profile names what is wrong with data that were made wrong on purpose, and survives JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Curves, Dataset, Frame, Pixels
from rarebird.profile.facts import Profile
from rarebird.profile.profile import effective_number, profile


def table(n: int = 400, rare: int = 20, seed: int = 0, **columns: object) -> Dataset:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"x": rng.normal(size=n), "z": rng.normal(size=n), "word": rng.choice(["a", "b", "c"], n)}
    ).assign(**columns)
    y = np.zeros(n, np.int64)
    y[:rare] = 1
    ids = np.arange(n).astype(str)
    return Dataset(
        "table", "classification", Frame(frame), np.arange(n), y, ("common", "rare"), ids, name="toy", target="sick"
    )


def pictures(n: int = 60, **fields: object) -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 3, 16, 20), dtype=np.uint8)
    y = np.arange(n) % 2
    return replace(
        Dataset("image", "classification", Pixels(pixels), np.arange(n), y, ("a", "b"), np.arange(n).astype(str)),
        **fields,
    )


def place(found: Profile, words: str) -> int:
    """The position of the only ailment that contains `words`."""
    places = [i for i, sentence in enumerate(found.ailments) if words in sentence]
    assert len(places) == 1, (words, found.ailments)
    return places[0]


def test_effective_number():
    counts = np.array([0, 1, 2, 1000, 10**7])
    geometric = [sum(0.9**i for i in range(n)) for n in (0, 1, 2, 1000)]
    np.testing.assert_allclose(effective_number(counts[:4], 0.9), geometric)
    assert effective_number(counts)[-1] == pytest.approx(1000)
    np.testing.assert_allclose(effective_number(counts, 0), [0, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="beta < 1"):
        effective_number(counts, 1.0)


def test_facts_of_a_healthy_table():
    found = profile(table(rare=200))
    assert (found.kind, found.task, found.n, found.n_test, found.imbalance_ratio) == (
        "table",
        "classification",
        400,
        None,
        1.0,
    )
    assert [row.model_dump(include={"label", "count", "share"}) for row in found.classes] == [
        {"label": "common", "count": 200, "share": 0.5},
        {"label": "rare", "count": 200, "share": 0.5},
    ]
    assert found.effective_rows == pytest.approx(effective_number(np.array([200, 200])).sum(), abs=0.01)
    assert found.shape == {"columns": 3, "numeric": 2, "categorical": 1, "boolean": 0, "date": 0}
    assert found.ailments == ()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_row_of_weight_k_decides_as_k_copies_of_it(task: str) -> None:
    """The 20 rare rows count for 9 rows each in one table and are repeated 9 times in the other."""
    data = table(rare=20)
    times = np.where(data.y == 1, 9, 2)
    if task == "regression":
        data = replace(data, task="regression", y=np.random.default_rng(0).gamma(1, 1, 400) ** 2, classes=())
    weighted, repeated = (
        profile(part)
        for part in (replace(data, weight=times.astype(float)), data.take(np.repeat(np.arange(400), times)))
    )
    assert weighted.imbalance_ratio == repeated.imbalance_ratio
    assert weighted.effective_rows == repeated.effective_rows
    assert [(row.share, row.effective, row.size) for row in weighted.classes] == [
        (row.share, row.effective, row.size) for row in repeated.classes
    ]
    assert [(one.slot, one.method) for one in weighted.applicable] == [
        (one.slot, one.method) for one in repeated.applicable
    ]
    assert weighted.target_summary == (
        None if repeated.target_summary is None else pytest.approx(repeated.target_summary)
    )
    assert weighted.n == 400


def test_every_ailment_of_a_table_is_named_worst_first():
    rng = np.random.default_rng(1)
    y = table().y
    data = table(
        rare=2, key_id=rng.choice(10**9, 400, replace=False), one=1, gaps=np.where(rng.random(400) < 0.5, np.nan, 1.0)
    )
    data = replace(data, y=np.where(np.arange(400) == 399, 2, data.y), classes=("common", "rare", "single"))
    leaking = profile(table(answer=np.array(["n", "y"])[y]))
    assert [leak.column for leak in leaking.leaks] == ["answer"]
    assert "'answer' alone predicts 'sick'" in leaking.ailments[0]
    found = profile(data)
    assert found.identifier_columns.keys() == {"key_id"}
    assert found.constant_columns == ("one",)
    assert found.missing_by_column == {"gaps": pytest.approx(0.5, abs=0.1)}
    order = [
        "Class 'single' has 1 row:",
        "Class 'rare' has 2 rows:",
        "397 times the rows",
        "missing in 'gaps'",
        "identifiers: 'key_id'",
        "'one'",
    ]
    places = [place(found, words) for words in order]
    assert places == sorted(places)


def test_copies_across_the_split_and_conflicts():
    train = table()
    rows = np.concatenate([np.arange(400), [0, 399]])
    train = train.take(rows)
    train = replace(train, y=np.where(np.arange(402) == 400, 0, train.y), ids=np.arange(402).astype(str))
    other = table(50, 0, seed=5)
    frame = pd.concat([other.raw(), train.raw().iloc[[7]]], ignore_index=True)
    test = replace(
        other,
        source=Frame(frame),
        index=np.arange(51),
        y=np.zeros(51, np.int64),
        ids=np.array([f"t{i}" for i in range(51)]),
    )
    found = profile(train, val=other, test=test)
    assert (found.n_val, found.n_test) == (50, 51)
    assert (found.across["val"].exact, found.across["test"].exact, found.duplicates.exact, found.conflicts.rows) == (
        0,
        1,
        2,
        2,
    )
    assert found.classes[1].test == 0
    order = [
        "1 test row copies",
        "have the same features",
        "2 rows repeat",
        "No test row has class 'rare'",
        "times the rows",
    ]
    places = [place(found, words) for words in order]
    assert places == sorted(places)


def test_chance_is_named_as_such():
    rng = np.random.default_rng(0)
    data = table(400, 200)
    data = replace(data, source=Frame(pd.DataFrame({"k": rng.integers(0, 9, 400), "m": rng.integers(0, 9, 400)})))
    found = profile(data)
    assert found.duplicates.chance
    assert "Chance or a default value" in found.ailments[place(found, "rows equal an earlier row")]
    assert not any("repeat an earlier" in sentence for sentence in found.ailments)


def test_groups():
    data = pictures(group=np.repeat(["p1", "p2", "p3"], 20))
    found = profile(data, test=data.take(np.arange(5)))
    assert found.groups is not None
    assert found.groups.model_dump() == {"count": 3, "largest": 20, "shared": {"test": 5}}
    place(found, "Only 3 groups")
    place(found, "5 test rows belong to groups")


def test_pictures_and_series_have_their_shapes():
    found = profile(pictures())
    assert found.shape == {"channels": 3, "height": 16, "width": 20}
    values = np.random.default_rng(0).normal(size=(40, 2, 30)).astype(np.float32)
    lengths = np.where(np.arange(40) % 2, 30, 20)
    values[lengths == 20, :, 20:] = np.nan
    values[0, 1, :5] = np.nan
    data = Dataset(
        "series",
        "classification",
        Curves(values, lengths),
        np.arange(40),
        np.arange(40) % 2,
        ("a", "b"),
        np.arange(40).astype(str),
    )
    found = profile(data)
    assert found.shape == {"channels": 2, "shortest": 20, "median_length": 25, "longest": 30}
    # Padding is not missing: of 1000 own steps in channel 1, five are.
    assert found.missing_by_column == {"channel 1": 0.005}


def test_regression_summary():
    y = np.exp(3 * np.random.default_rng(0).normal(size=500))
    data = replace(table(500), task="regression", classes=(), y=y)
    found = profile(data)
    assert found.target_summary is not None
    assert found.target_summary["quantile_0.5"] == np.median(y)
    assert found.target_summary["skewness"] == pytest.approx(pd.Series(y).skew(), rel=0.01)
    assert (found.classes, found.imbalance_ratio) == ((), None)
    place(found, "skewed")
    assert {entry.method for entry in found.applicable if entry.slot == "loss"} == {
        "mean_squared",
        "huber",
        "density_weighted",
    }
    assert not any(entry.slot in ("decision", "calibration", "resampling") for entry in found.applicable)


def test_json_round_trip_and_same_again():
    data = table(answer=table().y)
    found = profile(data, test=data.take(np.arange(10)))
    assert Profile.model_validate(json.loads(json.dumps(found.model_dump(mode="json"), allow_nan=False))) == found
    assert profile(data, test=data.take(np.arange(10))) == found


def test_unlabelled_rows_are_refused():
    with pytest.raises(ValueError, match="labelled"):
        profile(replace(table(), y=None))


@pytest.mark.real_data
def test_a_large_table_and_many_pictures_are_profiled(shared_data):
    frame = pd.read_csv(shared_data / "tables" / "adult.train.csv")
    labels, y = np.unique(frame.pop("target"), return_inverse=True)
    n = len(frame)
    found = profile(
        Dataset("table", "classification", Frame(frame), np.arange(n), y, tuple(labels), np.arange(n).astype(str))
    )
    assert found.missing_share > 0
    rng = np.random.default_rng(0)
    found = profile(pictures(10_000, source=Pixels(rng.integers(0, 256, (10_000, 3, 32, 32), dtype=np.uint8))))
    assert found.n == 10_000
