"""Initial weights from another model of this package: what fits comes along, what would leak is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.experiment.run import Outcome, run
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe

NETWORK = {"name": "mlp", "width": 8, "depth": 2}


def rows(seed: int = 0, columns: tuple[str, ...] = ("a", "b"), classes: tuple[str, ...] = ("n", "y")) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.arange(60) % len(classes)
    frame = pd.DataFrame({name: rng.normal(y, 1.0) for name in columns})
    return Dataset("table", "classification", Frame(frame), np.arange(60), y, classes, np.arange(60).astype(str))


def fitted(train: Dataset, **changes: Any) -> Outcome:
    settings = {"kind": "table", "network": NETWORK, "steps": 1, "batch_size": 16, "folds": 0, "holdout": 0.3}
    # A step that changes nothing: the model shows the weights that it began with.
    still = {"name": "sgd", "learning_rate": 1e-12, "weight_decay": 0.0}
    recipe = Recipe(**{**settings, "threads": 1, "precision": "float32", "optimizer": still, **changes})
    return run(recipe, Splits(train), test_share=0.2)


def transferred(folder: Path, train: Dataset, **changes: Any) -> Outcome:
    return fitted(train, transfer={"name": "from_run", "run": str(folder)}, **changes)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    fitted(rows(), seed=5).model.save(folder / "model")
    return folder


def states(folder: Path, outcome: Outcome) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    own, other = load(folder).members[0].network.state_dict(), outcome.model.members[0].network.state_dict()
    return own, other


def test_every_part_comes_along_with_the_head_of_the_same_classes(source: Path) -> None:
    outcome = transferred(source, rows(1))
    theirs, own = states(source, outcome)
    for name, part in theirs.items():
        torch.testing.assert_close(own[name], part, rtol=1e-4, atol=1e-6)
    started = outcome.model.members[0].started
    assert started is not None
    assert not started.drawn


def test_the_head_of_other_classes_is_new(source: Path) -> None:
    outcome = transferred(source, rows(1, classes=("n", "z")))
    theirs, own = states(source, outcome)
    assert not torch.allclose(theirs["head.weight"], own["head.weight"])
    started = outcome.model.members[0].started
    assert started is not None
    assert not [name for name in started.loaded if name.startswith("head.")]


def test_a_wider_network_takes_what_fits_and_lists_the_rest(source: Path) -> None:
    outcome = transferred(source, rows(1), network={**NETWORK, "depth": 3})
    started = outcome.model.members[0].started
    assert started is not None
    assert started.loaded
    assert started.drawn
    assert any("Newly drawn as well" in note for note in outcome.result.notes)


def test_a_run_on_the_same_rows_is_refused(source: Path, tmp_path: Path) -> None:
    train = rows(1)
    load(source).save(tmp_path / "model")
    (tmp_path / "data.json").write_text(f'{{"fingerprint": "{fingerprint(rows(2))}"}}')
    transferred(tmp_path, train)
    (tmp_path / "data.json").write_text(f'{{"fingerprint": "{fingerprint(train)}"}}')
    with pytest.raises(DataError, match="was trained on these same rows"):
        transferred(tmp_path, train)


def test_other_columns_an_empty_folder_and_a_changed_model_are_one_sentence(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is for the columns a, b, which these rows do not have"):
        transferred(source, rows(1, columns=("a", "c")))
    with pytest.raises(DataError, match="holds no rarebird model"):
        transferred(tmp_path, rows(1))
    with pytest.raises(DataError, match="Which run"):
        fitted(rows(1), transfer="from_run")
    recorded = transferred(source, rows(1)).recipe
    assert isinstance(recorded, Recipe)
    fitted(rows(), seed=6).model.save(tmp_path / "model")
    settings = {**recorded.plain()["transfer"], "run": str(tmp_path)}
    with pytest.raises(DataError, match="has changed since the recipe was trained"):
        fitted(rows(1), transfer=settings)
