"""`rarebird next` as a user types it, on tables, pictures, series and numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Curves, Dataset, Splits
from rarebird.diagnostics.next_rows import command
from rarebird.recipe.recipe import Recipe
from tests.command_line import rarebird

FAST = ["--steps", "8", "--threads", "1", "--quiet"]


def frame(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.25
    return pd.DataFrame({"a": rng.normal(2 * y, 1), "b": rng.normal(size=n), "target": np.where(y, "rare", "common")})


def test_a_table_gets_a_list_a_page_and_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, pool = frame(150, 0), frame(200, 1)
    pool = pd.concat([pool, own.head(30)])  # copies of labeled rows
    own.to_csv(tmp_path / "own.csv", index=False)
    pool.drop(columns="target").to_csv(tmp_path / "pool.csv", index=False)
    given = ["next", tmp_path / "own.csv", "--unlabeled", tmp_path / "pool.csv", "-n", 15, "--out", tmp_path / "next"]
    done = rarebird(capsys, monkeypatch, *given, *FAST, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["n_pool"], found["n_known"], len(found["rows"])) == (230, 30, 15)
    assert [row["rank"] for row in found["rows"]] == list(range(1, 16))
    with (tmp_path / "next" / "next_rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ids = [row["id"] for row in rows]
    assert ids == [row["id"] for row in found["rows"]]
    assert len(set(ids)) == 15
    assert all("between" in row["why"] for row in rows)
    page = (tmp_path / "next" / "next_rows.html").read_text(encoding="utf-8")
    assert "Rows to label" in page
    assert all(curve["sentence"] in page.replace("&#39;", "'") for curve in found["curves"])
    assert [curve["class"] for curve in found["curves"]] == ["common", "rare"]
    assert found["curves"][0]["rows"] == sorted(found["curves"][0]["rows"])
    assert len(found["curves"][0]["rows"]) == 3
    assert all(curve["needed"] is None for curve in found["curves"]), "eight steps teach nothing with any rows"
    assert "too short" in found["curves"][0]["sentence"]

    pool.drop(columns=["target", "b"]).to_csv(tmp_path / "pool.csv", index=False)
    done = rarebird(capsys, monkeypatch, *given, *FAST, "--force")
    assert done.code == 2
    assert "'b'" in done.err


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_series_and_numbers(task: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    values = (rng.normal(size=(120, 1, 20)) + y[:, None, None]).astype(np.float32)
    data = Dataset(
        "series", "classification", Curves(values, np.full(120, 20)), np.arange(120), y, ("a", "b"), y.astype(str)
    )
    recipe = Recipe(kind="series", network={"name": "mlp", "width": 8, "depth": 1}, steps=4, folds=3, threads=1)
    if task == "regression":
        rows = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
        from rarebird.data.dataset import Frame

        data = Dataset("table", "regression", Frame(rows), np.arange(120), rows["a"].to_numpy() * 2, (), y.astype(str))
        recipe = Recipe(
            kind="table",
            network={"name": "mlp", "width": 8, "depth": 1},
            steps=4,
            folds=3,
            threads=1,
            loss="mean_squared",
            metric="mean_squared_error",
        )
    own, pool = data.take(np.arange(80)), data.take(np.arange(80, 120))
    found = command.suggest_rows(recipe, Splits(own), pool, 10)
    assert len(found.table) == 10
    assert len(found.curves) == (1 if task == "regression" else 2)
    assert all(np.isfinite(row["score"]) for row in found.table)
    assert all(curve.sentence() for curve in found.curves)
