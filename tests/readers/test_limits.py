"""What is too large, or beyond the range of arithmetic, is refused before anything is allocated; and one rule for the
letters of names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarebird import readers
from rarebird.core import memory
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.readers import pictures, python, targets
from rarebird.readers.options import ReadOptions

COMPOSED, DECOMPOSED = "K\u00f6ln", "Ko\u0308ln"


def read(path: Path, **options: object) -> Splits:
    return readers.read(path, ReadOptions(**options))  # type: ignore[arg-type]


def refused(path: Path, **options: object) -> str:
    with pytest.raises(DataError) as error:
        read(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def little_memory(monkeypatch: pytest.MonkeyPatch, free: float = 2**20) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: free)


def test_one_long_series_among_many_short_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    lines = ["@classLabel true a b", "@data", ",".join(["1"] * 300_000) + ":a", *["1,2:b"] * 300_000]
    path.write_text("\n".join(lines), encoding="utf-8")
    text = refused(path)
    assert "each padded to the 300000 steps of the longest" in text
    assert "GiB of memory, but only" in text


def test_texts_and_tables_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": np.zeros(200_000), "target": ["x", "y"] * 100_000})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 2**17  # equal cells take no space in the file
    little_memory(monkeypatch)
    for name in ("a.csv", "a.parquet"):
        assert "of memory, but only 1 MiB are free" in refused(tmp_path / name)


def test_a_transparent_picture_is_put_on_white_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (50, 40, 4), dtype=np.uint8))
    whole = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    for pixels in (1, 100, 2**20):
        monkeypatch.setattr(pictures, "STRIP_PIXELS", pixels)
        np.testing.assert_array_equal(np.asarray(pictures._opaque(image)), np.asarray(whole))


def test_a_picture_that_does_not_fit_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.new("L", (20, 20)).save(tmp_path / label / "small.png")
    Image.new("L", (400, 400)).save(tmp_path / "a" / "large.png")
    little_memory(monkeypatch)
    found = read(tmp_path)
    assert len(found.train) == 2
    assert any("large.png (its 160,000 pixels" in note for note in found.notes)


def test_a_listed_picture_that_is_a_pipe_is_left_out(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (20, 20)).save(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "list.csv").write_text("path,label\na.png,x\nb.png,y\npipe.png,x\n", encoding="utf-8")
    found = read(tmp_path / "list.csv")
    assert len(found.train) == 2
    assert any("pipe.png (not a file)" in note for note in found.notes)


def test_numbers_beyond_the_range_of_arithmetic(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(60.0), "w": 1.0, "target": np.linspace(0, 1, 60)})
    frame.assign(target=frame["target"] * 1e200).to_csv(tmp_path / "a.csv", index=False)
    assert "cannot be learned: give the target in another unit" in refused(tmp_path / "a.csv")
    one_far = frame["target"].where(frame["a"] != 7, 1e99)
    frame.assign(target=one_far).to_csv(tmp_path / "a.csv", index=False)
    assert "holds 1e+99 (row 8), which is so far from the others (0.51" in refused(tmp_path / "a.csv")
    frame.assign(target=one_far.where(frame["a"] != 7, 1e9)).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv").train.task == "regression"
    frame.assign(w=1e-315).to_csv(tmp_path / "a.csv", index=False)
    assert "holds the weight 1e-315" in refused(tmp_path / "a.csv", weight="w")
    frame.assign(w=1e200).to_csv(tmp_path / "a.csv", index=False)
    assert "those above 0 are from 1e-100 to 1e+100" in refused(tmp_path / "a.csv", weight="w")


def test_labels_of_one_text_are_one_label_however_it_is_written(tmp_path: Path) -> None:
    assert targets.label(DECOMPOSED) == targets.label(COMPOSED) == targets.label(COMPOSED.encode()) == COMPOSED
    assert targets.label(b"\xff") != targets.label(b"\xfe")
    frame = pd.DataFrame({DECOMPOSED: np.arange(40), "target": [COMPOSED, DECOMPOSED, "other", "other"] * 10})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    for rows in (read(tmp_path / "a.parquet").train, read(tmp_path / "a.csv").train):
        assert sorted(rows.classes) == [COMPOSED, "other"]
        assert list(rows.raw().columns) == [COMPOSED]
    rows = python.from_arrays(np.arange(40.0)[:, None], frame["target"].to_numpy())
    assert sorted(rows.classes) == [COMPOSED, "other"]
    raw = python.from_arrays(np.arange(40.0)[:, None], np.char.encode(frame["target"].to_numpy().astype(str), "utf-8"))
    assert sorted(raw.classes) == [COMPOSED, "other"]
