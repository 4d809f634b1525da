"""Files and folders appear complete or not at all, and an error keeps what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

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
