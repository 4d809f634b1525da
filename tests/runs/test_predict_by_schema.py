"""A saved model reads later rows as its training rows were written, on the command line and in Python, and counts what
it could not read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rarebird as rb
from rarebird.experiment.run import run
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.runs.predict import read
from tests.command_line import rarebird

HEADER = "visit,smoker,grade,ward,code"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of ``train.csv``, whose class depends on each column, in ``model``."""
    root = tmp_path_factory.mktemp("ward")
    rng = np.random.default_rng(0)
    n = 80
    visit = pd.Timestamp(2023, 1, 1) + pd.to_timedelta(rng.integers(0, 364, n), unit="D")
    frame = pd.DataFrame({"visit": visit.strftime("%d/%m/%Y"), "smoker": rng.random(n) < 0.5})
    frame["grade"] = rng.integers(1, 40, n) / 4
    frame["ward"] = rng.choice(["1", "2", "x"], n)
    frame["code"] = [f"P{place:03}" for place in range(n)]
    score = (visit.month > 6).astype(int) + frame["smoker"] + (frame["ward"] == "1") + (frame["grade"] > 5)
    frame.assign(target=np.where(score > 2, "ill", "well")).to_csv(root / "train.csv", index=False)
    recipe = Recipe(kind="table", network="mlp", steps=5, folds=2, calibration=())
    run(recipe, rb.read(root / "train.csv"), test_share=0).model.save(root / "model")
    return root


def table(folder: Path, *lines: str) -> Path:
    path = folder / "new.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def probabilities(folder: Path, *lines: str) -> np.ndarray:
    return load(folder / "model").predict_proba(table(folder, *lines))


@pytest.mark.parametrize(
    "line",
    [
        "01/07/2023,1,2.50,1.0,7",
        "2023-07-01,yes,2.5,1,00007",
        '01/07/2023,True,"2,5",1,A7',
        "1 July 2023,TRUE,$2.5,1,",
    ],
)
def test_spellings_of_the_same_row_predict_the_same(line: str, folder: Path) -> None:
    # Alone in its file, each cell could be something else.
    plain = probabilities(folder, "01/07/2023,True,2.5,1,00007")
    np.testing.assert_array_equal(probabilities(folder, line), plain)
    assert not np.array_equal(probabilities(folder, "07/01/2023,True,2.5,1,00007"), plain)


def test_a_frame_predicts_as_its_file(folder: Path) -> None:
    model = load(folder / "model")
    frame = pd.DataFrame(
        {
            "visit": pd.to_datetime(["2023-07-01", None]),
            "smoker": [1, 0],
            "grade": ["2,5", "unknown"],
            "ward": [1.0, 2.0],
            "code": [7, 8],
        }
    )
    lines = ("01/07/2023,True,2.5,1,7", ",False,,2,8")
    np.testing.assert_array_equal(model.predict_proba(frame), probabilities(folder, *lines))


def test_lost_cells_and_unseen_categories_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(folder, "01/07/2023,maybe,2.5,1,1", "31/31/2023,True,unknown,9,2", ",False,NA,,3")
    expected = {"lost_cells": {"visit": 1, "smoker": 1, "grade": 1}, "unseen_categories": {"ward": 1}}
    done = rarebird(capsys, monkeypatch, "predict", folder / "model", path, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert {key: found[key] for key in expected} == expected
    assert [row["label"] in ("ill", "well") for row in found["rows"]] == [True] * 3
    for part in ("'maybe' (line 2)", "'31/31/2023' (line 3)", "'unknown' (line 3)", "'9' (line 3)"):
        assert part in done.err
        assert any(part in note for note in found["notes"])
    labelled = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([labelled[0] + ",target", *(line + ",ILL" for line in labelled[1:])]), encoding="utf-8")
    done = rarebird(capsys, monkeypatch, "evaluate", folder / "model", path, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert {key: found[key] for key in expected} == expected
    assert found["class_counts"] == {"ill": 3, "well": 0}


def test_test_rows_without_target_get_no_truth_of_other_rows(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frame = pd.read_csv(folder / "train.csv", dtype=str)
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame[:5].drop(columns="target").to_csv(tmp_path / "test.csv", index=False)
    done = rarebird(capsys, monkeypatch, "predict", folder / "model", tmp_path)
    assert done.code == 0
    assert len(done.out.splitlines()) == 6
    assert "truth" not in done.out


def test_columns_that_the_model_does_not_use_are_kept_as_written(folder: Path) -> None:
    rows = read(load(folder / "model"), table(folder, "01/07/2023,True,2.5,1,007", ",,,,A-7"), None, labelled=False)
    assert rows.data.raw()["code"].tolist() == ["007", "A-7"]
    assert rows.notes == ()


def test_a_model_without_schema_reads_by_what_its_networks_know(folder: Path) -> None:
    model = load(folder / "model")
    model.schema = None
    schema = model.row_schema
    assert schema is not None
    kinds = {name: form.kind for name, form in schema.columns.items()}
    assert kinds == {"visit": "date", "smoker": "boolean", "grade": "number", "ward": "text"}
    outputs = model.predict_proba(table(folder, "2023-07-01,1,2.5,1.0,7"))
    np.testing.assert_array_equal(outputs, probabilities(folder, "01/07/2023,True,2.5,1,7"))


def test_the_estimator_reads_frames_by_the_schema_of_its_training_rows() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"a": rng.normal(size=60).round(3), "flag": rng.random(60) < 0.5, "site": rng.choice(["n", "s"], 60)}
    )
    y = np.where(X["a"] + X["flag"] > 0.5, "rare", "common")
    classifier = rb.RarebirdClassifier(steps=5, settings="folds=2", random_state=0).fit(X, y)
    written = pd.DataFrame(
        {
            "a": [f"{value:.3f}".replace(".", ",") for value in X["a"]],
            "flag": np.where(X["flag"], "yes", "no"),
            "site": X["site"].str.upper() + " ",
        }
    )
    np.testing.assert_array_equal(classifier.predict_proba(written), classifier.predict_proba(X))
