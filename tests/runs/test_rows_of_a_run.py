"""Every scored row is in a file: of the run, of `evaluate --out`, and with its truth of `predict`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.evaluation.scoring import score
from rarebird.experiment.run import Outcome, run
from rarebird.profile.profile import profile
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import DataSummary
from tests.command_line import rarebird
from tests.runs.owning import write_run

BASE = Recipe(
    kind="table", network={"name": "mlp", "width": 8, "depth": 1}, steps=20, folds=3, calibration=["temperature"]
)


def rows(n: int = 90, regression: bool = False, first: int = 0) -> Dataset:
    rng = np.random.default_rng(first)
    y = (np.arange(n) % 3 == 0).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(2 * y), "b": rng.normal(size=n)})
    task, target = ("regression", frame["a"].to_numpy()) if regression else ("classification", y)
    ids = np.array([f"row {place}" for place in range(first, first + n)], dtype=object)
    classes = () if regression else ("no", "yes")
    return Dataset("table", task, Frame(frame), np.arange(n), target, classes, ids)  # type: ignore[arg-type]


def written(recipe: Recipe | Ensemble, data: Splits, folder: Path) -> tuple[Outcome, pd.DataFrame, pd.DataFrame]:
    """A run's outcome, and the tables of its test and held-out rows."""
    outcome = run(recipe, data)
    write_run(folder, outcome, DataSummary("0123456789abcdef", profile(data.train), None))
    tables = [pd.read_csv(folder / name) for name in ("test_predictions.csv", "held_out_predictions.csv")]
    return outcome, tables[0], tables[1]


def test_the_rows_of_a_run_give_the_scores_of_the_run(tmp_path: Path) -> None:
    outcome, test, held = written(BASE, Splits(rows(), test=rows(40, first=1000)), tmp_path / "run")
    columns = ["id", "truth", "label", "most_probable", "probability_no", "probability_yes", "part"]
    assert list(test.columns) == list(held.columns) == columns
    assert list(test["id"]) == [f"row {place}" for place in range(1000, 1040)]
    assert sorted(held["id"]) == sorted(f"row {place}" for place in range(90))
    assert set(test["part"]) == {"test"}
    assert held["part"].value_counts().to_dict() == {"fold 1": 30, "fold 2": 30, "fold 3": 30}
    for table, scores in ((test, outcome.result.test), (held, outcome.result.validation)):
        assert scores is not None
        codes = {name: table[name].map({"no": 0, "yes": 1}).to_numpy() for name in ("truth", "label", "most_probable")}
        probabilities = table[["probability_no", "probability_yes"]].to_numpy()
        np.testing.assert_array_equal(codes["most_probable"], probabilities.argmax(axis=1))
        again = score(codes["truth"], probabilities, codes["label"], ["no", "yes"], positive=1)
        for name in ("balanced_accuracy", "log_loss", "roc_auc"):
            assert again.metrics[name].value == pytest.approx(scores.metrics[name].value, abs=1e-5)


def test_labels_serve_the_metric_and_differ_from_the_most_probable_class(tmp_path: Path) -> None:
    _, test, _ = written(BASE.updated(steps=200), Splits(rows(300), test=rows(300, first=1000)), tmp_path / "run")
    differ = test[test["label"] != test["most_probable"]]
    # Balanced accuracy puts the cut-off at the share of the rarer class, a third, and not at a half.
    assert set(differ["label"]) == {"yes"}
    assert differ["probability_yes"].between(0.33, 0.5).all()


def test_given_validation_rows_and_a_hold_out_are_named(tmp_path: Path) -> None:
    given = Splits(rows(), rows(30, first=500), rows(30, first=1000))
    _, _, held = written(BASE.updated(folds=0), given, tmp_path / "given")
    assert (len(held), set(held["part"])) == (30, {"validation"})
    _, _, held = written(
        BASE.updated(folds=0, holdout=0.2), Splits(rows(), test=rows(30, first=1000)), tmp_path / "own"
    )
    assert (len(held), set(held["part"])) == (18, {"hold-out"})


def test_members_with_folds_of_their_own_have_no_common_fold(tmp_path: Path) -> None:
    both = Ensemble.of([(1.0, BASE), (1.0, BASE.updated(seed=1))])
    _, _, held = written(both, Splits(rows(), test=rows(30, first=1000)), tmp_path / "run")
    assert (len(held), set(held["part"])) == (90, {"folds"})


def test_values_have_their_truth(tmp_path: Path) -> None:
    test = rows(40, regression=True, first=1000)
    recipe = BASE.updated(loss="mean_squared", metric="r2", calibration=())
    outcome, table, held = written(recipe, Splits(rows(regression=True), test=test), tmp_path / "run")
    assert list(table.columns) == list(held.columns) == ["id", "truth", "prediction", "part"]
    np.testing.assert_allclose(table["truth"], test.y, rtol=1e-5)
    np.testing.assert_allclose(table["prediction"], outcome.model.outputs(test)[:, 0], rtol=1e-4, atol=1e-5)


def test_a_run_without_test_rows_has_no_file_for_them(tmp_path: Path) -> None:
    outcome = run(BASE, Splits(rows()), test_share=0)
    write_run(tmp_path / "run", outcome, DataSummary("0123456789abcdef", profile(rows()), None))
    assert not (tmp_path / "run" / "test_predictions.csv").exists()
    assert len(pd.read_csv(tmp_path / "run" / "held_out_predictions.csv")) == 90


@pytest.fixture
def fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, ``data.csv``, and a run on it, ``run``."""
    frame = rows(120).raw().assign(target=np.where(rows(120).codes, "yes", "no"))
    frame.to_csv(tmp_path / "data.csv", index=False)
    done = rarebird(
        capsys, monkeypatch, "fit", tmp_path / "data.csv", "--out", tmp_path / "run", "--steps", 10, "--quiet"
    )
    assert done.code == 0, done.err
    return tmp_path


def test_evaluate_writes_the_same_table(
    fitted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = fitted / "rows.csv"
    done = rarebird(capsys, monkeypatch, "evaluate", fitted / "run", fitted / "data.csv", "--out", out, "--json")
    assert done.code == 0, done.err
    table = pd.read_csv(out)
    assert list(table.columns) == list(pd.read_csv(fitted / "run" / "test_predictions.csv").columns)
    assert list(table["truth"]) == list(pd.read_csv(fitted / "data.csv")["target"])
    assert set(table["part"]) == {"rows"}
    # A fifth of the rows was the run's test.
    assert any(
        note.startswith("96 of the 120 rows are rows that the model learned") for note in json.loads(done.out)["notes"]
    )
    new = rows(60, first=2000)
    new.raw().assign(target=np.where(new.codes, "yes", "no")).to_csv(fitted / "new.csv", index=False)
    done = rarebird(capsys, monkeypatch, "evaluate", fitted / "run" / "model", fitted / "new.csv", "--json")
    assert json.loads(done.out)["notes"] == []
    refused = rarebird(
        capsys, monkeypatch, "evaluate", fitted / "run", fitted / "data.csv", "--out", fitted / "no" / "rows.csv"
    )
    assert refused.code == 2


def test_predict_writes_the_truth_where_the_data_have_it(
    fitted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def predicted(name: str) -> list[dict[str, str]]:
        done = rarebird(capsys, monkeypatch, "predict", fitted / "run", fitted / name)
        assert done.code == 0, done.err
        return list(csv.DictReader(done.out.splitlines()))

    frame = pd.read_csv(fitted / "data.csv")
    plain = ["id", "label", "most_probable", "probability_no", "probability_yes"]
    frame.drop(columns="target").to_csv(fitted / "unlabelled.csv", index=False)
    without = predicted("unlabelled.csv")
    assert list(without[0]) == plain
    full = predicted("data.csv")
    assert list(full[0]) == [*plain, "truth"]
    assert [row["truth"] for row in full] == list(frame["target"])
    assert [{name: row[name] for name in plain} for row in full] == without
    # A row without a label is predicted as before, and a class that the model does not know is shown as it is.
    frame.loc[3, "target"], frame.loc[4, "target"] = None, "new"
    frame.to_csv(fitted / "holes.csv", index=False)
    holes = predicted("holes.csv")
    assert [row["truth"] for row in holes[:6]] == [*frame["target"][:3], "", "new", frame["target"][5]]
    assert [{name: row[name] for name in plain} for row in holes] == without
    frame.assign(target=None).to_csv(fitted / "empty.csv", index=False)
    assert list(predicted("empty.csv")[0]) == plain


def test_folders_of_pictures_name_the_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for label, light in (("cat", 60), ("dog", 180)):
        for place in range(12):
            path = tmp_path / "pictures" / label / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((light + rng.integers(0, 60, (8, 8))).astype(np.uint8)).save(path)
    fit = ("fit", tmp_path / "pictures", "--out", tmp_path / "run", "--steps", 3, "--set", "folds=2", "--quiet")
    assert rarebird(capsys, monkeypatch, *fit).code == 0
    done = rarebird(capsys, monkeypatch, "predict", tmp_path / "run", tmp_path / "pictures")
    table = list(csv.DictReader(done.out.splitlines()))
    assert [row["truth"] for row in table] == [row["id"].partition("/")[0] for row in table]
    listed = pd.DataFrame({"path": [row["id"] for row in table], "label": [row["truth"] for row in table]})
    listed.iloc[::-1].to_csv(tmp_path / "pictures" / "list.csv", index=False)
    done = rarebird(capsys, monkeypatch, "predict", tmp_path / "run", tmp_path / "pictures" / "list.csv")
    assert [row["truth"] for row in csv.DictReader(done.out.splitlines())] == [row["truth"] for row in table][::-1]
    only_cats = rarebird(capsys, monkeypatch, "predict", tmp_path / "run", tmp_path / "pictures" / "cat")
    assert "truth" not in only_cats.out.splitlines()[0]
