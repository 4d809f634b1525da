"""CSV files that list pictures: by path, by file name, by id, with pictures elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.readers.options import ReadOptions
from tests.readers.test_image_folder import draw, shades

HEADER_AND_NAME = {
    "image_id,label": "ISIC_{}",
    "filename,label": "images/ISIC_{}.jpg",
    "path,label": "images/ISIC_{}",
    "file,label": "ISIC_{}.jpg",
    "Image Index,label": "ISIC_{}.jpg",
    "id,label": "ISIC_{}",
    "scan,label": "images/ISIC_{}.jpg",
}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    for number in range(4):
        draw(tmp_path / "images" / f"ISIC_{number}.jpg", 50 * number, quality=100)
    return tmp_path


def write(folder: Path, header: str, name: str, rest: str = "") -> Path:
    path = folder / "list.csv"
    path.write_text(f"{header}\n" + "".join(f"{name.format(n)},{'ab'[n % 2]}{rest}\n" for n in (2, 0, 1, 3)))
    return path


@pytest.mark.parametrize("header", HEADER_AND_NAME)
def test_names_of_any_kind(listed: Path, header: str) -> None:
    data = readers.read(write(listed, header, HEADER_AND_NAME[header]), ReadOptions()).train
    assert (data.kind, data.classes) == ("image", ("a", "b"))
    assert shades(data) == [100, 0, 50, 150]
    assert data.ids[0] == HEADER_AND_NAME[header].format(2)


def test_pictures_in_a_named_folder(listed: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    path = write(lists, "image_id,label", "ISIC_{}")
    with pytest.raises(DataError, match=r"--pictures"):
        readers.read(path, ReadOptions(kind="image"))
    data = readers.read(path, ReadOptions(pictures=listed / "images")).train
    assert shades(data) == [100, 0, 50, 150]


def test_a_name_of_several_pictures_is_refused(listed: Path) -> None:
    draw(listed / "other" / "ISIC_1.png")
    with pytest.raises(DataError, match=r"'ISIC_1' names several pictures"):
        readers.read(write(listed, "image_id,label", "ISIC_{}"), ReadOptions())


def test_an_id_beside_features_is_a_table(listed: Path) -> None:
    path = write(listed, "id,label,age", "ISIC_{}", ",3")
    assert readers.read(path, ReadOptions(target="label")).train.kind == "table"
    path = write(listed, "image_id,label,age", "ISIC_{}", ",3")
    splits = readers.read(path, ReadOptions())
    assert splits.train.kind == "image"
    assert any("not used: age" in note for note in splits.notes)


def test_rows_to_predict_that_name_nothing_are_kept(listed: Path) -> None:
    path = listed / "new.csv"
    path.write_text("image_id,site\nISIC_0,x\nISIC_9,x\n,x\n")
    splits = readers.read(path, ReadOptions(kind="image", labelled=False))
    assert splits.train.ids.tolist() == ["ISIC_0"]
    assert [(row.place, row.id) for row in splits.unread] == [(1, "ISIC_9"), (2, "")]


@pytest.mark.parametrize(
    "name",
    ["C:\\scans\\images\\ISIC_{}.jpg", "/home/x/images/ISIC_{}.jpg", "data/images/ISIC_{}.jpg"]
    + ["https://x.org/images/ISIC_{}.jpg", "images/ISIC_{}.JPG", "images/ISIC_{}.png"],
)
def test_names_from_another_machine(listed: Path, name: str) -> None:
    found = readers.read(write(listed, "path,label", name), ReadOptions())
    assert shades(found.train) == [100, 0, 50, 150]
    assert "are found under other names, such as 'images/ISIC_2.jpg'" in found.notes[0]


def test_numbers_that_lost_their_zeros(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / "images" / f"{number:04}.jpg", 50 * number, quality=100)
    for name in ("{}", "{}.0"):
        assert shades(readers.read(write(tmp_path, "image_id,label", name), ReadOptions()).train) == [100, 0, 50, 150]


def test_names_that_fit_no_or_several_pictures_are_refused(listed: Path) -> None:
    with pytest.raises(DataError, match="None of the 4 pictures"):
        readers.read(write(listed, "path,label", "images/ISIC_{}9.jpg"), ReadOptions())
    draw(listed / "other" / "ISIC_1.jpg")
    with pytest.raises(DataError, match="None of the 4 pictures"):
        readers.read(write(listed, "path,label", "scans/ISIC_{}.jpg"), ReadOptions())


def test_a_column_of_labels_in_any_case(listed: Path) -> None:
    assert readers.read(write(listed, "Image,Label", "ISIC_{}.jpg"), ReadOptions()).train.classes == ("a", "b")
