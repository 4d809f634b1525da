"""Compressed text: the same rows as unpacked, within the free memory, and one sentence where it is damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from rarebird import readers
from rarebird.core import memory
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.readers import compressed
from rarebird.readers.options import ReadOptions

TABLE = "age;city;target\n41,5;Köln;yes\n1.234,5;Århus;no\n7,25;Köln;no\n"


def read(path: Path, **options: object) -> Splits:
    return readers.read(path, ReadOptions(**options))  # type: ignore[arg-type]


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return str(error.value)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def written(folder: Path, name: str, raw: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    match path.suffix:
        case ".gz":
            path.write_bytes(gzip.compress(raw))
        case ".bz2":
            path.write_bytes(bz2.compress(raw))
        case ".xz":
            path.write_bytes(lzma.compress(raw))
        case ".zst":
            path.write_bytes(pa.Codec("zstd").compress(raw, asbytes=True))
        case ".zip":
            zipped(path, {"__MACOSX/._data.csv": b"\0", "inside.csv": raw})
        case _:
            path.write_bytes(raw)
    return path


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.bz2", ".TXT.xz", ".csv.zst", ".csv.zip"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_compressed_rows_are_those_of_the_text(tmp_path: Path, suffix: str, encoding: str) -> None:
    raw = TABLE.encode(encoding)
    plain, packed = read(written(tmp_path, "data.csv", raw)), read(written(tmp_path, f"packed{suffix}", raw))
    assert fingerprint(packed.train) == fingerprint(plain.train)
    assert packed.train.known_schema == plain.train.known_schema
    assert packed.train.name == "packed"
    assert len(packed.notes) == len(plain.notes)


def test_the_bytes_decide_and_not_the_name(tmp_path: Path) -> None:
    raw = TABLE.encode()
    plain = fingerprint(read(written(tmp_path, "data.csv", raw)).train)
    sent = tmp_path / "sent.csv"
    sent.write_bytes(gzip.compress(raw))
    unpacked = tmp_path / "unpacked.csv.gz"
    unpacked.write_bytes(raw)
    assert {fingerprint(read(path).train) for path in (sent, unpacked)} == {plain}


def test_compressed_series_and_parts_of_a_folder(tmp_path: Path) -> None:
    series = "@classLabel true a b\n@data\n1,2:a\n3,4:b\n"
    assert read(written(tmp_path, "series.ts.gz", series.encode())).train.kind == "series"
    for name in ("train.csv.gz", "test.csv.xz"):
        written(tmp_path / "parts", name, TABLE.encode())
    found = read(tmp_path / "parts")
    assert found.test is not None
    assert len(found.train) == len(found.test) == 3


@pytest.mark.parametrize("suffix", [".gz", ".zip", ".xz"])
def test_what_does_not_fit_is_not_unpacked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = written(tmp_path, f"bomb.csv{suffix}", b"a,target\n" + b"1,x\n" * (1 << 23))
    assert path.stat().st_size < 1 << 16
    most = 0

    def watched(needed: float, *words: str) -> None:
        nonlocal most
        most = max(most, int(needed))
        checked(needed, *words)

    checked = memory.require_memory
    monkeypatch.setattr(compressed, "require_memory", watched)
    monkeypatch.setattr(memory, "free_bytes", lambda: float(1 << 24))
    assert "of memory, but only 16 MiB are free" in refused(path)
    assert most < 5 * (1 << 23)  # of 32 MiB


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst", ".zip"])
def test_damaged_content_is_named(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"data.csv{suffix}", (TABLE * 50).encode())
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    assert "damaged" in refused(path) or "unpacked" in refused(path)


def test_archives_of_several_files_are_not_guessed_at(tmp_path: Path) -> None:
    several = zipped(tmp_path / "data.csv.zip", {"a.csv": b"a,target\n", "b.csv": b"a,target\n"})
    assert "holds a.csv, b.csv; unpack it" in refused(several)
    assert "holds no file" in refused(zipped(tmp_path / "empty.csv.zip", {"folder/": b""}))
    workbook = tmp_path / "book.csv"
    pd.DataFrame({"a": [1], "target": ["x"]}).to_excel(tmp_path / "book.xlsx", index=False)
    workbook.write_bytes((tmp_path / "book.xlsx").read_bytes())
    assert "is an Excel workbook, despite its name; call it book.xlsx" in refused(workbook)


@pytest.mark.parametrize("address", ["https://example.org/data.csv", "s3://bucket/data.parquet"])
def test_an_address_is_no_path(address: str) -> None:
    with pytest.raises(DataError, match=f"{address} is an address.*download it"):
        read(Path(address))
