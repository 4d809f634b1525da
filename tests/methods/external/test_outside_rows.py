"""Rows of other sources: what joins, what is weighed down, what is refused, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Frame, Outside, Pixels
from rarebird.methods.external._density_ratio import density_ratio
from rarebird.methods.external.outside_rows import OutsideRows
from rarebird.slots.external_rows import Joining

N = 400


def table(n: int = N, seed: int = 0, share: float = 0.3, moved: float = 0.0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame(
        {
            "age": rng.normal(50 + 8 * y + moved, 10),
            "gain": np.where(rng.random(n) < 0.8, 0, rng.lognormal(7 + y, 1)),
            "degrees": rng.normal(37 + 0.5 * y, 0.4),
            "sex": rng.choice(["male", "female"], n),
        }
    )
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def changed(data: Dataset, **columns: object) -> Dataset:
    return replace(data, source=Frame(data.raw().assign(**columns)), index=np.arange(len(data)))


def joined(train: Dataset, source: Dataset, **settings: float) -> Joining:
    prepared, _ = prepare.fit(train)
    outside = [Outside(source, len(source))]
    return OutsideRows(**settings).fit(train, outside, prepared, np.random.default_rng(0))[0]


def test_rows_from_where_the_own_rows_come_from_count_like_own_rows() -> None:
    found = joined(table(), table(seed=1))
    assert found.report.refused == ""
    assert found.weight.mean() > 0.9
    assert 0.4 < (found.report.auc or 0) < 0.6
    assert found.report.agreement == pytest.approx(1, abs=0.35)
    assert found.report.columns == ()


def test_a_source_with_more_rows_of_the_rare_class_is_not_punished_for_it() -> None:
    found = joined(table(share=0.05), table(seed=1, share=0.9))
    assert found.weight[table(seed=1, share=0.9).codes == 1].mean() > 0.85
    assert 0.35 < (found.report.auc or 0) < 0.65


@pytest.mark.parametrize("n", [100, N])
def test_labels_that_were_shuffled_are_refused(n: int) -> None:
    source = table(n, seed=1)
    assert source.y is not None
    found = joined(table(n), replace(source, y=np.random.default_rng(0).permutation(source.y)))
    assert "labels agree with what own rows teach only" in found.report.refused
    assert not found.weight.any()


def test_labels_of_which_some_are_wrong_are_weighed_down() -> None:
    source = table(2000, seed=1)
    assert source.y is not None
    rng = np.random.default_rng(0)
    wrong = rng.random(len(source)) < 0.35
    found = joined(table(2000), replace(source, y=np.where(wrong, rng.permutation(source.y), source.y)))
    assert found.report.refused == ""
    assert 0.5 < found.weight.mean() < 0.8


def test_a_target_of_numbers_that_was_shuffled_is_refused_and_another_unit_is_named() -> None:
    rows = [replace(table(seed=seed), task="regression", classes=()) for seed in (0, 1)]
    own, source = (replace(one, y=one.raw()["age"].to_numpy() + one.raw()["degrees"].to_numpy()) for one in rows)
    assert source.y is not None
    assert joined(own, source).weight.mean() > 0.9
    assert (
        "labels agree" in joined(own, replace(source, y=np.random.default_rng(0).permutation(source.y))).report.refused
    )
    assert "target 'target' seems to have another unit" in joined(own, replace(source, y=source.y * 100)).report.refused


@pytest.mark.parametrize(
    ("column", "factor", "level"),
    [("age", 12, 0), ("age", -1, 0), ("gain", 100, 0), ("degrees", 1.8, 32), ("degrees", 1, 273.15)],
)
def test_a_column_in_another_unit_is_named_and_the_source_refused(column: str, factor: float, level: float) -> None:
    source = table(seed=1)
    found = joined(table(), changed(source, **{column: source.raw()[column] * factor + level}))
    assert f"column '{column}' seems to have another unit" in found.report.refused
    assert "convert it" in found.report.refused
    assert not found.weight.any()


def test_a_scale_does_not_matter_if_both_have_it() -> None:
    own, source = (changed(table(seed=seed), age=table(seed=seed).raw()["age"] * 1e6) for seed in (0, 1))
    assert joined(own, source).weight.sum() == pytest.approx(joined(table(), table(seed=1)).weight.sum(), rel=0.02)


def test_rows_that_resemble_own_rows_less_weigh_less() -> None:
    source = table(seed=1, moved=12)
    found = joined(table(), source)
    assert found.report.refused == ""
    assert 0.65 < (found.report.auc or 0) < 0.95
    age = source.raw()["age"].to_numpy()
    assert found.weight[age < 55].mean() > 2 * found.weight[age > 75].mean()
    assert [one.name for one in found.report.columns][:1] == ["age"]


def test_categories_that_are_spelled_otherwise_are_named() -> None:
    source = table(seed=1)
    found = joined(table(), changed(source, sex=source.raw()["sex"].map({"male": "M", "female": "F"})))
    assert "column 'sex': 100% of the rows have values that no training row has" in " ".join(found.report.findings)
    assert "hardly resemble" in found.report.refused


def test_pictures_that_are_inverted_are_named_and_darker_ones_weigh_less() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    array = rng.integers(0, 40, (300, 1, 12, 12)).astype(np.uint8)
    array[:, :, 3:9, 3:9] += 120
    array[y == 1, :, 5:7] += 60
    rows = Dataset("image", "classification", Pixels(array), np.arange(300), y, ("a", "b"), y.astype(str))
    own, source = rows.take(np.arange(150)), rows.take(np.arange(150, 300))
    pixels = source.raw()

    def seen(array: np.ndarray) -> Joining:
        return joined(own, replace(source, source=Pixels(array), index=np.arange(150)))

    assert seen(pixels).weight.mean() > 0.9
    assert "the pictures look inverted" in seen(255 - pixels).report.refused
    assert seen((pixels * 0.6).astype(np.uint8)).weight.mean() < 0.2


def test_the_density_ratio_is_that_of_two_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(0, 1, (4000, 1)), rng.normal(1, 1, (4000, 1))
    ones = np.ones(4000)
    found, area = density_ratio(own, ones, np.arange(4000), other, ones, rng)
    expected = np.minimum(np.exp(0.5 - other[:, 0]), 1)  # phi(x) / phi(x - 1)
    assert np.abs(found - expected).mean() < 0.05
    assert area == pytest.approx(0.76, abs=0.02)  # Phi(1 / sqrt(2))
