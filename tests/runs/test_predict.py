"""`predict` and `evaluate` give a line for every row and file, say what labels serve, and keep what identifies rows."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import rarebird as rb
from rarebird.data.dataset import Splits
from rarebird.evaluation.decision_result import DecisionSummary
from rarebird.experiment.run import run
from rarebird.recipe.recipe import Recipe
from rarebird.report.label_rule import label_text
from tests.command_line import Done, rarebird

FAST = {"steps": 3, "folds": 2, "calibration": ()}


def draw_pets(root: Path, n: int = 8) -> Path:
    rng = np.random.default_rng(0)
    for label, light in (("cat", 60), ("dog", 180)):
        for place in range(n):
            path = root / label / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((light + rng.integers(0, 60, (8, 8))).astype(np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures in ``train`` and their model in ``model``."""
    root = tmp_path_factory.mktemp("pets")
    data = rb.read(str(draw_pets(root / "train")))
    run(Recipe(kind="image", network="linear", **FAST), data, test_share=0).model.save(root / "model")
    return root


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table that has identifiers, ``data.csv``, and its model in ``model``."""
    root = tmp_path_factory.mktemp("patients")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": [f"P{n:03}" for n in range(60)], "age": rng.normal(50, 9, 60).round(2), "visit": np.arange(60) // 30}
    )
    frame["target"] = np.where(frame["age"] > 55, "ill", "well")
    frame.to_csv(root / "data.csv", index=False)
    run(Recipe(kind="table", network="linear", **FAST), rb.read(root / "data.csv"), test_share=0).model.save(
        root / "model"
    )
    return root


def rows_of(done: Done) -> list[dict[str, str]]:
    assert done.code == 0, done.err
    return list(csv.DictReader(done.out.splitlines()))


def damaged(root: Path) -> Path:
    """Four pictures, of which one is empty and one is cut."""
    draw_pets(root, n=2)
    (root / "cat" / "1.png").write_bytes(b"")
    raw = (root / "dog" / "0.png").read_bytes()
    (root / "dog" / "0.png").write_bytes(raw[: len(raw) // 2])
    return root


def test_a_file_that_cannot_be_read_has_a_row_and_a_reason(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = damaged(tmp_path / "new")
    done = rarebird(capsys, monkeypatch, "predict", pets / "model", new)
    rows = rows_of(done)
    assert [row["id"] for row in rows] == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert [row["label"] != "" for row in rows] == [True, False, False, True]
    assert [row["probability_cat"] != "" for row in rows] == [True, False, False, True]
    assert [row["truth"] for row in rows] == ["cat", "cat", "dog", "dog"]
    assert [row["reason"] for row in rows] == ["", "the file is empty", rows[2]["reason"], ""]
    assert rows[2]["reason"]
    for name in ("'cat/1.png'", "'dog/0.png'"):
        assert done.err.count(name) == 1
    listed = tmp_path / "new.csv"
    listed.write_text("path\nnew/dog/1.png\nnew/cat/9.png\nnew/cat/1.png\n")
    rows = rows_of(rarebird(capsys, monkeypatch, "predict", pets / "model", listed))
    assert [row["id"] for row in rows] == ["new/dog/1.png", "new/cat/9.png", "new/cat/1.png"]
    assert [row["label"] != "" for row in rows] == [True, False, False]


def test_evaluate_scores_what_can_be_read_and_lists_the_rest(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rows.csv"
    done = rarebird(capsys, monkeypatch, "evaluate", pets / "model", damaged(tmp_path / "new"), "--out", out, "--json")
    found = json.loads(done.out)
    assert found["n_test"] == 2
    assert [row["id"] for row in found["unread"]] == ["cat/1.png", "dog/0.png"]
    assert any("2 of 4 pictures" in note for note in found["notes"])
    assert "2 of 4 pictures" in done.err
    table = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["id"] for row in table] == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert [bool(row["label"]) for row in table] == [True, False, False, True]
    assert [bool(row["reason"]) for row in table] == [False, True, True, False]


def test_of_a_split_the_test_rows_are_predicted_and_scored(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_pets(tmp_path / "data" / "train", n=3)
    draw_pets(tmp_path / "data" / "val", n=2)
    done = rarebird(capsys, monkeypatch, "predict", pets / "model", tmp_path / "data")
    assert {row["id"].partition("/")[0] for row in rows_of(done)} == {"val"}
    assert "only its validation rows" in done.err
    draw_pets(tmp_path / "data" / "test", n=1)
    done = rarebird(capsys, monkeypatch, "predict", pets / "model", tmp_path / "data")
    assert [row["id"] for row in rows_of(done)] == ["test/cat/0.png", "test/dog/0.png"]
    assert [row["truth"] for row in rows_of(done)] == ["cat", "dog"]
    found = json.loads(rarebird(capsys, monkeypatch, "evaluate", pets / "model", tmp_path / "data", "--json").out)
    assert found["n_test"] == 2


def test_test_rows_may_be_those_of_a_split(tmp_path: Path) -> None:
    from rarebird.runs.request import Request, read_data

    draw_pets(tmp_path / "train")
    for part, n in (("train", 5), ("test", 2)):
        draw_pets(tmp_path / "other" / part, n)
    data = read_data(Request(tmp_path / "train", test=tmp_path / "other"))
    assert data.test is not None
    assert data.test.ids.tolist() == ["test/cat/0.png", "test/cat/1.png", "test/dog/0.png", "test/dog/1.png"]


def test_identifiers_and_asked_for_columns_are_kept(
    patients: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("predict", patients / "model", patients / "data.csv")
    rows = rows_of(rarebird(capsys, monkeypatch, *command))
    assert list(rows[0])[:3] == ["id", "label", "most_probable"]
    assert [row["id"] for row in rows[:2]] == ["P000", "P001"]
    rows = rows_of(rarebird(capsys, monkeypatch, *command, "--keep", "visit, id"))
    assert list(rows[0])[:3] == ["id", "visit", "label"]
    assert rows[59]["visit"] == "1"
    rows = rows_of(rarebird(capsys, monkeypatch, *command, "--keep", ""))
    assert rows[0]["id"] == "1"
    refused = rarebird(capsys, monkeypatch, *command, "--keep", "visits")
    assert refused.code == 2
    assert "did you mean 'visit'?" in refused.err


def test_a_list_of_pictures_keeps_its_columns(
    pets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (pets / "new.csv").write_text("image_id,site\n0,a\n9,b\n")
    shutil.copytree(pets / "train" / "cat", pets / "new", dirs_exist_ok=True)
    command = ("predict", pets / "model", pets / "new.csv", "--pictures", pets / "new", "--keep", "site")
    rows = rows_of(rarebird(capsys, monkeypatch, *command))
    assert [(row["id"], row["site"], bool(row["label"])) for row in rows] == [("0", "a", True), ("9", "b", False)]


def test_a_single_picture_is_a_row(
    pets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = next((pets / "train" / "cat").iterdir())
    done = rarebird(capsys, monkeypatch, "predict", pets / "model", picture)
    assert [row["id"] for row in rows_of(done)] == [picture.name]


def test_probabilities_have_six_digits_and_most_probable_is_theirs(
    patients: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, "predict", patients / "model", patients / "data.csv")
    rows = rows_of(done)
    for row in rows:
        pair = {name: row[f"probability_{name}"] for name in ("ill", "well")}
        assert all(len(text.lstrip("0.").replace(".", "")) <= 6 for text in pair.values())
        assert row["most_probable"] == max(pair, key=lambda name: float(pair[name]))
    assert "The label serves balanced_accuracy" in done.err


@pytest.mark.parametrize(
    ("decision", "cut_off", "expected"),
    [
        (
            "balanced",
            0.05,
            "can differ from the most probable class. A row is labelled “x” if the probability of “x” is 0.05 or more.",
        ),
        ("balanced", 0.2968754, "the probability of “x” is 0.296875 or more."),
        ("balanced", 0.5, "The label serves f1. A row is labelled “x” if the probability of “x” is 0.5 or more."),
        ("threshold", None, "The label serves f1, so it can differ from the most probable class."),
        ("argmax", None, "The label is the most probable class."),
    ],
)
def test_one_line_says_what_the_label_serves(decision: str, cut_off: float | None, expected: str) -> None:
    assert expected in label_text(DecisionSummary(name=decision), "f1", None if cut_off is None else "x", cut_off)


def test_a_model_predicts_paths_frames_and_arrays(pets: Path, patients: Path, tmp_path: Path) -> None:
    model = rb.load(str(pets / "model"))
    labels, probabilities = model.predict(str(pets / "train")), model.predict_proba(pets / "train")
    assert labels.shape == (16,)
    assert probabilities.shape == (16, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    data = rb.read(pets / "train").train
    np.testing.assert_array_equal(model.predict_proba(data), probabilities)
    # Arrays of another size or with color are fitted to the model, as files are.
    np.testing.assert_array_equal(model.predict_proba(data.raw().repeat(3, axis=1)), probabilities)
    assert model.predict(data.raw().repeat(2, axis=2)).shape == (16,)
    new = damaged(tmp_path / "new")
    assert [label is None for label in model.predict(new)] == [False, True, True, False]
    assert np.isnan(model.predict_proba(new)).any(axis=1).tolist() == [False, True, True, False]
    table = rb.load(patients / "model")
    frame = pd.read_csv(patients / "data.csv")
    assert table.predict(frame).tolist() == table.predict(str(patients / "data.csv")).tolist()
    assert set(table.predict(frame.drop(columns="target"))) <= {"ill", "well"}
    with pytest.raises(rb.DataError, match="'age'"):
        table.predict(frame.drop(columns="age"))


def test_a_model_of_numbers_predicts_numbers() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    recipe = Recipe(kind="table", network="linear", loss="mean_squared", metric="r2", **FAST)
    model = run(recipe, Splits(rb.from_arrays(X, X[:, 0] * 3)), test_share=0).model
    assert model.predict(X).dtype == np.float64
    with pytest.raises(ValueError, match="classes"):
        model.predict_proba(X)
