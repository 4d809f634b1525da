"""Parquet tables whose rows stay on disk: the same values as in memory, bounded texts, full disks, killed processes."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

import rarebird as rb
from rarebird.core import memory
from rarebird.core.checks import DataError
from rarebird.core.disk_space import DiskFullError
from rarebird.data import columns, prepare, sources, stored_frame
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.data.stored_frame import StoredFrame
from rarebird.profile import duplicates
from rarebird.profile.profile import profile
from rarebird.readers import stored_columns
from rarebird.readers.options import ReadOptions
from rarebird.readers.table import read_target
from rarebird.runs.request import summarize
from rarebird.training.inference import logits

N = 600


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = rng.random(N) < 0.1
    made = pd.DataFrame({f"x{place}": (rng.normal(size=N) + y).astype(np.float32) for place in range(4)})
    made["gaps"] = np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N))
    made["whole"] = rng.integers(0, 9, N)
    made["word"] = rng.choice(["red", " red", "green", "none", ""], N)
    made["written"] = [f"{value:.2f}" for value in rng.normal(size=N)]
    made["truth"] = rng.random(N) < 0.5
    made["truth_with_gaps"] = pd.array(np.where(rng.random(N) < 0.1, None, made["truth"]), dtype="boolean")
    made["whole_with_gaps"] = pd.array([None if v < 1 else v for v in rng.integers(0, 9, N)], dtype="Int64")
    made["when"] = pd.Timestamp("2020-01-01", tz="CET") + pd.to_timedelta(rng.integers(0, 10**6, N), unit="min")
    made["row id"] = [f"row {place:05}" for place in range(N)]
    made["kind"] = pd.Categorical(rng.choice(list("abc"), N))
    made["one"], made["empty"] = 1, np.nan
    made["target"] = pd.Series(np.where(y, "rare", "common")).mask(rng.random(N) < 0.02)
    return made


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("table") / "t.parquet"
    frame().to_parquet(file, row_group_size=70)
    return file


@pytest.fixture(params=[2**27, 4000], ids=["one part", "parts"])
def part_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(stored_columns, "PART_BYTES", request.param)
    monkeypatch.setattr(sources, "CHUNK_CELLS", 900)
    return int(request.param)


def both(path: Path, **options: object) -> tuple[Dataset, Dataset]:
    return rb.read(path, **options).train, rb.read(path, on_disk=True, **options).train


def same(one: Dataset, other: Dataset) -> None:
    assert isinstance(other.source, StoredFrame)
    assert not isinstance(one.source, StoredFrame)
    pd.testing.assert_frame_equal(one.raw(), other.raw())
    assert one.reading == other.reading
    assert list(one.ids) == list(other.ids)
    assert one.classes == other.classes
    np.testing.assert_array_equal(one.y, other.y)


def test_all_that_is_learned_of_rows_on_disk(path: Path, part_bytes: int) -> None:
    one, other = both(path)
    same(one, other)
    parts = other.source.parts_of(other.index)
    assert (parts is None) == (part_bytes > 10**6)
    some = np.array([5, 3, 3, 500, 0])
    pd.testing.assert_frame_equal(one.take(some).raw(), other.take(some).raw())
    assert list(other.ids[some]) == list(one.ids[some])
    assert fingerprint(one) == fingerprint(other)
    assert one.known_schema == other.known_schema
    np.testing.assert_array_equal(duplicates.find([one]).near, duplicates.find([other]).near)
    assert profile(one) == profile(other)
    prepared, notes = prepare.fit(one)
    assert (prepared, notes) == prepare.fit(other)
    whole, read = prepared.inputs(one), prepared.inputs(other)
    at = torch.from_numpy(some)
    for name in whole:
        assert len(read[name]) == len(one)
        assert whole[name].equal(read[name].to("cpu"))
        assert whole[name][30:60].equal(read[name][30:60])
        assert whole[name].index_select(0, at).equal(read[name].index_select(0, at))


def test_later_rows_and_roles(path: Path, tmp_path: Path, part_bytes: int) -> None:
    schema = rb.read(path).train.known_schema
    later = frame().assign(word="GREEN", whole=[f"{place},5" for place in range(N)], written=np.arange(N) / 8)
    later.to_parquet(tmp_path / "later.parquet")
    same(*both(tmp_path / "later.parquet", schema=schema, labelled=True))
    grouped = both(path, groups="kind", weight="whole", time="when")
    same(*grouped)
    for part in ("group", "weight", "time"):
        np.testing.assert_array_equal(getattr(grouped[0], part), getattr(grouped[1], part))
    one = grouped[0]
    kept, y, classes = read_target(path, ReadOptions())
    assert [str(place + 1) for place in kept] == list(one.ids)
    np.testing.assert_array_equal(np.array(classes)[y], np.array(one.classes)[one.y])


def test_a_folder_of_files_with_a_column_of_their_names(tmp_path: Path, part_bytes: int) -> None:
    made = frame()[["x0", "word", "target"]].assign(site=np.arange(N) // 200)
    for site, rows in made.groupby("site"):
        (tmp_path / f"site={site}").mkdir()
        rows.drop(columns="site").to_parquet(tmp_path / f"site={site}" / "rows.parquet", index=False)
    same(*both(tmp_path))


def test_a_table_larger_than_a_share_of_the_free_memory_stays_on_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 300_000.0)
    found = rb.read(path)
    assert isinstance(found.train.source, StoredFrame)
    assert any("does not fit into memory" in note for note in found.notes)


def test_too_little_space_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage(100, 100, 10))
    with pytest.raises(DataError, match=r"does not fit into memory, and takes .* GiB on disk, but .* TMPDIR"):
        rb.read(path, on_disk=True)
    monkeypatch.undo()

    def is_full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", is_full)
    with pytest.raises(DiskFullError, match="No space is left to write"):
        rb.read(path, on_disk=True)


def test_what_cannot_be_kept_or_read(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_columns, "MOST_TEXTS", 100)
    monkeypatch.setattr("rarebird.readers.parquet_on_disk.MOST_TEXTS", 100)
    found = rb.read(path, on_disk=True)
    assert set(rb.read(path).train.raw()) - set(found.train.raw()) == {"row id", "written"}
    assert any("more than 100 different texts are left out: 'written', 'row id'" in note for note in found.notes)
    values = np.zeros(30_000)
    values[29_000] = np.inf
    parquet.write_table(pa.table({"a": values, "target": ["u", "v"] * 15_000}), tmp_path / "infinite.parquet")
    with pytest.raises(DataError, match=r"'a' of .* holds an infinite value \(row 29001\)"):
        rb.read(tmp_path / "infinite.parquet", on_disk=True)
    whole = path.read_bytes()
    middle = len(whole) // 3
    (tmp_path / "damaged.parquet").write_bytes(whole[:middle] + bytes(len(whole) - 2 * middle) + whole[-middle:])
    with pytest.raises(DataError, match=r"damaged\.parquet cannot be read"):
        rb.read(tmp_path / "damaged.parquet", on_disk=True)


def test_files_end_with_the_rows_and_with_the_next_run_where_a_process_was_killed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        f"import os, tempfile; tempfile.tempdir = {str(tmp_path)!r}\n"
        f"import rarebird as rb; rows = rb.read({str(path)!r}, on_disk=True); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    left = list(tmp_path.iterdir())
    assert [(folder / "texts").is_file() for folder in left] == [True]
    rows = rb.read(path, on_disk=True)
    assert [folder != left[0] for folder in tmp_path.iterdir()] == [True]
    del rows
    assert not list(tmp_path.iterdir())


def test_rows_on_disk_are_predicted_and_digested_in_the_order_of_the_disk(
    path: Path, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the user's order, each row of a table of many parts takes a read of its own."""
    one, other = both(path)
    prepared, _ = prepare.fit(one)
    network = torch.nn.Module()
    network.forward = lambda x: x["numbers"][:, :2]  # type: ignore[method-assign]
    whole = logits(network, prepared.inputs(one))
    read = reads(monkeypatch)
    np.testing.assert_array_equal(logits(network, prepared.inputs(other)), whole)
    fingerprint(other)
    assert sum(len(index) for index in read) >= 2 * len(one)
    assert all((np.diff(index) > 0).all() for index in read)


def test_categories_are_counted_in_the_order_of_the_disk(
    path: Path, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[np.ndarray] = []
    chunks = StoredFrame.chunks

    def watched(self: StoredFrame, index: np.ndarray) -> Iterator[pd.DataFrame]:
        read.append(index)
        return chunks(self, index)

    monkeypatch.setattr(StoredFrame, "chunks", watched)
    prepare.fit(both(path)[1])
    assert read
    assert all((np.diff(index) > 0).all() for index in read)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The rows of all reads from now on."""
    read: list[np.ndarray] = []
    rows = StoredFrame.rows

    def watched(self: StoredFrame, index: np.ndarray) -> pd.DataFrame:
        read.append(index)
        return rows(self, index)

    monkeypatch.setattr(StoredFrame, "rows", watched)
    return read


@pytest.fixture
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Numbers in the order of their classes, in 17 parts; samples have 100 rows."""
    monkeypatch.setattr(stored_columns, "PART_BYTES", 16_000)
    monkeypatch.setattr(sources, "SAMPLE_CELLS", 2_000)
    monkeypatch.setattr("rarebird.profile.duplicates.NEAR_CELLS", 1000)
    monkeypatch.setattr("rarebird.profile.leaks.SAMPLE_ROWS", 60)
    values = np.random.default_rng(0).normal(size=(3200, 20)).astype(np.float32)
    made = pd.DataFrame(values, columns=[f"x{place}" for place in range(20)]).assign(x3=np.float32(1))
    made.loc[1600:, "x4"] = 2.0  # a constant in the second half
    made.assign(target=np.repeat(["u", "v"], 1600)).to_parquet(tmp_path / "wide.parquet", row_group_size=500)
    rows = rb.read(tmp_path / "wide.parquet", on_disk=True).train
    assert isinstance(rows.source, StoredFrame)
    assert len(rows.source.bounds) == 18
    return rows


def test_what_is_known_before_the_training_takes_one_read_of_the_table(
    wide: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reads(monkeypatch)
    summarize(Splits(wide))
    assert len(wide) <= sum(map(len, read)) < 1.3 * len(wide)
    held = wide.take(np.arange(0, len(wide), 5))
    before = len(read)
    fingerprint(held)
    assert len(read) == before  # the digests are kept
    assert fingerprint(held) == fingerprint(replace(held, source=Frame(held.raw()), index=np.arange(len(held))))


def test_a_sample_of_a_table_on_disk_is_of_few_parts_and_not_of_its_first_rows(wide: Dataset) -> None:
    source = wide.source
    assert isinstance(source, StoredFrame)
    some = source.sampled(wide.index)
    assert len(some) == 100
    assert (np.diff(some) > 0).all()
    assert len(np.unique(source.parts_of(wide.index[some]))) == 1
    assert 0.3 < (some < 1600).mean() < 0.7
    order = source.nearby(np.random.default_rng(0).permutation(len(wide)), wide.index, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(order), np.arange(len(wide)))
    assert len(np.unique(source.parts_of(wide.index[order[:150]]))) <= 2


def test_columns_that_a_sample_shows_as_constant_are_looked_at_together(
    wide: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = wide.take(np.arange(1500, 3200))  # x4 is 2 in nearly all of these
    monkeypatch.setattr(StoredFrame, "sampled", lambda self, index, seed=0, tables=1: np.arange(200, 300))
    read = reads(monkeypatch)
    assert list(columns.left_out_of(second.source, second.index)) == ["x3"]
    assert sum(map(len, read)) < 1.5 * len(second)


def test_a_column_is_read_without_the_others_in_memory(wide: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_frame, "BLOCK_CELLS", 2**10)
    source = wide.source
    assert isinstance(source, StoredFrame)
    alone = source.only(["x7", "x2"])
    tracemalloc.start()
    try:
        found = alone.rows(np.arange(len(wide)))
        assert tracemalloc.get_traced_memory()[1] < 3200 * 20 * 4 / 2
    finally:
        tracemalloc.stop()
    pd.testing.assert_frame_equal(found, source.rows(np.arange(len(wide)))[["x7", "x2"]])
