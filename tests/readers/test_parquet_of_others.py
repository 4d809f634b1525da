"""Parquet files as other programs write them: DuckDB's and fastparquet's own writers, and forms that pandas does not
give. The rows are those of the same table as CSV."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rarebird import readers
from rarebird.data.dataset import Dataset
from rarebird.readers.options import ReadOptions

N = 60


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(20, 90, N), "dose": rng.normal(50, 9, N).round(3)})
    table["city"] = rng.choice(["北京", "Köln", "成都"], N)
    table["smokes"] = rng.random(N) < 0.3
    table["target"] = np.where(rng.random(N) < 0.4, "ill", "well")
    table.loc[::7, "dose"] = np.nan
    return table


def read(path: Path) -> Dataset:
    return readers.read(path, ReadOptions()).train


def by_duckdb(path: Path, table: pd.DataFrame) -> None:
    duckdb = pytest.importorskip("duckdb")
    table.to_csv(path.with_suffix(".csv"), index=False)
    with duckdb.connect() as connection:
        source = f"SELECT * FROM read_csv('{path.with_suffix('.csv')}')"
        connection.execute(f"COPY ({source}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)")


def by_fastparquet(path: Path, table: pd.DataFrame) -> None:
    fastparquet = pytest.importorskip("fastparquet")
    fastparquet.write(str(path), table, compression="GZIP", object_encoding="utf8", row_group_offsets=25)


def with_types_of_databases(path: Path, table: pd.DataFrame) -> None:
    """Decimals, dictionaries, large strings, small integers; many row groups, pages of the second version, brotli, and
    no word of pandas."""
    decimals = [None if np.isnan(value) else Decimal(f"{value:.3f}") for value in table["dose"]]
    columns = {
        "age": pa.array(table["age"], pa.int16()),
        "dose": pa.array(decimals, pa.decimal128(12, 3)),
        "city": pa.array(list(table["city"])).dictionary_encode(),
        "smokes": pa.array(table["smokes"]),
        "target": pa.array(list(table["target"]), pa.large_string()),
    }
    pq.write_table(pa.table(columns), path, row_group_size=7, compression="brotli", data_page_version="2.0")


@pytest.mark.parametrize("write", [by_duckdb, by_fastparquet, with_types_of_databases], ids=lambda one: one.__name__)
def test_a_file_of_another_writer_gives_the_same_rows(write: object, tmp_path: Path) -> None:
    table = frame()
    write(tmp_path / "data.parquet", table)  # type: ignore[operator]
    table.to_csv(tmp_path / "same.csv", index=False)
    found, same = read(tmp_path / "data.parquet"), read(tmp_path / "same.csv")
    assert found.classes == same.classes == ("ill", "well")
    np.testing.assert_array_equal(found.codes, same.codes)
    mine, its = found.raw(), same.raw()
    assert list(mine.columns) == list(its.columns)
    for name in ("age", "dose"):
        np.testing.assert_allclose(mine[name].astype(float), its[name].astype(float))
    assert mine["city"].astype(str).tolist() == its["city"].astype(str).tolist()
    assert [str(value) for value in mine["smokes"]] == [str(value) for value in its["smokes"]]


def test_times_with_a_zone_are_read(tmp_path: Path) -> None:
    table = frame()
    start = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)
    seen = [start + datetime.timedelta(hours=hour) for hour in range(N)]
    columns = {name: pa.array(table[name].tolist()) for name in ("age", "target")}
    columns["seen"] = pa.array(seen, pa.timestamp("us", tz="Europe/Berlin"))
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    found = readers.read(tmp_path / "data.parquet", ReadOptions(time="seen")).train
    assert found.time is not None
    assert (np.diff(found.time) > 0).all()
