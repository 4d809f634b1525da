"""The fingerprint names content, order and labels, whatever holds the rows and whichever process reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.data import fingerprint as module
from rarebird.data.dataset import Curves, Dataset, Frame, Kind, Pixels, Source
from rarebird.data.fingerprint import column_digests, fingerprint, raw_chunks, row_digests


def rows(kind: Kind, source: Source, n: int) -> Dataset:
    y = np.arange(n) % 2
    return Dataset(kind, "classification", source, np.arange(n), y, ("a", "b"), np.arange(n).astype(str))


def pictures() -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 9, 7), dtype=np.uint8)
    return rows("image", Pixels(pixels), 20)


def table() -> Dataset:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 20), "word": ["α", None, "b", "c"] * 5, "k": range(20)})
    return rows("table", Frame(frame), 20)


def series() -> Dataset:
    values = np.random.default_rng(1).normal(size=(20, 2, 11)).astype(np.float32)
    return rows("series", Curves(values, np.full(20, 11)), 20)


@pytest.mark.parametrize("make", [pictures, table, series])
def test_content_labels_and_order_count_but_names_do_not(make):
    data = make()
    name = fingerprint(data)
    assert len(name) == 16
    assert fingerprint(make()) == name
    assert fingerprint(replace(data, name="else", ids=data.ids[::-1].copy())) == name
    others = [
        data.take(np.arange(19)),
        data.take(np.arange(20)[::-1]),
        replace(data, y=1 - data.y),
        replace(data, classes=("a", "c")),
        replace(data, weight=np.full(20, 2.0)),
    ]
    assert len({name, *(fingerprint(other) for other in others)}) == 6


@pytest.mark.parametrize("make", [pictures, series])
def test_chunks_have_no_part_in_it(make, monkeypatch):
    data = make()
    whole, name = row_digests(data), fingerprint(data)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1)
    assert sum(1 for _ in raw_chunks(data)) == 20
    assert np.array_equal(row_digests(data), whole)
    assert fingerprint(data) == name


def test_a_memory_mapped_file_has_the_name_of_the_array(tmp_path):
    data = pictures()
    np.save(tmp_path / "pixels.npy", data.source.array)
    mapped = replace(data, source=Pixels(np.load(tmp_path / "pixels.npy", mmap_mode="r")))
    assert fingerprint(mapped) == fingerprint(data)


def test_another_process_gives_the_same_name():
    code = "import test_fingerprint as t; print(t.fingerprint(t.table()), t.fingerprint(t.pictures()))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parent)}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert there.stdout.split() == [fingerprint(table()), fingerprint(pictures())]


def test_numbers_are_equal_whatever_their_type_and_missing_equals_missing():
    whole = pd.Series([0, 1, 2, 3])
    assert np.array_equal(column_digests(whole), column_digests(whole.astype(float)))
    assert np.array_equal(column_digests(whole), column_digests(whole.astype("Int64")))
    assert np.array_equal(*(column_digests(pd.Series([zero, 1.0])) for zero in (0.0, -0.0)))
    words = column_digests(pd.Series(["a", None, "a", np.nan, "1", 1], dtype=object))
    assert words[0] == words[2]
    assert words[1] == words[3]
    assert len(set(words)) == 4
    categories = pd.Series(["a", "b", "a"])
    assert np.array_equal(column_digests(categories), column_digests(categories.astype("category")))


def test_padding_and_trailing_zeros_of_a_row():
    values = np.full((2, 1, 6), np.nan, np.float32)
    values[:, 0, :3] = [1, 2, 0]
    longer = Curves(np.pad(values, ((0, 0), (0, 0), (0, 4)), constant_values=np.nan), np.array([3, 2]))
    digests = row_digests(rows("series", Curves(values, np.array([3, 2])), 2))
    assert np.array_equal(digests, row_digests(rows("series", longer, 2)))
    assert digests[0] != digests[1]


def test_no_row_has_a_name_too():
    none = pictures().take(np.zeros(0, np.int64))
    assert row_digests(none).shape == (0,)
    assert fingerprint(none) != fingerprint(pictures())
