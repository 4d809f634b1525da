"""A model folder and a recipe that version 0.1 wrote, before the packages got their present order: today's code reads
them, and the model predicts the same.

`tests/fixtures/model_of_0_1` holds an ensemble of a perceptron and boosted trees, rows with a missing number, a missing
category and an unknown one, and the predictions of that version with one CPU thread. They are never made anew: today's
code must not be the referee of itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rarebird as rb
from rarebird.model.model import Model
from rarebird.model.rows import RowsToPredict
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import Ensemble
from rarebird.runs.predict import prediction_table, read

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "model_of_0_1"
PREDICTED: dict[str, Any] = json.loads((FOLDER / "predicted.json").read_text(encoding="utf-8"))
TREES = 1
# Another processor or another version of torch may add float32 numbers in another order, which changes the last bit of
# the perceptron's outputs. This is less than one float32 rounding step of a probability.
ROUNDING = 1e-7


def numbers(name: str) -> np.ndarray:
    """Recorded numbers; they are stored in hexadecimal, so that no bit is lost."""
    return np.array([[float.fromhex(text) for text in row] for row in PREDICTED[name]])


def made_with() -> dict[str, str]:
    """What decides the last bits of a prediction: the kind of processor, torch and numpy."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    vendor = next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), "")
    cpu = f"{vendor} {torch.backends.cpu.get_cpu_capability()}"
    return {"cpu": cpu, "torch": torch.__version__, "numpy": np.__version__}


def rows(model: Model) -> RowsToPredict:
    """The fixture's rows, as `rarebird predict` reads them."""
    return read(model, FOLDER / "rows.csv", None, labelled=False)


@pytest.fixture
def model() -> Model:
    return rb.load(FOLDER / "model")


def check_predictions(model: Model) -> None:
    given = rows(model)
    data = given.data
    probabilities, expected = model.outputs(data), numbers("probabilities")
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=ROUNDING)
    if made_with() == PREDICTED["made with"]:
        np.testing.assert_array_equal(probabilities, expected)
    # Trees compare float64 numbers and add their leaves in a fixed order: no machine may give another bit.
    np.testing.assert_array_equal(model.members[TREES].logits(data, "cpu"), numbers("logits of the trees"))
    assert list(prediction_table(model, given)["label"]) == PREDICTED["labels"]


def test_it_loads_and_predicts_the_same(model: Model) -> None:
    assert len(model.members) == 2
    assert set(PREDICTED["labels"]) == set(model.classes)
    check_predictions(model)


def test_saved_again_it_is_the_same_model(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    check_predictions(rb.load(tmp_path / "model"))
    for name in ("weights.safetensors", f"member_{TREES}.txt"):
        assert (tmp_path / "model" / name).read_bytes() == (FOLDER / "model" / name).read_bytes()


def test_its_recipe_is_read_and_written_equal(model: Model) -> None:
    recipe = ensemble.read(FOLDER / "recipe.toml")
    assert isinstance(recipe, Ensemble)
    # Stages and recipes have got settings since, whose defaults are what they did then.
    written = recipe.to_toml()
    for default in (
        "layer_decay = 1.0, ",
        "frozen_statistics = false, ",
        "quantization_aware = false, ",
        "same_start = false\n",
        "accumulation = 1\n",
        "activation_checkpointing = false\n",
        "sharded = false\n",
        ", state_bits = 32",
    ):
        assert written.count(default) == len(recipe.members), default
        written = written.replace(default, "")
    assert written == (FOLDER / "recipe.toml").read_text(encoding="utf-8")
    assert recipe == model.recipe


def test_the_fixture_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 20_000
