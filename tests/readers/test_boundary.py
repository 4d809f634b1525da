"""Whatever a file makes a library raise becomes one sentence that names the file; exit code 2 at the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.readers.options import ReadOptions


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        readers.read(path, ReadOptions())
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("a,target\n1,x\n2,y\n3,x\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("int too large"),
        RecursionError("maximum recursion depth exceeded"),
        UnicodeError("odd"),
        KeyError("shape"),
        AssertionError(),
        ZeroDivisionError("division by zero"),
        TypeError("two lines\nof words"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_of_a_parser_becomes_a_sentence(
    table: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise error

    monkeypatch.setattr("rarebird.readers.table.read", fails)
    text = refused(table)
    assert text.startswith(f"{table} cannot be read: it is damaged")
    assert type(error).__name__ in text


def test_memory_is_named(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr("rarebird.readers.table.read", fails)
    assert "free memory" in refused(table)


def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe.csv", tmp_path / "zero.csv"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        assert "a device or a pipe" in refused(path)


def test_closed_and_endless_paths(tmp_path: Path) -> None:
    endless = tmp_path / "endless.csv"
    endless.symlink_to(endless)
    assert "There is no file" in refused(endless)
    assert "cannot be read: file name too long" in refused(tmp_path / ("a" * 300 + ".csv"))
    assert "There is no file" in refused(tmp_path / "nul\0.csv")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("this user may read everything")
    assert f"{closed} cannot be read: permission denied" in refused(closed)
