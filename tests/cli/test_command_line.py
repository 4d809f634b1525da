"""The main commands as a user types them: fit, the run's folder, predict, evaluate, and fit by the recorded recipe."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command_line import rarebird
from tests.runs.owning import visible

FAST = ["--steps", "20", "--quiet"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def table(home: Path) -> Path:
    """A skewed table with Chinese column and class names, categories and missing values."""
    rng = np.random.default_rng(0)
    y = rng.random(240) < 0.2
    frame = pd.DataFrame(
        {
            "身高": rng.normal(170 + 8 * y, 6),
            "weight": rng.normal(60, 5, 240),
            "城市": rng.choice(["北京", "上海", "成都"], 240),
            "結果": np.where(y, "稀有", "常見"),
        }
    )
    frame.loc[::17, "weight"] = np.nan
    path = home / "資料.csv"
    frame.to_csv(path, index=False, encoding="gb18030")
    return path


@pytest.fixture
def run(table: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that all tests look at; who changes it takes a copy."""
    folder = home / "運行"
    if folder.exists():
        return folder
    done = rarebird(capsys, monkeypatch, "fit", table, "--target", "結果", "--out", folder, *FAST, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["classes"] == ["常見", "稀有"] or found["classes"] == ["稀有", "常見"]
    assert found["positive"] == "稀有"
    assert found["model"] == str(folder / "model")
    assert found["n_train"] + found["n_test"] == 240
    for name in ("balanced_accuracy", "average_precision", "expected_calibration_error"):
        estimate = found["metrics"][name]
        assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert [row["class"] for row in found["per_class"]] == found["classes"]
    return folder


def test_the_runs_folder_has_all_its_files(run: Path) -> None:
    assert visible(run) == [
        "DATA_CARD.md",
        "MODEL_CARD.md",
        "data.json",
        "explanation.json",
        "held_out_predictions.csv",
        "held_out_rows.safetensors",
        "learned_rows.safetensors",
        "model",
        "recipe.toml",
        "report.html",
        "result.json",
        "test_predictions.csv",
        "test_rows.safetensors",
    ]
    assert sorted(path.name for path in (run / "model").iterdir()) == [
        "DATA_CARD.md",
        "MODEL_CARD.md",
        "held_out.safetensors",
        "model.json",
        "weights.safetensors",
    ]
    assert "稀有" in (run / "report.html").read_text(encoding="utf-8")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["protocol"].startswith("10-fold")
    assert list(run.parent.glob(".*")) == []


def test_a_fresh_process_gives_the_same_probabilities(run: Path, table: Path, tmp_path: Path) -> None:
    from rarebird.runs import predict

    model = predict.load(run)
    here = model.outputs(predict.read(model, table, None, labelled=False).data)
    out = tmp_path / "predicted.csv"
    subprocess.run([sys.executable, "-m", "rarebird", "predict", str(run), str(table), "--out", str(out)], check=True)
    there = pd.read_csv(out)
    assert len(there) == 240
    assert set(there["label"]) <= {"常見", "稀有"}
    np.testing.assert_allclose(there[[f"probability_{label}" for label in model.classes]].to_numpy(), here, atol=1e-5)
    np.testing.assert_allclose(here.sum(axis=1), 1)


def test_a_recorded_recipe_repeats_the_run_exactly(
    run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    done = rarebird(
        capsys, monkeypatch, "fit", table, "--target", "結果", "--out", again, "--recipe", run / "recipe.toml", "--json"
    )
    assert done.code == 0, done.err
    first = json.loads((run / "result.json").read_text(encoding="utf-8"))
    second = json.loads((again / "result.json").read_text(encoding="utf-8"))
    for part in ("test", "validation", "history", "class_counts"):
        assert first[part] == second[part]
    assert (run / "recipe.toml").read_text(encoding="utf-8") == (again / "recipe.toml").read_text(encoding="utf-8")
    assert (run / "model" / "weights.safetensors").read_bytes() == (
        again / "model" / "weights.safetensors"
    ).read_bytes()


def test_evaluate_scores_the_whole_file(
    run: Path, table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, "evaluate", run, table, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["n_test"] == 240
    assert sum(row["support"] for row in found["per_class"]) == 240
    shown = rarebird(capsys, monkeypatch, "evaluate", run / "model", table)
    assert "balanced_accuracy" in shown.out
    assert "稀有" in shown.out


def test_predict_takes_unseen_categories_and_missing_values_but_no_missing_column(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "odd.csv"
    odd.write_text("extra,城市,身高,weight\n1,拉薩,,60\n2,北京,171,\n", encoding="utf-8")
    done = rarebird(capsys, monkeypatch, "predict", run, odd)
    assert done.code == 0, done.err
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [row["id"] for row in rows] == ["1", "2"]
    short = tmp_path / "short.csv"
    short.write_text("城市,身高\n北京,171\n", encoding="utf-8")
    refused = rarebird(capsys, monkeypatch, "predict", run, short)
    assert refused.code == 2
    assert "'weight'" in refused.err


def test_a_run_may_be_replaced_but_nothing_else(
    run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(run, tmp_path / "run"))
    before = (run / "result.json").stat().st_mtime_ns
    again = ["fit", table, "--target", "結果", "--out", run, *FAST, "--set", "folds=2"]
    refused = rarebird(capsys, monkeypatch, *again)
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert (run / "result.json").stat().st_mtime_ns == before
    done = rarebird(capsys, monkeypatch, *again, "--force")
    assert done.code == 0, done.err
    assert (run / "result.json").stat().st_mtime_ns > before
    assert done.out.count("95 % intervals") == 1


def test_regression_works_in_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    path = tmp_path / "numbers.csv"
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "target": 100 + 30 * x[:, 0] + rng.normal(size=300)}).to_csv(
        path, index=False
    )
    short = ["--steps", "200", "--set", "folds=2"]
    done = rarebird(capsys, monkeypatch, "fit", path, "--out", tmp_path / "run", *short, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["metrics"]["r2"]["value"] > 0.8
    assert found["per_class"] == []
    predicted = rarebird(capsys, monkeypatch, "predict", tmp_path / "run", path)
    values = [float(row["prediction"]) for row in csv.DictReader(predicted.out.splitlines())]
    assert abs(np.mean(values) - 100) < 10


def test_profile_and_list_print_text_or_json(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = rarebird(capsys, monkeypatch, "profile", table, "--target", "結果")
    assert "imbalance ratio" in shown.out
    assert "稀有" in shown.out
    found = json.loads(rarebird(capsys, monkeypatch, "profile", table, "--target", "結果", "--json").out)
    assert found["n"] == 240
    listed = rarebird(capsys, monkeypatch, "list", "loss", "--kind", "table")
    assert "focal" in listed.out
    assert rarebird(capsys, monkeypatch, "list", "losses").code == 2
    cards = json.loads(rarebird(capsys, monkeypatch, "list", "--json").out)
    assert {"slot": "decision", "name": "argmax"}.items() <= next(
        card for card in cards if card["name"] == "argmax"
    ).items()


def test_data_that_come_split_are_scored_on_their_test_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    pictures = (rng.random((40, 8, 8)) * 128 + 100 * labels[:, None, None]).astype(np.uint8)
    path = tmp_path / "pictures.npz"
    np.savez(
        path, train_images=pictures[:30], train_labels=labels[:30], test_images=pictures[30:], test_labels=labels[30:]
    )
    done = rarebird(
        capsys, monkeypatch, "fit", path, "--out", tmp_path / "run", "--steps", "10", "--json", "--set", "folds=2"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["n_test"] == 10
    predicted = rarebird(capsys, monkeypatch, "predict", tmp_path / "run", path)
    assert len(list(csv.DictReader(predicted.out.splitlines()))) == 10
    found = json.loads(rarebird(capsys, monkeypatch, "evaluate", tmp_path / "run", path, "--json").out)
    assert found["metrics"] == json.loads(done.out)["metrics"]
    other = tmp_path / "other.npz"
    np.savez(other, X=pictures[30:], y=labels[30:])
    again = json.loads(rarebird(capsys, monkeypatch, "evaluate", tmp_path / "run", other, "--json").out)
    assert again["metrics"] == found["metrics"]
    beside = rarebird(
        capsys,
        monkeypatch,
        "fit",
        path,
        "--test",
        other,
        "--out",
        tmp_path / "two",
        "--steps",
        "5",
        "--set",
        "folds=2",
        "--json",
    )
    assert json.loads(beside.out)["n_test"] == 10
