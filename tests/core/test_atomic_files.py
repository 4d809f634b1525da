"""Files and folders appear complete or not at all, and an error keeps what was there before."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rarebird.core import atomic_files
from rarebird.core.atomic_files import whole_file, whole_folder


def test_a_file_is_replaced_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as building:
        building.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as building:
            building.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_with_all_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    for name in ("one", "two"):
        with whole_folder(folder) as building:
            (building / name).write_text(name)
        assert [file.name for file in folder.iterdir()] == [name]
    assert list(folder.parent.iterdir()) == [folder]


def test_an_error_keeps_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()

    def fail() -> None:
        with whole_folder(folder) as building:
            (building / "new").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.name for file in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_symbolic_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    with whole_folder(link) as building:
        (building / "new").touch()
    assert link.is_symlink()
    assert (target / "new").is_file()


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchanged", "two renamings"])
def test_a_folder_is_replaced_whether_the_system_exchanges_names_or_not(
    exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(atomic_files, "exchanged", lambda one, other: False)
    folder = tmp_path / "model"
    for name in ("one", "two"):
        with whole_folder(folder) as building:
            (building / name).write_text(name)
    assert [file.name for file in folder.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges names here")
def test_no_reader_sees_a_folder_that_is_being_replaced_as_missing(tmp_path: Path) -> None:
    folder, missing, done = tmp_path / "model", [], threading.Event()
    folder.mkdir()

    def look() -> None:
        while not done.is_set():
            if not folder.is_dir():
                missing.append(1)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(200):
        with whole_folder(folder) as building:
            (building / "number").write_text(str(number))
    done.set()
    reader.join()
    assert not missing
    assert (folder / "number").read_text() == "199"


def test_a_name_as_long_as_the_system_takes(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 255), tmp_path / ("x" * 240 + "." + "y" * 14)):
        with whole_file(path) as building:
            building.write_text("new")
        assert path.read_text() == "new"
    with whole_folder(tmp_path / ("z" * 255)) as building:
        (building / "one").touch()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_pipe_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with whole_file(pipe) as building:
        building.write_text("through")
    reader.join()
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/stdout", "/proc/self/fd/1"])
def test_a_device_is_written_into_and_not_replaced(device: str, tmp_path: Path) -> None:
    if not Path(device).exists():
        pytest.skip(f"there is no {device} on this system")
    code = (
        "from pathlib import Path\nfrom rarebird.core.atomic_files import whole_file\n"
        f"with whole_file(Path({device!r})) as building:\n    building.write_text('through')\n"
    )
    before = Path("/dev/null").stat().st_mode
    with (tmp_path / "out").open("w") as out:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", code], stdout=out, env=environment, check=True)
    assert (tmp_path / "out").read_text() == ("" if device == "/dev/null" else "through")
    assert Path("/dev/null").stat().st_mode == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
