"""Which reader serves a path, and what is said of paths that none serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.readers.options import ReadOptions

UCR = "1\t0.1\t0.2\t0.3\n2\t0.4\t0.5\t0.6\n"
TABLE = "a\tb\ttarget\n1\t2\tu\n3\t4\tv\n"


def read(path: Path, **options: Any) -> Splits:
    return readers.read(path, ReadOptions(**options))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def picture(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((10, 10), shade, dtype=np.uint8)).save(path)
    return path


def refused(path: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert all(part in message for part in (path.name, *parts)), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("Toy_TRAIN.tsv", UCR, "series"),
        ("toy.tsv", UCR, "series"),
        ("Toy_TEST.txt", UCR.replace("\t", "  "), "series"),
        ("Toy_TRAIN.csv", UCR.replace("\t", ","), "series"),
        ("toy.tsv", TABLE, "table"),
        ("Toy_TRAIN.tsv", TABLE, "table"),
        ("toy.csv", TABLE.replace("\t", ","), "table"),
        ("toy.CSV", TABLE, "table"),
        ("toy.ts", "@classLabel true a b\n@data\n1,2:a\n3,4:b\n", "series"),
        ("编号.txt", TABLE, "table"),
    ],
)
def test_the_kind_of_a_text(tmp_path: Path, name: str, text: str, kind: str) -> None:
    assert read(write(tmp_path, name, text)).train.kind == kind


def test_kind_overrides_the_guess(tmp_path: Path) -> None:
    path = write(tmp_path, "toy.csv", UCR.replace("\t", ","))
    refused(path, "numbers where column names should be")
    assert read(path, kind="series").train.kind == "series"
    table = write(tmp_path, "toy.tsv", "0\t1\t2\n5\t6\tu\n7\t8\tv\n")
    assert read(table, kind="table", target="2").train.kind == "table"
    refused(write(tmp_path, "toy.ts", "@data\n"), "cannot be read as data of kind 'table'", kind="table")


def test_parquet_and_npz(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"a": [1, 2], "target": ["u", "v"]}).to_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").train.kind == "table"
    np.savez(tmp_path / "t.npz", X=np.zeros((4, 3)), y=np.array([0, 1, 0, 1]))
    assert read(tmp_path / "t.npz").train.kind == "table"


def test_the_test_file_beside_is_said_but_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path, "Toy_TRAIN.tsv", UCR)
    assert read(path).notes == ()
    write(tmp_path, "Toy_TEST.tsv", UCR)
    splits = read(path)
    assert splits.test is None
    assert "Toy_TEST.tsv" in splits.notes[0]
    assert "--test" in splits.notes[0]
    assert read(path, role="test rows").notes == ()


def test_a_folder_of_classes(tmp_path: Path) -> None:
    for label, shade in (("cat", 0), ("dog", 255)):
        picture(tmp_path / "pets" / label / "1.png", shade)
    splits = read(tmp_path / "pets")
    assert (splits.train.kind, splits.train.classes) == ("image", ("cat", "dog"))


def test_a_list_of_pictures(tmp_path: Path) -> None:
    for row in range(4):
        picture(tmp_path / "files" / f"{row}.png", 60 * row)
    path = write(
        tmp_path, "list.csv", "path,label\n" + "".join(f"files/{row}.png,{'ab'[row % 2]}\n" for row in range(4))
    )
    assert read(path).train.kind == "image"
    named = write(
        tmp_path, "named.csv", "path,animal\n" + "".join(f"files/{row}.png,{'ab'[row % 2]}\n" for row in range(4))
    )
    assert read(named, target="animal").train.kind == "image"
    assert read(path, kind="table", target="label").train.kind == "table"
    other = write(
        tmp_path,
        "other.csv",
        "path,label,size\n" + "".join(f"gone/{row}.png,{'ab'[row % 2]},{row}\n" for row in range(4)),
    )
    assert read(other, target="label").train.kind == "table"


def test_a_folder_of_tables(tmp_path: Path) -> None:
    write(tmp_path, "d/train.csv", "a,target\n1,u\n2,v\n3,w\n")
    write(tmp_path, "d/valid.csv", "a,target\n1,w\n")
    write(tmp_path, "d/test.csv", "a,target\n1,v\n2,w\n")
    splits = read(tmp_path / "d")
    assert splits.val is not None
    assert splits.test is not None
    assert splits.test.classes == splits.val.classes == ("u", "v", "w")
    assert splits.test.codes.tolist() == [1, 2]
    write(tmp_path, "d/test.csv", "a,target\n1,x\n")
    with pytest.raises(DataError, match="'x'"):
        read(tmp_path / "d")


def test_paths_that_nothing_serves(tmp_path: Path) -> None:
    refused(tmp_path / "gone.csv", "no file or folder")
    refused(picture(tmp_path / "one.png", 3), "single picture", "one folder of pictures per class")
    refused(write(tmp_path, "t.xlsy", "x"), "(.xlsy)", ".csv", ".npz")
    refused(write(tmp_path, "README", "x"), "no suffix")
    refused(write(tmp_path, "text.npz", "this is text"))
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty)
    refused(empty, "is a folder", kind="table")


def test_light_imports() -> None:
    code = (
        "import sys\nfrom rarebird.readers import columns, delimited, python, series, table, targets\n"
        "print([name for name in ('torch', 'pandas', 'sklearn', 'pyarrow', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
