"""`evaluate` knows rows that the model learned from: copies are told, and rows that are equal by chance are not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Splits
from rarebird.readers.python import from_arrays
from rarebird.runs import learned_rows

RNG = np.random.default_rng(0)


def model_of(*columns: str) -> Any:
    """What is asked of a model: the columns that its networks use."""
    table = SimpleNamespace(columns=[SimpleNamespace(name=name) for name in columns])
    return SimpleNamespace(members=[SimpleNamespace(prepared=SimpleNamespace(table=table))])


def told(model: Any, train: Dataset, rows: Dataset, folder: Path, val: Dataset | None = None) -> list[str]:
    learned_rows.write(model, Splits(train, val), folder / learned_rows.FILE)
    return learned_rows.note(folder / "model", model, rows)


def table(n: int, levels: int | None = None) -> Dataset:
    values = RNG.normal(size=(n, 2)) if levels is None else RNG.integers(0, levels, (n, 2))
    return from_arrays(pd.DataFrame(values, columns=["a", "b"]), np.arange(n) % 2)


@pytest.mark.parametrize("kind", ["image", "series"])
def test_copies_of_pictures_and_series_are_told(kind: str, tmp_path: Path) -> None:
    values = RNG.integers(0, 255, (40, 12, 10)).astype(np.uint8 if kind == "image" else np.float32)
    data = from_arrays(values, np.arange(40) % 2, kind=kind)
    train, new = data.take(np.arange(30)), data.take(np.arange(30, 40))
    assert told(None, train, new, tmp_path) == []
    assert told(None, train, data, tmp_path)[0].startswith("30 of the 40 rows are rows that the model learned from")
    assert told(None, train.take(np.arange(20)), data, tmp_path, train.take(np.arange(20, 30)))[0].startswith("30 of")


def test_rows_of_few_values_are_equal_by_chance(tmp_path: Path) -> None:
    model = model_of("a", "b")
    train = table(400, levels=5)
    assert told(model, train, table(200, levels=5), tmp_path) == []
    assert told(model, table(400), table(200), tmp_path) == []
    assert learned_rows.note(tmp_path, model_of("c"), train) == [], "a column that the rows lack"
    (tmp_path / learned_rows.FILE).write_bytes(b"no safetensors")
    assert learned_rows.note(tmp_path, model_of("a"), train) == [
        "learned_rows.safetensors is damaged, so that rows that the model learned from are not told from new ones."
    ]


def test_of_many_rows_the_share_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_rows, "MOST_ROWS", 100)
    train = table(400)
    # A quarter of the rows has a digest, and of those that are asked for a quarter is among them.
    assert told(model_of("a", "b"), train, train, tmp_path)[0].startswith("About 100% of the rows are rows")
