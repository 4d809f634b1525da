"""The contract of the slot `synthesis`: new rows have the types of real ones and a mark; the same draw gives the same
rows; what was learned survives JSON and arrays; classes of few rows work or are refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels
from rarebird.slots import methods
from rarebird.slots.synthetic_rows import Generated
from tests.contracts.test_resampling import same_rows, table

MAKES = 12
CASES = [
    pytest.param(methods.load("synthesis", card.name).examples()[0], kind, id=f"{card.name}-{kind}")
    for card in methods.cards("synthesis")
    for kind in card.kinds
]
every_method = pytest.mark.parametrize(("method", "kind"), CASES)


def pictures(counts: tuple[int, ...] = (40, 16, 8), dtype: Any = np.uint8) -> Dataset:
    """Pictures whose bright quarter tells the class."""
    rng, y = np.random.default_rng(0), np.repeat(np.arange(len(counts)), counts)
    array = rng.integers(0, 100, (len(y), 1, 12, 12))
    for row, code in enumerate(y):
        array[row, :, 6 * (code % 2) :, 6 * (code // 2) :][:, :6, :6] += 120
    source = Pixels(array.astype(np.uint8) if dtype == np.uint8 else (array / 255).astype(np.float32))
    ids = np.arange(len(y)).astype(str)
    return Dataset("image", "classification", source, np.arange(len(y)), y, tuple("abcd"[: len(counts)]), ids)


def series(counts: tuple[int, ...] = (40, 16, 8)) -> Dataset:
    """Two channels of unequal lengths, whose level tells the class."""
    rng, y = np.random.default_rng(0), np.repeat(np.arange(len(counts)), counts)
    values = (rng.normal(size=(len(y), 2, 24)) * 0.3 + 2 * y[:, None, None]).astype(np.float32)
    lengths = rng.integers(18, 25, len(y))
    values[np.broadcast_to(np.arange(24) >= lengths[:, None, None], values.shape)] = np.nan
    ids = np.arange(len(y)).astype(str)
    source = Curves(values, lengths)
    return Dataset("series", "classification", source, np.arange(len(y)), y, tuple("abcd"[: len(counts)]), ids)


def rows_of(kind: str, counts: tuple[int, ...] = (40, 16, 8)) -> Dataset:
    return {"table": table, "image": pictures, "series": series}[kind](counts)


def fitted(method: Any, train: Dataset, seed: int = 0) -> Generated:
    found: Generated = method.fit(train, Compute(), np.random.default_rng(seed))
    return found


def drawn(generator: Generated, code: int, n: int = MAKES, seed: int = 1) -> Dataset:
    return generator.sample(code, n, np.random.default_rng(seed))


def same(first: Dataset, second: Dataset) -> bool:
    if first.kind == "table":
        return same_rows(first, second)
    raws = [rows.raw() if isinstance(rows.raw(), tuple) else (rows.raw(),) for rows in (first, second)]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(*raws, strict=True))


def check_raw(train: Dataset, made: Dataset) -> None:
    """The types, shapes and bounds of the training rows."""
    if isinstance(train.source, Frame):
        before, after = train.raw(), made.raw()
        assert after.dtypes.to_dict() == before.dtypes.to_dict()
        for name in ("number", "gaps", "whole", "when"):
            assert after[name].min() >= before[name].min()
            assert after[name].max() <= before[name].max()
        for name in ("city", "flag"):
            assert set(after[name].dropna()) <= set(before[name].dropna())
    elif isinstance(train.source, Pixels):
        assert isinstance(made.source, Pixels)
        assert made.source.array.dtype == train.source.array.dtype
        assert made.source.array.shape[1:] == train.source.array.shape[1:]
        assert made.source.array.max() <= (255 if train.source.array.dtype == np.uint8 else 1)
        assert made.source.array.min() >= 0
    else:
        assert isinstance(train.source, Curves)
        assert isinstance(made.source, Curves)
        values, lengths = made.raw()
        assert values.dtype == np.float32
        assert values.shape[1] == train.source.values.shape[1]
        assert values.shape[2] <= train.source.values.shape[2]
        assert (lengths >= 1).all()
        assert (lengths <= values.shape[2]).all()
        beyond = np.broadcast_to(np.arange(values.shape[2]) >= lengths[:, None, None], values.shape)
        assert np.isnan(values[beyond]).all()
        assert np.isfinite(values[~beyond]).any()


@every_method
def test_rows_are_like_real_ones_and_marked(method: Any, kind: str) -> None:
    train = rows_of(kind)
    generator = fitted(method, train)
    for code in range(train.n_classes):
        made = drawn(generator, code)
        assert len(made) == MAKES
        assert made.synthetic is not None
        assert made.synthetic.all()
        assert (made.codes == code).all()
        assert made.classes == train.classes
        check_raw(train, made)
        joined = concat([train, made])
        assert joined.synthetic is not None
        assert joined.synthetic.sum() == MAKES
        assert len(set(joined.ids)) == len(joined)
        if train.group is not None:
            assert made.group is not None
            assert not set(made.group) & set(train.group)


@every_method
def test_same_draw_same_rows_and_other_draw_other_rows(method: Any, kind: str) -> None:
    train = rows_of(kind)
    first, again = fitted(method, train), fitted(method, train)
    assert same(drawn(first, 1), drawn(again, 1))
    assert not same(drawn(first, 1), drawn(first, 1, seed=2))


@every_method
def test_the_rows_given_are_untouched(method: Any, kind: str) -> None:
    train = rows_of(kind)
    drawn(fitted(method, train), 1)
    assert same(train, rows_of(kind))


@every_method
def test_a_generator_survives_json_and_arrays(method: Any, kind: str) -> None:
    train = rows_of(kind)
    generator = fitted(method, train)
    state = json.loads(json.dumps(generator.sampler.state(), allow_nan=False))
    arrays = {name: np.array(values) for name, values in generator.sampler.arrays().items()}
    again = method.restored(train, state, arrays)
    assert same(drawn(generator, 2), drawn(again, 2))
    with pytest.raises(DataError, match="generator"):
        method.restored(train, {}, {})
    broken = {name: values[..., :-1] if values.ndim else values for name, values in arrays.items()}
    with pytest.raises(DataError, match="generator"):
        drawn(method.restored(train, state, broken), 2)


@every_method
@pytest.mark.parametrize("rare", [1, 2, 5])
def test_a_class_of_few_rows_works_or_is_refused_in_a_sentence(method: Any, kind: str, rare: int) -> None:
    train = rows_of(kind, (30, 12, rare))
    generator = fitted(method, train)
    if generator.able[2]:
        check_raw(train, drawn(generator, 2))
    else:
        with pytest.raises(DataError, match=f"Class '{train.classes[2]}' has {rare} training rows"):
            drawn(generator, 2)


@every_method
def test_a_class_without_rows_is_refused(method: Any, kind: str) -> None:
    train = rows_of(kind, (30, 12, 4))
    generator = fitted(method, train.take(np.flatnonzero(train.codes != 2)))
    assert not generator.able[2]
    with pytest.raises(DataError, match=r"Class '.*' has 0 training rows"):
        drawn(generator, 2)


@every_method
def test_numbers_are_refused_in_a_sentence(method: Any, kind: str) -> None:
    train = rows_of(kind)
    numeric = replace(train, task="regression", y=train.codes.astype(float), classes=())
    with pytest.raises(DataError, match=rf"numerical target, but the synthesis '{method.name}' is for classes"):
        fitted(method, numeric)


@every_method
def test_a_plan_takes_no_more_steps_than_asked_for(method: Any, kind: str) -> None:
    planned = method.planned(rows_of(kind), Compute(), 1e-6)
    assert planned.steps == 1
    assert planned.model_copy(update={"steps": method.steps}) == method


@every_method
def test_progress_ends_the_learning(method: Any, kind: str) -> None:
    told: list[str] = []

    def progress(share: float, what: str) -> bool:
        told.append(what)
        assert 0 <= share <= 1
        return True

    train = rows_of(kind)
    generator: Generated = method.fit(train, Compute(progress=progress), np.random.default_rng(0))
    assert set(told) == {f"synthesis: {method.name}"}
    check_raw(train, drawn(generator, 1))
