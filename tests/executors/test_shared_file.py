"""Objects in a mapped file: they come back equal, and arrays that are mapped already are passed by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rarebird.executors import shared_file


def test_values_survive_the_file_and_mapped_arrays_are_passed_by_name(tmp_path: Path) -> None:
    stored = np.arange(24_000).reshape(4, 6000)
    np.save(tmp_path / "pictures.npy", stored)
    mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r")
    value = {
        "odd": np.arange(7, dtype=np.int8),
        "empty": np.zeros((0, 3)),
        "text": np.array(["a", None], dtype=object),
        "pictures": mapped,
    }
    shared_file.write(tmp_path / "shared", value)
    back = shared_file.read(tmp_path / "shared")
    for name in value:
        np.testing.assert_array_equal(back[name], value[name])
    assert Path(back["pictures"].filename) == tmp_path / "pictures.npy"
    assert (tmp_path / "shared").stat().st_size < stored.nbytes
    back["odd"][0] = 100
    assert shared_file.read(tmp_path / "shared")["odd"][0] == 0


def test_an_object_without_arrays_can_be_shared(tmp_path: Path) -> None:
    shared_file.write(tmp_path / "shared", None)
    assert shared_file.read(tmp_path / "shared") is None
