"""Which folders are parts, classes, clutter, or one folder too high."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarebird.core.checks import DataError
from rarebird.readers.image_folder import read
from rarebird.readers.options import ReadOptions
from tests.readers.test_image_folder import draw, refusal

ANY = ReadOptions()


def put(root: Path, *names: str) -> None:
    for name in names:
        draw(root / name)


@pytest.mark.parametrize(
    ("train", "other", "part"),
    [
        ("seg_train", "seg_test", "test"),
        ("train", "dev", "val"),
        ("train", "eval", "val"),
        ("trainset", "testset", "test"),
        ("training_images", "test_images", "test"),
        ("DogsTrain", "DogsVal", "val"),
        ("asl_alphabet_train", "asl_alphabet_test", "test"),
        ("dogstrain", "dogstest", "test"),
        ("train2017", "val2017", "val"),
    ],
)
@pytest.mark.parametrize("doubled", [False, True])
def test_folders_with_a_word_for_their_part_are_a_split(
    tmp_path: Path, train: str, other: str, part: str, doubled: bool
) -> None:
    for name in (train, other):
        inner = f"{name}/{name}" if doubled else name
        put(tmp_path, f"{inner}/bar/1.png", f"{inner}/disc/1.png")
    splits = read(tmp_path, ANY)
    assert splits.train.classes == ("bar", "disc")
    assert (splits.val is not None, splits.test is not None) == (part == "val", part == "test")
    assert len(splits.train) == 2


def test_words_within_class_names_are_no_parts(tmp_path: Path) -> None:
    put(tmp_path, "strain/1.png", "valve/1.png", "latest/1.png", "device/1.png")
    assert read(tmp_path, ANY).train.classes == ("device", "latest", "strain", "valve")


def test_two_folders_for_one_part_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "train_a/x/1.png", "train_b/x/1.png", "test/x/1.png")
    assert "train_a, train_b" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["train", "test", "Validation"])
def test_a_class_that_is_called_as_a_part_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}/1.png", "car/1.png", "plane/1.png")
    message = refusal(tmp_path)
    assert f"{name!r} beside 'car', 'plane'" in message
    assert "rename" in message


@pytest.mark.parametrize("wrapper", ["PetImages", "x/y"])
def test_one_folder_too_high_names_the_right_one(tmp_path: Path, wrapper: str) -> None:
    put(tmp_path, f"{wrapper}/bar/1.png", f"{wrapper}/disc/1.png")
    (tmp_path / "masks").mkdir()
    (tmp_path / "README.txt").write_text("x")
    message = refusal(tmp_path)
    assert message.endswith(f"give {tmp_path / wrapper}.")
    assert "'bar', 'disc'" in message


def test_clutter_of_systems_and_drives_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "bar/1.png", "disc/1.png", "$RECYCLE.BIN/r.png", "@eaDir/1.png", "lost+found/1.png")
    put(tmp_path, "bar/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "disc/thumbnails/1.png", "disc/#recycle/1.png")
    put(tmp_path, "System Volume Information/1.png", "__MACOSX/bar/._1.png", "bar/.ipynb_checkpoints/1.png")
    splits = read(tmp_path, ANY)
    assert splits.train.ids.tolist() == ["bar/1.png", "disc/1.png"]
    assert splits.notes == ()


def test_folders_within_every_class_are_named(tmp_path: Path) -> None:
    put(tmp_path, *(f"{label}/{part}/{label}.png" for label in ("bar", "disc") for part in ("train", "test")))
    (note,) = read(tmp_path, ANY).notes
    assert "holds the folders test, train" in note


def test_a_large_picture_names_the_size_that_keeps_more(tmp_path: Path) -> None:
    for label in ("a", "b"):
        draw(tmp_path / label / "1.png", size=(300, 200))
    (note,) = read(tmp_path, ANY).notes
    assert "144 x 96 pixels" in note
    assert "image_size=192" in note
    assert read(tmp_path, ReadOptions(image_size=96)).notes == ()
    with pytest.raises(DataError):
        read(tmp_path / "a", ANY)


def test_masks_are_no_pictures_of_a_class(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for place in range(3):
            for folder in ("apart/images", "apart/masks", "beside"):
                draw(tmp_path / folder / label / f"scan ({place}).png")
            draw(tmp_path / "beside" / label / f"scan ({place})_mask.png")
            draw(tmp_path / "beside" / label / f"scan ({place})_mask_1.png")
        draw(tmp_path / "beside" / label / "ski_mask.png")
    apart = read(tmp_path / "apart", ANY)
    assert (apart.train.classes, len(apart.train)) == (("cat", "dog"), 6)
    assert "Only images of" in apart.notes[0]
    beside = read(tmp_path / "beside", ANY)
    assert (beside.train.classes, len(beside.train)) == (("cat", "dog"), 8)
    assert any(note.startswith("Masks of") for note in beside.notes)
    # Without folders of classes among the images, these are classes themselves.
    for folder in ("images", "labels"):
        draw(tmp_path / "flat" / folder / "0.png")
    assert read(tmp_path / "flat", ANY).train.classes == ("images", "labels")


def test_folders_that_differ_by_case_are_one_class(tmp_path: Path) -> None:
    for name in ("train/Cat", "train/Dog", "train/dog", "test/cat", "test/DOG"):
        draw(tmp_path / name / "0.png")
    found = read(tmp_path, ANY)
    assert found.test is not None
    assert [part.class_counts.tolist() for part in (found.train, found.test) if part.class_counts is not None] == [
        *([1, 2], [1, 1])
    ]
    assert any("'Dog', 'dog'" in note and "one class" in note for note in found.notes)
