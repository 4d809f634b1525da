"""An exported file agrees with its model on raw rows, in whatever form they come, and says what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Splits
from rarebird.experiment.run import run
from rarebird.model.model import Model
from rarebird.model.onnx.file import KEY, agreement, loader_text, write_onnx
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe

CLASSES = ("n", "猫", "y")
pytestmark = pytest.mark.xdist_group("onnx")


def dataset(kind: str, source: Any, n: int) -> Dataset:
    return Dataset(kind, "classification", source, np.arange(n), np.arange(n) % 3, CLASSES, np.arange(n).astype(str))  # type: ignore[arg-type]


def table(n: int = 60, seed: int = 0) -> Dataset:
    """Numbers of all sizes, gaps, rare categories and dates."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "small": rng.normal(size=n),
            "large": 1.7e9 + 1e3 * rng.normal(size=n),
            "gaps": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            "word": rng.choice(["u", "v", f"of {seed}", None], n),
            "code": rng.choice([1.0, 2.0, 30.0], n),
            "when": pd.Timestamp("1969-12-30 23:00") + pd.to_timedelta(rng.integers(0, 9999, n), unit="h"),
        }
    )
    frame["code"] = frame["code"].astype("category")
    frame.loc[rng.random(n) < 0.1, "when"] = pd.NaT
    if seed:
        frame.loc[frame.index[0], "small"], frame.loc[frame.index[-1], "small"] = np.inf, -1e300
    return dataset("table", Frame(frame), n)


def series(n: int = 60, seed: int = 0) -> Dataset:
    """Unequal lengths, and gaps inside and at the ends."""
    rng = np.random.default_rng(seed)
    values = rng.normal(3, 2, size=(n, 2, 12)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    lengths = rng.integers(4, 13, n)
    values[np.arange(12) >= lengths[:, None, None].repeat(2, axis=1)] = np.nan
    return dataset("series", Curves(values, lengths), n)


def pictures(n: int = 60, seed: int = 0) -> Dataset:
    return dataset("image", Pixels(np.random.default_rng(seed).integers(0, 256, (n, 3, 9, 8), dtype=np.uint8)), n)


ROWS = {"table": table, "series": series, "image": pictures}
NETWORKS = {"table": {"name": "mlp", "width": 8}, "series": {"name": "cnn", "width": 2, "dense": 4}}
NETWORKS |= {"image": {"name": "resnet", "width": 4}}


def recipe(kind: str, **changes: Any) -> Recipe:
    calibration = ["prior_correction", "temperature", "class_scale_bias"]
    common = {"kind": kind, "network": NETWORKS[kind], "steps": 3, "folds": 2, "batch_size": 16}
    return Recipe(**(common | {"calibration": calibration, "decision": "threshold", "metric": "macro_f1"} | changes))


def fitted(kind: str, **changes: Any) -> Model:
    return run(recipe(kind, **changes), Splits(ROWS[kind]()), test_share=0).model


@pytest.mark.parametrize("kind", ROWS)
def test_a_file_agrees_with_its_model_on_rows_of_other_values(kind: str, tmp_path: Path) -> None:
    model, path = fitted(kind), tmp_path / "model.onnx"
    about = write_onnx(model, path)
    assert (tmp_path / "model.py").read_text(encoding="utf-8") == loader_text(kind)
    for n in (1, 3, 200):
        found = agreement(model, path, ROWS[kind](n, seed=n))
        assert found.difference < 1e-5
        assert found.labels == found.sets == 1
    assert about["outputs"] == ["probabilities", "label", "members"]
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) == about
    kept = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(kept[KEY]) == about
    assert about["classes"] == list(CLASSES)


def test_pictures_may_have_their_channels_last(tmp_path: Path) -> None:
    model, path = fitted("image", decision="balanced"), tmp_path / "model.onnx"
    assert write_onnx(model, path, "nhwc")["layout"] == "nhwc"
    assert agreement(model, path, pictures(50, seed=1), "nhwc").difference < 1e-5


@pytest.mark.parametrize("kind", ROWS)
def test_the_loader_beside_the_file_needs_neither_rarebird_nor_torch(kind: str) -> None:
    text = loader_text(kind)
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported - {"__future__", "json", "typing", "unicodedata"} == {"numpy", "onnxruntime"}
    assert "def sets(" in text


def test_an_ensemble_is_calibrated_once_more_after_its_mean(tmp_path: Path) -> None:
    members = [(0.7, recipe("table")), (0.3, recipe("table", network={"name": "linear"}, seed=1))]
    model = run(Ensemble.of(members, ["class_scale_bias"]), Splits(table()), test_share=0).model
    write_onnx(model, tmp_path / "model.onnx")
    assert agreement(model, tmp_path / "model.onnx", table(100, seed=1)).difference < 1e-5


def test_a_number_is_predicted_in_its_own_unit(tmp_path: Path) -> None:
    rows = table()
    data = replace(rows, task="regression", y=1e5 + 1e4 * np.linspace(0, 9, len(rows)), classes=())
    settings = recipe("table").updated(calibration=(), loss="mean_squared", decision="balanced")
    model = run(settings, Splits(data), test_share=0).model
    assert write_onnx(model, tmp_path / "model.onnx")["outputs"] == ["value", "members"]
    found = agreement(model, tmp_path / "model.onnx", replace(table(99, seed=1), task="regression", y=None, classes=()))
    assert found.difference < 1e-5
    assert found.labels is None
    assert found.intervals is not None
    assert found.intervals < 1e-5


def test_a_model_that_cannot_be_exported_is_refused_with_the_reason(tmp_path: Path) -> None:
    views = {"augmentation": ["translate"], "test_time_views": 1}
    with pytest.raises(DataError, match="test_time_views"):
        write_onnx(fitted("image", **views), tmp_path / "model.onnx")
    kernels = {"name": "random_kernels", "groups": 1, "kernels": 2}
    with pytest.raises(DataError, match=r"cannot be exported.*--steps distill") as refused:
        write_onnx(fitted("series", network=kernels), tmp_path / "model.onnx")
    assert "\x1b" not in str(refused.value)
    assert "step 1/3" not in str(refused.value)
    assert not list(tmp_path.iterdir())
