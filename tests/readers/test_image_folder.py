"""Folders and lists of pictures: what becomes a class, a part, a group or a note, and what is refused in one
sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.readers.image_folder import read
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_lists import read as read_list

ANY = ReadOptions()
UNLABELLED = ReadOptions(labelled=False)


def draw(path: Path, shade: int = 100, size: tuple[int, int] = (16, 16), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], shade, np.uint8)).save(path, **options)
    return path


def shades(data: Dataset) -> list[int]:
    return data.raw()[:, 0, 0, 0].tolist()


def refusal(path: Path, options: ReadOptions = ANY) -> str:
    with pytest.raises(DataError) as caught:
        (read_list if path.suffix == ".csv" else read)(path, options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, one of them with pictures nested deeper."""
    for number, name in enumerate(["cat/1.png", "cat/2.PNG", "cat/deep/er/3.jpg", "dog/1.bmp"]):
        draw(tmp_path / "pets" / name, 10 * number)
    return tmp_path / "pets"


def test_a_folder_per_class(root: Path) -> None:
    splits = read(root, ANY)
    data = splits.train
    assert (data.kind, data.task, data.name, data.classes) == ("image", "classification", "pets", ("cat", "dog"))
    assert data.ids.tolist() == ["cat/1.png", "cat/2.PNG", "cat/deep/er/3.jpg", "dog/1.bmp"]
    assert data.y is not None
    assert data.y.tolist() == [0, 0, 0, 1]
    assert shades(data) == [0, 10, 20, 30]
    assert data.raw().shape == (4, 1, 16, 16)
    assert (splits.val, splits.test, splits.notes) == (None, None, ())


def test_clutter_is_ignored_and_other_files_are_named(root: Path) -> None:
    for name in ("cat/.DS_Store", "cat/Thumbs.db", ".git/x.png", "__MACOSX/cat/._1.png", "cat/._1.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"clutter")
    assert read(root, ANY).notes == ()
    (root / "cat" / "readme.txt").write_text("hello")
    (root / "bird").mkdir()
    draw(root / "loose.png")
    loose, empty, stranger = read(root, ANY).notes
    assert loose.endswith("that are not in a class folder are left out: loose.png.")
    assert empty.endswith("have no picture and do not count as classes: bird.")
    assert stranger.endswith("that are not pictures are left out: readme.txt.")
    assert read(root, ANY).train.classes == ("cat", "dog")


def test_class_names_are_ordered_as_people_order_them(tmp_path: Path) -> None:
    for name in ("10", "9", "1"):
        draw(tmp_path / name / "a.png")
    assert read(tmp_path, ANY).train.classes == ("1", "9", "10")


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Training", "Testing"), ("train", "valid"), ("train", "val", "test")]
)
@pytest.mark.parametrize("wrapper", ["", "chest_xray"])
def test_a_split_is_never_three_classes(tmp_path: Path, names: tuple[str, ...], wrapper: str) -> None:
    for shade, name in enumerate(names):
        draw(tmp_path / wrapper / name / "a" / "1.png", shade)
        draw(tmp_path / wrapper / name / "b" / "1.png", 50 + shade)
    splits = read(tmp_path, ANY)
    found = {"train": splits.train, "val": splits.val, "test": splits.test}
    present = [part for part, data in found.items() if data is not None]
    assert present == [
        next(part for part in found if name.lower().startswith(part[:3] if part != "train" else "train"))
        for name in names
    ]
    for shade, part in enumerate(present):
        data = found[part]
        assert data is not None
        assert data.classes == ("a", "b")
        assert shades(data) == [shade, 50 + shade]
    assert splits.train.ids[0] == f"{wrapper + '/' if wrapper else ''}{names[0]}/a/1.png"


def test_only_a_train_folder_is_the_training_rows(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "a" / "1.png")
    draw(tmp_path / "train" / "b" / "1.png")
    assert read(tmp_path, ANY).train.classes == ("a", "b")


def test_parts_share_the_training_rows_shape_depth_and_classes(tmp_path: Path) -> None:
    for label in ("a", "b", "c"):
        draw(tmp_path / "train" / label / "1.png", size=(20, 10))
    draw(tmp_path / "val" / "c" / "1.png", size=(400, 300))
    (tmp_path / "test" / "b").mkdir(parents=True)
    Image.fromarray(np.full((4, 4), 65535, np.uint16)).save(tmp_path / "test" / "b" / "deep.png")
    (tmp_path / "extra").mkdir()
    splits = read(tmp_path, ANY)
    assert splits.val is not None
    assert splits.test is not None
    for data in (splits.train, splits.val, splits.test):
        assert data.raw().shape[1:] == (1, 10, 20)
        assert data.raw().dtype == np.float32
        assert data.classes == ("a", "b", "c")
    assert splits.val.y is not None
    assert splits.val.y.tolist() == [2]
    assert (splits.test.raw() == 1).all()
    assert "extra" in splits.notes[0]


def test_a_class_that_training_never_shows_is_refused(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a", "test/z"):
        draw(tmp_path / name / "1.png")
    assert "'z'" in refusal(tmp_path)


def test_a_test_folder_without_classes_is_left_out_with_a_note(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "test/1.png"):
        draw(tmp_path / name)
    splits = read(tmp_path, ANY)
    assert splits.test is None
    assert "no class folders" in splits.notes[0]


def test_broken_pictures_are_named_and_their_class_too(root: Path) -> None:
    (root / "cat" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    (root / "fox").mkdir()
    (root / "fox" / "bad.png").write_bytes(b"nothing")
    splits = read(root, ANY)
    assert splits.train.classes == ("cat", "dog")
    assert len(splits.train) == 4
    assert len(splits.train.raw()) == 4
    assert shades(splits.train) == [0, 10, 20, 30]
    assert splits.notes[0].startswith("2 of 6 pictures")
    assert "cat/bad.jpg" in splits.notes[0]
    assert splits.notes[1].endswith("left out: fox.")


def test_refusals(tmp_path: Path, root: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no picture" in refusal(tmp_path / "empty")
    shutil.rmtree(root / "cat")
    assert "only one class ('dog')" in refusal(root)
    assert read(root, ReadOptions(role="test rows")).train.classes == ("dog",)
    (root / "dog" / "1.bmp").write_bytes(b"")
    assert "None of the 1 pictures" in refusal(root)
    assert "dog/1.bmp" in refusal(root)
    draw(tmp_path / "flat" / "1.png")
    assert "no class folders" in refusal(tmp_path / "flat")
    assert "one picture" in refusal(tmp_path / "flat" / "1.png")
    assert "--groups-pattern" in refusal(root, ReadOptions(groups="patient"))
    assert "regression" in refusal(root, ReadOptions(task="regression"))


def test_a_pattern_that_fits_some_names_shows_one_of_each_and_another_pattern(tmp_path: Path) -> None:
    for name in ("sick/person12_1.png", "sick/person3_1.png", "normal/IM-0115-0001.png", "normal/IM-0115-0002.png"):
        draw(tmp_path / name)
    message = refusal(tmp_path, ReadOptions(groups_pattern=r"person(\d+)"))
    assert "fits 2 of the 4 names" in message
    assert "'sick/person12_1.png', but not 'normal/IM-0115-0001.png'" in message
    suggested = message.partition("such as '")[2].removesuffix("'.").replace("\\\\", "\\")
    both = read(tmp_path, ReadOptions(groups_pattern=suggested)).train
    assert both.group is not None
    assert len(set(both.group)) == 3
    assert "fits no name" in refusal(tmp_path, ReadOptions(groups_pattern="(nobody)"))


def test_equal_texts_of_two_alternatives_are_two_groups(tmp_path: Path) -> None:
    for name in ("a/person7.png", "b/IM-7.png"):
        draw(tmp_path / name)
    group = read(tmp_path, ReadOptions(groups_pattern=r"person(\d+)|IM-(\d+)")).train.group
    assert group is not None
    assert len(set(group)) == 2


def test_groups_by_pattern(tmp_path: Path) -> None:
    for name in ("a/person12_1.png", "a/person12_2.png", "b/person3_1.png"):
        draw(tmp_path / name)
    assert read(tmp_path, ReadOptions(groups_pattern=r"person(\d+)")).train.group.tolist() == ["12", "12", "3"]  # type: ignore[union-attr]
    assert "not a regular expression" in refusal(tmp_path, ReadOptions(groups_pattern="person("))
    assert "0 groups" in refusal(tmp_path, ReadOptions(groups_pattern="person"))


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["a/1.png", "b/c/2.png"], ["train/1.png", "b/2.png"]])
def test_unlabelled_pictures_of_any_nesting(tmp_path: Path, names: list[str]) -> None:
    for shade, name in enumerate(names):
        draw(tmp_path / name, shade)
    data = read(tmp_path, ReadOptions(labelled=False, image_shape=(3, 9, 8))).train
    assert data.y is None
    assert dict(zip(data.ids, shades(data), strict=True)) == {name: shade for shade, name in enumerate(names)}
    assert data.raw().shape == (2, 3, 9, 8)


@pytest.mark.parametrize(("parts", "read_part"), [(("train", "val", "test"), "test"), (("train", "dev"), "dev")])
def test_of_a_split_without_labels_only_the_test_rows_are_read(
    tmp_path: Path, parts: tuple[str, ...], read_part: str
) -> None:
    for part in parts:
        draw(tmp_path / part / "a" / "1.png")
    splits = read(tmp_path, UNLABELLED)
    assert splits.train.ids.tolist() == [f"{read_part}/a/1.png"]
    assert read_part in splits.notes[0]


def test_pictures_that_cannot_be_read_are_listed_with_their_place(tmp_path: Path) -> None:
    for name in ("b/0.png", "b/1.png", "b/2.png", "d/0.png"):
        draw(tmp_path / name)
    (tmp_path / "b" / "1.png").write_bytes(b"")
    raw = (tmp_path / "d" / "0.png").read_bytes()
    (tmp_path / "d" / "0.png").write_bytes(raw[: len(raw) // 2])
    splits = read(tmp_path, UNLABELLED)
    assert splits.train.ids.tolist() == ["b/0.png", "b/2.png"]
    assert [(row.place, row.id) for row in splits.unread] == [(1, "b/1.png"), (3, "d/0.png")]
    assert all(row.reason for row in splits.unread)


def test_a_single_picture(tmp_path: Path) -> None:
    data = read(draw(tmp_path / "one.png", 7), UNLABELLED).train
    assert (data.ids.tolist(), shades(data), data.y) == (["one.png"], [7], None)


def test_chinese_names_and_names_packed_under_a_chinese_system(tmp_path: Path) -> None:
    draw(tmp_path / "数据" / "正常" / "图一.png")
    draw(tmp_path / "数据" / "肺炎" / "图二.png")
    data = read(tmp_path / "数据", ANY).train
    assert (data.name, set(data.classes)) == ("数据", {"正常", "肺炎"})
    packed = os.fsdecode("良性".encode("gb18030"))
    try:
        draw(tmp_path / "数据" / packed / "1.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert "良性" in read(tmp_path / "数据", ANY).train.classes


def test_links_are_followed_once(root: Path) -> None:
    (root / "dog" / "again").symlink_to(root / "dog", target_is_directory=True)
    (root / "fox").symlink_to(root / "cat", target_is_directory=True)
    data = read(root, ANY).train
    assert data.classes == ("cat", "dog", "fox")
    assert data.class_counts is not None
    assert data.class_counts.tolist() == [3, 1, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_list(tmp_path: Path, encoding: str) -> None:
    for shade, name in enumerate(["图/一.png", "图/二.png", "三.png"]):
        draw(tmp_path / name, shade)
    text = "path,label,group,weight,note\n图/一.png,正常,甲,1,x\n图\\二.png,肺炎,乙,2,y\n三.png,正常,甲,0.5,z\n"
    (tmp_path / "list.csv").write_text(text, encoding=encoding)
    splits = read_list(tmp_path / "list.csv", ANY)
    data = splits.train
    assert (data.kind, data.name, data.target) == ("image", "list", "label")
    assert [data.classes[code] for code in data.codes] == ["正常", "肺炎", "正常"]
    assert data.ids.tolist() == ["图/一.png", "图/二.png", "三.png"]
    assert shades(data) == [0, 1, 2]
    assert data.weights.tolist() == [1, 2, 0.5]
    assert data.group is not None
    assert data.group.tolist() == ["甲", "乙", "甲"]
    assert any("not used: note" in note for note in splits.notes)


def test_a_list_with_other_columns_a_missing_label_and_an_absent_file(tmp_path: Path) -> None:
    for shade, name in enumerate(["a.png", "b.png", "c.png"]):
        draw(tmp_path / name, shade)
    (tmp_path / "list.csv").write_text("path,kind,site\nc.png,x,1\na.png,,2\nb.png,y,2\ngone.png,x,3\n")
    splits = read_list(tmp_path / "list.csv", ReadOptions(target="kind", groups="site"))
    assert splits.train.ids.tolist() == ["c.png", "b.png"]
    assert shades(splits.train) == [2, 1]
    assert splits.train.y is not None
    assert splits.train.y.tolist() == [0, 1]
    assert splits.train.group is not None
    assert splits.train.group.tolist() == ["1", "2"]
    assert any("gone.png (no such file or directory)" in note for note in splits.notes)
    unlabelled = read_list(tmp_path / "list.csv", UNLABELLED)
    assert unlabelled.train.ids.tolist() == ["c.png", "a.png", "b.png"]
    assert unlabelled.train.y is None


def test_a_list_of_amounts_is_a_regression(tmp_path: Path) -> None:
    rows = "".join(f"{draw(tmp_path / f'{number}.png', number).name},{number + 0.25}\n" for number in range(30))
    (tmp_path / "list.csv").write_text("path,label\n" + rows)
    data = read_list(tmp_path / "list.csv", ANY).train
    assert data.task == "regression"
    assert data.y is not None
    assert data.y.tolist() == [number + 0.25 for number in range(30)]


def test_refused_lists(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    cases = {
        "path,label\na.png,x\na.png,x\n": "one class",
        "path,lable\na.png,x\n": "label",
        "what,label\na,x\na,y\n": "no column 'path'",
        "path,label\na.png,x\na.png,y,z\n": "ine 3",
        "path,label,weight\na.png,x,1\na.png,y,-2\n": "weight",
        "path,label,group\na.png,x,1\na.png,y,\n": "group",
        "path,label\nno.png,x\nnone.png,y\n": "None of the 2 pictures",
        "path,label\na.png,x\n,y\n": "names no file in row 2",
    }
    for text, part in cases.items():
        (tmp_path / "list.csv").write_text(text)
        assert part in refusal(tmp_path / "list.csv")


@pytest.mark.real_data
def test_magnetic_tile(shared_data: Path) -> None:
    splits = read(shared_data / "images" / "magnetic_tile", ReadOptions(groups_pattern=r"exp\d+_num_(\d+)"))
    assert splits.train.classes == ("Blowhole", "Break", "Crack", "Fray", "Free", "Uneven")
    assert splits.train.class_counts is not None
    assert splits.train.class_counts.tolist() == [115, 85, 57, 32, 952, 103]
    assert splits.train.raw().shape == (1344, 1, 96, 96)
    (note,) = splits.notes
    assert "96 x 96 pixels" in note
    assert "--set image_size=192" in note


@pytest.mark.real_data
def test_a_root_of_training_and_test_folders(shared_data: Path) -> None:
    splits = read(shared_data / "images" / "brain_tumor96", ANY)
    assert splits.test is not None
    assert splits.train.classes == splits.test.classes
    assert splits.train.class_counts is not None
    assert splits.train.class_counts.min() > 100
    assert len(splits.test) == 394
