"""A request's recipe, and that duplicates are searched for only as often as needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.profile import duplicates
from rarebird.recipe.recipe import Recipe
from rarebird.runs import request
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.request import Request, resolve_recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80), "target": ["n", "y", "n", "n"] * 20})
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def test_recorded_changes_of_the_step_plan_are_kept_with_its_steps_alone(table: Path) -> None:
    recorded = Recipe(kind="table", network="mlp", steps=100, folds=2, relaid=(((20, 60),), ((30, 90),)))
    data = request.read_data(Request(table, Path()))

    def resolved(*settings: str, **changes: int) -> Recipe:
        return resolve_recipe(Request(table, Path(), settings=settings, **changes), recorded, data)  # type: ignore[arg-type]

    assert resolved() == recorded
    assert resolved("loss=focal", seed=3).relaid == recorded.relaid
    assert resolved(steps=50).relaid == resolved("steps=50").relaid == resolved("folds=3").relaid == ()
    assert resolved(steps=50).steps == 50


def test_duplicates_are_searched_for_once_where_there_are_only_training_rows(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    real = duplicates.find

    def counting(parts: list[Dataset], **options: bool) -> duplicates.Matches:
        looked.append(len(parts))
        return real(parts, **options)

    for module in (duplicates, request.duplicates):
        monkeypatch.setattr(module, "find", counting)
    monkeypatch.setattr("rarebird.profile.profile.find", counting)
    settings = ("folds=2", "network.width=8")
    fit_recipe(Request(table, tmp_path / "one", steps=2, settings=settings), Clock(60))
    assert looked == [1]
    looked.clear()
    fit_recipe(Request(table, tmp_path / "two", test=table, steps=2, settings=settings), Clock(60))
    # The profile looks at the test rows, too; the split must not depend on them, so it needs a search of its own.
    assert sorted(looked) == [1, 2]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 40 pictures of 12 px, in two classes."""
    rng = np.random.default_rng(0)
    for place in range(40):
        folder = tmp_path / "pictures" / ("bright" if place % 2 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (12, 12, 3), dtype=np.uint8) + np.uint8(100 * (place % 2))
        Image.fromarray(pixels).save(folder / f"{place}.png")
    return tmp_path / "pictures"


def side_of(data: Splits) -> int:
    assert isinstance(data.train.source, Pixels)
    return int(data.train.source.array.shape[2])


@pytest.mark.parametrize(("settings", "side"), [((), 12), (("image_size=24",), 24)])
def test_pictures_are_read_at_the_size_that_is_asked_for_and_the_run_records_it(
    pictures: Path, tmp_path: Path, settings: tuple[str, ...], side: int
) -> None:
    asked = Request(pictures, tmp_path / "run", steps=2, settings=("folds=2", "network=linear", *settings))
    data = request.read_data(asked)
    assert side_of(data) == side
    outcome = fit_recipe(asked, Clock(60))
    assert outcome.recipe.image_size == outcome.model.spec.height == side
    # The recorded recipe reads the pictures as they were read, also where only part of it is asked for.
    replay = Request(pictures, recipe=tmp_path / "run" / "recipe.toml")
    assert side_of(request.read_data(replay)) == side
    assert side_of(request.read_data(replace(replay, settings=("image_size=16",)))) == 16


def test_a_search_does_not_range_over_the_size_of_pictures_that_are_read_once(pictures: Path) -> None:
    for size in ("[16, 24]", "int(16, 24)", "4", "large"):
        with pytest.raises(DataError, match="image_size is one whole number of pixels, 8 or more"):
            request.read_data(Request(pictures, settings=(f"image_size={size}",)))


def test_test_rows_that_are_given_are_not_asked_for(tmp_path: Path) -> None:
    """`fit Toy_TRAIN.tsv --test Toy_TEST.tsv` was told that the second is used only if it is given with --test."""
    for part in ("TRAIN", "TEST"):
        text = "".join(f"{row % 2}\t{row}.5\t1.0\t{len(part)}.0\n" for row in range(12))
        (tmp_path / f"Toy_{part}.tsv").write_text(text, encoding="utf-8")
    data = request.read_data(Request(data=tmp_path / "Toy_TRAIN.tsv", test=tmp_path / "Toy_TEST.tsv"))
    assert data.test is not None
    assert data.notes == ()
