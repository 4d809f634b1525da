"""`rarebird label-issues`: a path in, the labels of all training rows checked, the turned ones in front, a file and a
page out."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_iris

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Frame, Splits
from rarebird.diagnostics.label_issues import command
from rarebird.recipe.recipe import Recipe
from tests.command_line import rarebird
from tests.runs.owning import owning

TURNED = [3, 17, 40, 61, 90, 118]


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """The iris table with some labels turned, and markup for a class name."""
    iris = load_iris()
    y = iris.target.copy()
    y[TURNED] = (y[TURNED] + 1) % 3
    names = np.array(["<i>setosa</i>", "versicolor", "virginica"])
    frame = pd.DataFrame(iris.data, columns=["sepal length", "sepal width", "petal length", "petal width"])
    path = tmp_path / "flowers.csv"
    frame.assign(target=names[y]).to_csv(path, index=False)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *arguments: rarebird(capsys, monkeypatch, "label-issues", *arguments)


def test_turned_labels_of_a_table_come_first(flowers: Path, tmp_path: Path, run: Any) -> None:
    out = tmp_path / "out"
    done = run(flowers, "--out", out, "--steps", 60, "--set", "folds=3", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    rows = pd.read_csv(out / "label_issues.csv")
    assert list(rows) == ["id", "given", "suggested", "given_probability", "suggested_probability", "score", "is_issue"]
    assert sorted(rows["id"]) == list(range(1, 151))
    assert set(rows["id"][:9]) >= {place + 1 for place in TURNED if place != 90}
    assert rows["score"].is_monotonic_increasing
    assert found["n_judged"] == 150
    assert found["n_issues"] == rows["is_issue"].sum() == len(found["issues"])
    page = (out / "label_issues.html").read_text(encoding="utf-8")
    assert page.count("<h2>Given label") == rows["given"][rows["is_issue"]].nunique()
    assert "<i>setosa" not in page
    lines = [line for line in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "<td translate" in line]
    assert len(lines) == found["n_issues"]
    shown = re.findall(r"<td translate[^>]*>([^<]*)</td>", next(line for line in lines if "<bdi>4</bdi>" in line))
    assert shown[-4:] == ["4.6", "3.1", "1.5", "0.2"]


def test_pictures_of_doubted_rows_are_part_of_the_page(tmp_path: Path, run: Any) -> None:
    x, y = load_digits(n_class=3, return_X_y=True)
    x, y = (x[:200].reshape(-1, 8, 8) * 15.9).astype(np.uint8), y[:200].copy()
    turned = [5, 50, 150]
    y[turned] = (y[turned] + 1) % 3
    path = tmp_path / "digits.npz"
    np.savez(path, train_images=x, train_labels=y, test_images=x[:20], test_labels=y[:20])
    out = tmp_path / "out"
    done = run(
        path,
        "--out",
        out,
        "--steps",
        40,
        "--set",
        "folds=2",
        "--set",
        "network={name=cnn, width=8}",
        "--set",
        "augmentation=[]",
    )
    assert done.code == 0, done.err
    assert "left out are the given 20 test rows" in done.out
    rows = pd.read_csv(out / "label_issues.csv")
    assert len(rows) == 200
    issues = rows[rows["is_issue"]]
    page = (out / "label_issues.html").read_text(encoding="utf-8")
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
        for text in re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    ]
    assert len(pictures) == len(issues)
    assert all(any(np.array_equal(picture, x[place]) for picture in pictures) for place in turned)
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:image/png|#)', page)


def test_series_are_drawn_and_many_issues_are_cut_to_the_most_doubtful(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    true = np.arange(60) % 2
    values = (rng.normal(size=(60, 1, 24)) * 0.1 + np.where(true, 1, -1)[:, None, None]).astype(np.float32)
    y = true.copy()
    y[:12:2] = 1
    ids = np.array([f"series {place}" for place in range(60)])
    train = Dataset("series", "classification", Curves(values, np.full(60, 24)), np.arange(60), y, ("down", "up"), ids)
    recipe = Recipe(
        kind="series",
        network={"name": "rnn", "width": 8},
        optimizer={"name": "adamw", "learning_rate": 0.02},
        steps=30,
        folds=2,
    )
    review = command.check_labels(recipe.updated(threads=1), Splits(train))
    monkeypatch.setattr(command, "MOST_OF_CLASS", 2)
    with owning(tmp_path / "out", command.FILES) as out:
        assert command.write(review, out) is review
    text = (tmp_path / "out" / command.PAGE).read_text(encoding="utf-8")
    assert {row.place for row in review.found.rows[:6]} == set(range(0, 12, 2))
    assert len(review.found.issues) > 2
    assert len(re.findall(r'<svg class="curve"', text)) == 2
    assert f"The 2 most doubtful of {len(review.found.issues)}" in text


def made(n: int = 80) -> Dataset:
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 4 == 0).astype(np.int64)
    frame = Frame(pd.DataFrame({"x": rng.normal(2.0 * y), "z": rng.normal(size=n)}))
    return Dataset("table", "classification", frame, np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def plain(**changes: Any) -> Recipe:
    fields: dict[str, Any] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "steps": 20,
        "threads": 1,
    }
    return Recipe(**(fields | changes))


def test_every_row_gets_a_prediction_where_fit_would_hold_some_out() -> None:
    for recipe in (plain(folds=0), plain(holdout=0.3), plain(folds=4)):
        review = command.check_labels(recipe, Splits(made()))
        np.testing.assert_allclose(review.probabilities.sum(axis=1), 1)
        assert review.recipe.folds == (recipe.folds or 10)
        assert review.recipe.holdout is None
    again = command.check_labels(review.recipe, Splits(made()))
    np.testing.assert_array_equal(again.probabilities, review.probabilities)


def test_an_early_end_keeps_the_rows_that_were_predicted() -> None:
    review = command.check_labels(plain(folds=4), Splits(made()), progress=lambda share, what: share > 0.3)
    known = np.isfinite(review.probabilities).all(axis=1)
    assert 0 < known.sum() < 80
    assert review.found.judged.sum() == known.sum()
    assert any("ended early, at 2 of 4 networks" in note for note in review.found.notes)


def test_groups_are_held_out_whole_and_one_group_is_refused() -> None:
    grouped = Dataset(**{**vars(made()), "group": np.repeat(np.arange(8), 10)})
    review = command.check_labels(plain(folds=0), Splits(grouped))
    assert review.recipe.folds == 8
    with pytest.raises(DataError, match="All rows of data are of one group"):
        command.check_labels(plain(), Splits(Dataset(**{**vars(made()), "group": np.zeros(80)})))


def test_bad_input_is_a_sentence(flowers: Path, tmp_path: Path, run: Any) -> None:
    numbers = tmp_path / "numbers.csv"
    rng = np.random.default_rng(0)
    pd.DataFrame({"a": rng.normal(size=60), "target": rng.normal(size=60)}).to_csv(numbers, index=False)
    done = run(numbers, "--out", tmp_path / "out", "--steps", 5)
    assert (done.code, (tmp_path / "out").exists()) == (2, False)
    assert "the target of numbers holds numbers" in done.err
    done = run(flowers, "--out", numbers, "--steps", 5)
    assert done.code == 2
    assert "is a file; give a folder for the results with --out" in done.err
    assert run(flowers, "--out", tmp_path / "out", "--set", "foldss=3").code == 2
    assert run(tmp_path / "absent.csv", "--out", tmp_path / "out").code == 2
