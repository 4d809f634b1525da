"""Rows of a memory map serve batches as a tensor would, and are not read before they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Pixels
from rarebird.data.mapped_rows import MappedRows
from rarebird.slots.protocols import Inputs
from rarebird.training.batches import Rows, ready
from rarebird.training.device import Placement


def mapped(tmp_path: Path) -> np.memmap:
    array = np.random.default_rng(0).integers(0, 256, (30, 1, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", array)
    return np.load(tmp_path / "pixels.npy", mmap_mode="r")


def inputs(array: np.ndarray, index: np.ndarray) -> Inputs:
    y = np.arange(len(index)) % 2
    data = Dataset("image", "classification", Pixels(array), index, y, ("a", "b"), index.astype(str))
    prepared, _ = prepare.fit(data)
    return prepared.inputs(data)


def test_batches_are_those_of_the_array_in_memory(tmp_path: Path) -> None:
    array, index = mapped(tmp_path), np.array([7, 3, 29, 3, 11])
    lazy, eager = inputs(array, index), inputs(np.array(array), index)
    assert isinstance(lazy["pixels"], MappedRows)
    assert isinstance(eager["pixels"], torch.Tensor)
    y, weight = torch.eye(2)[[0, 1, 0, 1, 0]], torch.ones(5)
    at = np.array([4, 0, 2])
    one, two = (Rows(x, y, weight).batch(at, Placement())[0]["pixels"] for x in (lazy, eager))
    assert torch.equal(one, two)
    assert one.dtype == torch.float32
    assert torch.equal(
        ready({"pixels": lazy["pixels"][1:4]}, Placement())["pixels"],
        ready({"pixels": eager["pixels"][1:4]}, Placement())["pixels"],
    )
    assert lazy["pixels"].nbytes == eager["pixels"].nbytes
    assert torch.equal(lazy["pixels"].to("cpu"), eager["pixels"])


def test_pictures_of_a_map_are_not_read_in_whole(tmp_path: Path) -> None:
    class Counted(np.memmap):
        read = 0

        def __getitem__(self, key: object) -> np.ndarray:
            found = super().__getitem__(key)
            Counted.read += len(found)
            return found

    rows = MappedRows(mapped(tmp_path).view(Counted), np.arange(30))
    assert Counted.read == 0
    rows.index_select(0, torch.tensor([3, 5]))
    assert Counted.read == 2
