"""Rows that stay on disk: trained as those in memory are, in batches that are near each other, or by a sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rarebird as rb
from rarebird.data import sources
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.readers import stored_columns
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.runs.input_columns import kept_columns, truths
from rarebird.runs.predict import prediction_table, read
from rarebird.slots import methods
from rarebird.slots.sampling_state import SamplingState
from rarebird.training import rows_at_once
from rarebird.training.nearby_rows import replaced
from rarebird.training.preparation import prepared
from rarebird.training.training_rows import prepared_rows

N = 900


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    y = np.sort(rng.random(N) < 0.1)  # a file in the order of its classes
    frame = pd.DataFrame({f"x{place}": rng.normal(size=N) + 2 * y for place in range(3)})
    frame["word"], frame["id"] = rng.choice(["a", "b"], N), [f"row {place}" for place in range(N)]
    frame["target"] = np.where(y, "rare", "common")
    file = tmp_path_factory.mktemp("table") / "t.parquet"
    frame.to_parquet(file)
    return file


def in_parts(path: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> Dataset:
    monkeypatch.setattr(stored_columns, "PART_BYTES", 4000)
    return rb.read(path, on_disk=True, **options).train


def trained(rows: Splits, **settings: object) -> Outcome:
    recipe = default_recipe(rows.train, None, 1).updated(folds=0, holdout=0.2, steps=12)
    return run(recipe.updated(**settings), rows)


@pytest.mark.parametrize(
    "settings",
    [
        {"network": methods.build("network", {"name": "mlp", "width": 16}), "batch_size": 64},
        {"reference": methods.build("reference", {"name": "boosted_trees"})},
        {"resampling": methods.build("resampling", {"name": "smote"}), "batch_size": 64},
    ],
    ids=["network", "reference", "resampling"],
)
def test_the_same_model_as_of_rows_in_memory(path: Path, settings: dict[str, object]) -> None:
    one, other = (trained(rb.read(path, on_disk=on_disk), **settings) for on_disk in (False, True))
    assert one.test_rows is not None
    assert other.test_rows is not None
    np.testing.assert_array_equal(one.test_rows.outputs, other.test_rows.outputs)
    assert one.result.notes == other.result.notes
    assert one.result.validation == other.result.validation


def test_predictions_of_rows_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(rb.read(path), network=methods.build("network", {"name": "mlp", "width": 16})).model
    tables = []
    for on_disk in (False, True):
        monkeypatch.setattr(stored_columns, "PART_BYTES", 4000)
        options = ReadOptions(role="rows", on_disk=on_disk)
        rows = read(model, path, None, False, options)
        truth, kept = truths(model, path, rows, options), kept_columns(model, path, rows, None, options)
        assert list(kept) == ["id"]
        tables.append(prediction_table(model, rows, truth, kept).astype({"truth": str}))
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("sampling", ["shuffled", "class_balanced"])
def test_batches_of_rows_that_are_near_each_other(path: Path, sampling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = in_parts(path, monkeypatch)
    rows = prepared_rows(prepared(data, 0)[0], data)
    assert rows.parts is not None
    assert len(np.unique(rows.parts)) > 5
    method = methods.build("batch_sampling", {"name": sampling})
    drawn = [*method(data.y, 20, np.random.default_rng(3), SamplingState())]
    given = [*replaced(iter(drawn), rows, data.y, method, np.random.default_rng(4))]
    for before, after in zip(drawn, given, strict=True):
        np.testing.assert_array_equal(data.y[before], data.y[after])
    if sampling == "shuffled":
        np.testing.assert_array_equal(np.sort(np.concatenate(given)), np.arange(len(data)))
    spread = [np.mean([len(np.unique(rows.parts[batch])) for batch in batches]) for batches in (drawn, given)]
    assert spread[1] < spread[0] / 2
    # Each part is a sample of the whole file, which is in the order of its classes.
    shares = np.bincount(rows.parts, data.y) / np.bincount(rows.parts)
    assert shares.max() < 0.5
    weighted = replace(rows, counts=np.ones(len(data)))
    kept = replaced(iter(drawn), weighted, data.y, method, np.random.default_rng(4))
    # Rows drawn by their weights are no others' equals.
    assert sampling == "shuffled" or [*map(id, kept)] == [*map(id, drawn)]


def test_training_in_parts_repeats_and_learns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_columns, "PART_BYTES", 4000)
    network = methods.build("network", {"name": "mlp", "width": 16})
    optimizer = methods.build("optimizer", {"name": "adamw", "learning_rate": 0.02})
    quick = {"optimizer": optimizer, "batch_size": 64, "steps": 40}
    one, other = (trained(rb.read(path, on_disk=True), network=network, **quick) for _ in range(2))
    np.testing.assert_array_equal(one.out_of_fold, other.out_of_fold)
    score = one.result.validation.metrics["balanced_accuracy"].value
    assert score is not None
    assert score > 0.8


def test_a_sample_has_all_rows_of_the_rarer_class_and_says_how_it_bends_the_prior(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = in_parts(path, monkeypatch)
    monkeypatch.setattr(sources, "SAMPLE_CELLS", 5 * 300)
    some = rows_at_once.sampled(data, 0)
    sample = rows_at_once.in_memory(data.take(some))
    rare = int(data.y.sum())
    assert sample.class_counts.tolist() == [300 - rare, rare]
    outcome = trained(Splits(data), reference=methods.build("reference", {"name": "boosted_trees"}))
    assert any("boosted_trees needs its rows in memory at once: of the" in note for note in outcome.result.notes)
    mean = outcome.model.outputs(data).mean(axis=0)
    assert mean[data.classes.index("rare")] == pytest.approx(rare / N, abs=0.05)
