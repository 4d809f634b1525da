"""Pictures that the time does not allow are left out, class by class, and the frequencies of the classes stay."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rarebird import readers
from rarebird.core.clock import Clock
from rarebird.readers import picture_choice
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_choice import FEWEST
from rarebird.runs.request import Request, read_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """200 common and 30 rare pictures, each of one gray value that tells its number."""
    for name, n in (("common", 200), ("rare", 30)):
        (tmp_path / name).mkdir()
        for number in range(n):
            Image.new("L", (8, 8), number).save(tmp_path / name / f"{number:03d}.png")
    return tmp_path


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture takes a second."""

    def second(files: Sequence[Path], shape: object, *, deep: bool) -> float:
        assert len(files) == 230
        return 1.0

    monkeypatch.setattr(picture_choice, "seconds_to_decode", second)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    ("seconds", "common", "rare"), [(500, 200, 30), (130, 100, FEWEST), (60, 50, FEWEST), (-5, FEWEST, FEWEST)]
)
def test_each_class_keeps_what_the_time_allows(folder: Path, seconds: float, common: int, rare: int) -> None:
    data = readers.read(folder, ReadOptions(deadline=time.monotonic() + seconds))
    counts = data.train.class_counts
    assert counts is not None
    assert counts.tolist() == [common, rare]
    said = [note for note in data.notes if "more than the budget allows" in note]
    assert len(said) == (common < 200)
    if said:
        assert f"Decoding all 230 pictures takes about 4 min, more than the budget allows: {common + rare}" in said[0]
    # A weight k is the row k times: the frequencies are those of all pictures.
    shares = data.train.weighted_counts / data.train.weighted_counts.sum()
    np.testing.assert_allclose(shares, [200 / 230, 30 / 230], rtol=1e-12)


@pytest.mark.usefixtures("slow")
def test_rows_keep_their_labels_and_a_longer_time_keeps_the_same_and_more(folder: Path) -> None:
    few, more = (readers.read(folder, ReadOptions(deadline=time.monotonic() + s)).train for s in (60, 130))
    assert set(few.ids) < set(more.ids)
    for rows in (few, more):
        for row, name in enumerate(rows.ids):
            label, _, number = name.removesuffix(".png").partition("/")
            assert rows.classes[rows.codes[row]] == label
            assert rows.raw()[row, 0, 0, 0] == int(number)


@pytest.mark.usefixtures("slow")
def test_a_request_gives_reading_a_share_of_its_budget(folder: Path) -> None:
    whole = read_data(Request(folder))
    assert len(whole.train) == 230
    assert len(read_data(Request(folder), Clock()).train) == 230  # no budget
    assert len(read_data(Request(folder), Clock(budget=300.0)).train) == 100 + FEWEST  # 120 s for 230 pictures


def test_quick_pictures_are_all_read(folder: Path) -> None:
    data = readers.read(folder, ReadOptions(deadline=time.monotonic() + 600))
    assert len(data.train) == 230
    assert data.train.weight is None
    assert not [note for note in data.notes if "budget" in note]
