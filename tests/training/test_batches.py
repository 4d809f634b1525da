"""Batches hold the rows that were asked for; a gathered part of a large array gives the same ones without a copy of
it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Pixels
from rarebird.data.mapped_rows import MappedRows
from rarebird.training.batches import Rows, ready
from rarebird.training.device import Placement, choose_device, is_out_of_memory


def pictures(array: np.ndarray, index: np.ndarray) -> Dataset:
    return Dataset("image", "classification", Pixels(array), index, index % 2, ("a", "b"), index.astype(str))


def some_pixels(n: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, 8, 9), dtype=np.uint8)


def test_a_batch_is_its_rows_as_floats_with_targets_and_weights() -> None:
    pixels = torch.from_numpy(some_pixels())
    rows = Rows({"pixels": pixels, "extra": torch.arange(20)}, torch.eye(20), torch.arange(20.0))
    x, y, weight = rows.batch(np.array([3, 3, 17]), Placement())
    torch.testing.assert_close(x["pixels"], pixels[[3, 3, 17]] / 255)
    assert x["extra"].tolist() == [3, 3, 17]
    assert y.argmax(dim=1).tolist() == [3, 3, 17]
    assert weight.tolist() == [3, 3, 17]
    assert len(rows) == 20
    assert pixels.dtype == torch.uint8


def test_the_change_of_a_batch_gets_pictures_as_they_are_stored() -> None:
    seen = []

    def change(x, y, weight):
        seen.append(x["pixels"].dtype)
        return {"pixels": 255 - x["pixels"]}, y.flip(0), weight * 2

    pixels = torch.from_numpy(some_pixels())
    rows = Rows({"pixels": pixels}, torch.eye(20), torch.arange(20.0))
    x, y, weight = rows.batch(np.array([3, 17]), Placement(channels_last=True), change)
    assert seen == [torch.uint8]
    torch.testing.assert_close(x["pixels"], (255 - pixels[[3, 17]]) / 255)
    assert x["pixels"].is_contiguous(memory_format=torch.channels_last)
    assert y.argmax(dim=1).tolist() == [17, 3]
    assert weight.tolist() == [6, 34]


def test_the_memory_layout_is_the_placements_and_changes_no_value() -> None:
    x = {"pixels": torch.from_numpy(some_pixels())}
    last = ready(x, Placement(channels_last=True))["pixels"]
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, ready(x, Placement())["pixels"])


def test_float_pictures_stay_as_they_are() -> None:
    deep = torch.rand(4, 1, 8, 8)
    assert torch.equal(ready({"pixels": deep}, Placement())["pixels"], deep)


def test_part_of_a_large_array_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    array, index = some_pixels(), np.array([7, 3, 11, 3])
    prepared, _ = prepare.fit(pictures(array, np.arange(20)))
    copied = prepared.inputs(pictures(array, index))["pixels"]
    assert isinstance(copied, torch.Tensor)
    monkeypatch.setattr(prepare, "MOST_COPIED", 0)
    gathered = prepared.inputs(pictures(array, index))["pixels"]
    assert isinstance(gathered, MappedRows)
    assert torch.equal(gathered[0:4], copied)
    whole = prepared.inputs(pictures(array, np.arange(20)))["pixels"]
    assert np.shares_memory(whole.numpy(), array)


def test_a_memory_map_that_is_taken_whole_stays_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", some_pixels())
    for mode in ("r", "r+"):
        array = np.load(tmp_path / "pixels.npy", mmap_mode=mode)  # type: ignore[call-overload]
        prepared, _ = prepare.fit(pictures(array, np.arange(20)))
        assert isinstance(prepared.inputs(pictures(array, np.arange(20)))["pixels"], MappedRows)


@pytest.mark.parametrize("name", ["banana", "meta", "mps", "cuda:x", ""])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="device"):
        choose_device(name)


def test_a_device_has_one_name() -> None:
    assert choose_device("cpu:0") == choose_device("cpu") == "cpu"


def test_memory_that_runs_out_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(10**15)
    assert is_out_of_memory(error.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
