"""A model's folder: saved and loaded it is the same model, and a broken or hostile one is refused in one sentence."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Source, Splits
from rarebird.experiment.run import run
from rarebird.model.files import DESCRIPTION, WEIGHTS
from rarebird.model.model import Model, load
from rarebird.recipe.recipe import Recipe

NETWORKS = {
    "table": {"name": "mlp", "width": 8, "depth": 1},
    "image": {"name": "resnet", "width": 4},
    "series": {"name": "inception_time", "depth": 1, "width": 2},
}
CLASSES = ("n", "猫", "y")


def rows(kind: str, n: int = 60, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    source: Source
    if kind == "table":
        frame = pd.DataFrame(
            {"a": rng.normal(size=n), "c": rng.choice(["u", "v"], n), "when": pd.Timestamp("2024-01-01")}
        )
        frame["when"] += pd.to_timedelta(rng.integers(0, 99, n), unit="D")
        source = Frame(frame)
    elif kind == "image":
        source = Pixels(rng.integers(0, 256, (n, 1, 9, 8), dtype=np.uint8))
    else:
        source = Curves(rng.normal(size=(n, 2, 12)).astype(np.float32), np.full(n, 12))
    y = np.arange(n) % 3
    return Dataset(kind, "classification", source, np.arange(n), y, CLASSES, np.arange(n).astype(str))  # type: ignore[arg-type]


def fitted(kind: str, **changes: Any) -> Model:
    recipe = {
        "kind": kind,
        "network": NETWORKS[kind],
        "calibration": ["prior_correction", "temperature", "class_scale_bias"],
    }
    recipe |= {
        "decision": "threshold",
        "metric": "macro_f1",
        "steps": 2,
        "folds": 2,
        "batch_size": 16,
        "loss": "weighted",
    }
    return run(Recipe(**(recipe | changes)), Splits(rows(kind)), test_share=0).model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    fitted("table").save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.mark.parametrize("kind", ["table", "image", "series"])
def test_a_loaded_model_is_the_saved_one_bit_for_bit(kind: str, tmp_path: Path) -> None:
    model = fitted(kind, precision="bfloat16" if kind == "image" else "float32", channels_last=kind == "image")
    model.save(tmp_path / "model")
    loaded, fresh = load(tmp_path / "model"), rows(kind, seed=1)
    np.testing.assert_array_equal(loaded.outputs(fresh), model.outputs(fresh))
    np.testing.assert_array_equal(loaded.labels(loaded.outputs(fresh)), model.labels(model.outputs(fresh)))
    np.testing.assert_allclose(loaded.outputs(fresh).sum(axis=1), 1)
    assert (loaded.recipe, loaded.classes, loaded.versions) == (model.recipe, CLASSES, model.versions)
    np.testing.assert_array_equal(loaded.prior, model.prior)
    loaded.save(tmp_path / "again")
    for name in (DESCRIPTION, WEIGHTS):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_all_files_of_a_model_have_the_usual_permissions(saved: Path) -> None:
    assert len({path.stat().st_mode for path in saved.iterdir()}) == 1


def test_a_row_gets_the_same_prediction_alone_and_among_others(saved: Path) -> None:
    model, data = load(saved), rows("table", 200, seed=2)
    together = model.outputs(data)
    np.testing.assert_allclose(
        np.concatenate([model.outputs(data.take(np.array([row]))) for row in range(5)]), together[:5], atol=1e-6
    )


def test_regression_has_neither_calibration_nor_decision(tmp_path: Path) -> None:
    data = replace(rows("table"), task="regression", y=np.linspace(0, 9, 60), classes=())
    recipe = Recipe(kind="table", network=NETWORKS["table"], loss="mean_squared", steps=2, folds=2)
    model = run(recipe, Splits(data), test_share=0).model
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.decision is None
    np.testing.assert_array_equal(loaded.labels(loaded.outputs(data)), model.outputs(data)[:, 0])


def refused(folder: Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        load(folder)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    assert str(folder) in text


def described(copy: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = copy / DESCRIPTION
    plain = json.loads(path.read_text(encoding="utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), encoding="utf-8")


def put(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change: `value` at the path `keys`."""

    def change(plain: Any) -> None:
        for key in keys[:-1]:
            plain = plain[key]
        plain[keys[-1]] = value

    return change


SPEC = ("members", 0, "prepared", "spec")
TABLE = ("members", 0, "prepared", "table")
CHAIN = ("members", 0, "calibrations")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("version", value=2), "version"),
        (put("format", value="another model"), "format"),
        (put("members", value=[]), "members"),
        (put("members", value=[{}] * 100_000), "prepared"),
        (put("members", value="x" * 1_000_000), "members"),
        (put("extra", value=1), "no setting 'extra'"),
        (put("prior", value=[0.5, 0.5]), "prior"),
        (put("prior", value=[-1, 1, 1]), "prior"),
        (put("prior", value=["a"]), "prior"),
        (put("prior", 0, value=math.nan), "numbers are finite"),
        (put("prior", 0, value=math.inf), "numbers are finite"),
        (put("positive", value="stranger"), "positive is a class"),
        (put("decision", value=None), "a decision for classes"),
        (put("decision", "name", value="../../../tmp/evil"), "decision has no method"),
        (put("decision", "name", value="os"), "decision has no method"),
        (put("decision", "fitted", "offsets", value=[0.0, 1.0]), "one offset per class"),
        (put("decision", "fitted", "command", value="rm"), "command"),
        (put(*CHAIN, 0, "name", value="focal"), "calibration has no method"),
        (put(*CHAIN, 0, "fitted", "shift", value=[0.0, 1.0]), "one shift per class"),
        (put(*CHAIN, 0, "fitted", "shift", value=[[0.0]]), "shift"),
        (put(*CHAIN, 1, "fitted", "temperature", value=0), "temperature"),
        (put(*CHAIN, 2, "fitted", "scale", value=[1.0] * 7), "one scale and bias per class"),
        (put("recipe", "network", "name", value="builtins"), "network has no method"),
        (put("recipe", "network", value={"name": "resnet"}), "does not serve"),
        (put("recipe", "network", "width", value=10**9), "width"),
        (put("recipe", "network", "width", value=4096), "weights are those of the network"),
        (put("recipe", "kind", value="series"), "kind"),
        (put("recipe", "loss", "module", value="os.system"), "no setting 'module'"),
        (put("recipe", value=[]), "recipe"),
        (put(*SPEC, "n_outputs", value=10**12), "one output per class"),
        (put(*SPEC, "n_outputs", value=2), "one output per class"),
        (put(*SPEC, "n_numbers", value=10**12), "numbers have bins each"),
        (put(*SPEC, "cardinalities", value=[10**12]), "categories have a code each"),
        (put(*SPEC, "task", value="regression"), "one output per class|predict the same classes"),
        (put("members", 1, "prepared", "classes", value=["n", "z", "y"]), "predict the same classes"),
        (put("members", 1, "prepared", "classes", value=["n"]), "predict the same classes"),
        (put(*TABLE, "columns", 0, "center", value=[]), "numbers have bins each"),
        (put(*TABLE, "columns", 0, "role", value="date"), "numbers have bins each"),
        (put(*TABLE, "columns", value=[]), "categories have a code each"),
        (put(*TABLE, value=None), "tables have columns"),
        (lambda plain: plain.clear(), "recipe"),
        (lambda plain: plain["members"].append(plain["members"][0]), "weights are those of the network"),
        (lambda plain: plain["members"].pop(), "every tensor belongs to a network"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    described(copy, change)
    refused(copy, message)


def test_a_picture_of_absurd_size_is_refused_without_being_made(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    fitted("image").save(folder)
    for height, width in ((10**9, 10**9), (-3, 8), (0, 8)):
        described(folder, put(*SPEC, "height", value=height))
        described(folder, put(*SPEC, "width", value=width))
        refused(folder, "1 <= size <= 4096")


@pytest.mark.parametrize("scale", ["mean", "std"])
def test_a_scale_beyond_float32_is_refused(scale: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    fitted("series").save(folder)
    described(folder, put(*SPEC, scale, 0, value=1e308))
    refused(folder, "mean and std of a channel are at most 3e\\+38")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ("null", "description"),
        ("[1, 2]", "description"),
        ("[" * 100_000, "."),
        ('{"prior": [1e999]}', "numbers are finite"),
        ('{"prior": [' + "9" * 5000 + "]}", "."),
        ("\xff\xfe", "."),
    ],
)
def test_a_text_that_is_no_description_is_refused(copy: Path, text: str, message: str) -> None:
    (copy / DESCRIPTION).write_text(text, encoding="latin-1")
    refused(copy, message)


def test_a_description_too_large_to_be_one_is_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rarebird.core.memory.free_bytes", lambda: 1_000)
    refused(copy, "of memory, but only")


@pytest.mark.parametrize("name", [DESCRIPTION, WEIGHTS])
def test_a_device_or_a_pipe_in_place_of_a_file_is_not_read(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)
    refused(copy, "no file model.json|not a file, but a device, a pipe")
    (copy / name).unlink()
    (copy / name).symlink_to("/dev/zero")
    refused(copy, "no file model.json|not a file, but a device, a pipe")


def weighted(copy: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(copy / WEIGHTS)
    change(tensors)
    save_file({name: value.contiguous() for name, value in tensors.items()}, copy / WEIGHTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("0.head.weight"), "weights are those of the network.*head.weight"),
        (lambda tensors: tensors.update({"0.head.weight": torch.zeros(3, 3)}), "weights are those of the network"),
        (
            lambda tensors: tensors.update({"0.head.bias": tensors["0.head.bias"].double()}),
            "weights are those of the network",
        ),
        (lambda tensors: tensors.update({"0.payload": torch.zeros(3)}), "weights are those of the network.*payload"),
        (lambda tensors: tensors.update({"7.head.bias": torch.zeros(3)}), "every tensor belongs to a network"),
        (lambda tensors: tensors.update({"payload": torch.zeros(3)}), "every tensor belongs to a network"),
        (lambda tensors: tensors.update({"1.head.bias": torch.full((3,), torch.nan)}), "weights are finite.*head.bias"),
        (lambda tensors: tensors.clear(), "weights are those of the network"),
    ],
)
def test_weights_that_are_not_the_networks_are_refused(
    copy: Path, change: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    weighted(copy, change)
    refused(copy, message)


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64, (2**40).to_bytes(8, "little") + b"{}"])
def test_a_weights_file_that_is_none_is_refused(copy: Path, content: bytes) -> None:
    (copy / WEIGHTS).write_bytes(content)
    refused(copy, "is no model that can be read")


def test_an_absent_part_is_named(copy: Path) -> None:
    (copy / WEIGHTS).unlink()
    refused(copy, "weights.safetensors")
    (copy / DESCRIPTION).unlink()
    refused(copy, "there is no file model.json")
    refused(copy / "nowhere", "holds no rarebird model")


def test_a_run_leads_to_its_model(saved: Path) -> None:
    assert load(saved.parent).classes == CLASSES


def test_a_failure_while_saving_leaves_nothing(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(saved)
    model.save(tmp_path / "model")
    before = (tmp_path / "model" / WEIGHTS).read_bytes()
    monkeypatch.setattr("safetensors.torch.save_file", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save(tmp_path / "model")
    assert (tmp_path / "model" / WEIGHTS).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
