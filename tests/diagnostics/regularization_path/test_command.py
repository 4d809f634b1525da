"""`rarebird regularization-path`: a path in, figure, values and the chosen strength's recipe out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Frame
from rarebird.recipe.recipe import Recipe
from tests.command_line import rarebird
from tests.diagnostics.regularization_path.made_rows import rows
from tests.runs.owning import visible


@pytest.fixture
def table(tmp_path: Path) -> Path:
    data = rows(100, useless=2)
    assert isinstance(data.source, Frame)
    path = tmp_path / "表.csv"
    data.source.frame.assign(結果=np.where(data.codes, "病", "健")).to_csv(path, index=False)
    return path


def test_command_writes_figure_values_and_a_recipe_that_fit_takes(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "path"
    asked = [
        "regularization-path",
        table,
        "--target",
        "結果",
        "--penalty",
        "elastic_net",
        "--points",
        3,
        "--high",
        3,
        "--folds",
        2,
    ]
    done = rarebird(capsys, monkeypatch, *asked, "--steps", 8, "--set", "network.width=16", "--out", out, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert visible(out) == [
        "recipe.toml",
        "regularization_path.json",
        "regularization_path.svg",
    ]
    values = json.loads((out / "regularization_path.json").read_text(encoding="utf-8"))
    assert {name: said[name] for name in values} == values
    assert said["metric"] == "balanced_accuracy"
    assert said["steps"] == 8
    strengths = [point["strength"] for point in said["points"]]
    assert strengths == pytest.approx([1e-4, 3**0.5 * 1e-2, 3], rel=1e-3)
    assert {said["best"], said["one_standard_error"]} <= set(strengths)
    assert said["best"] <= said["one_standard_error"]
    assert all(
        0 <= point[part] <= 1 and point[f"{part}_error"] >= 0
        for point in said["points"]
        for part in ("training", "validation")
    )
    chosen = Recipe.read(Path(said["recipe"]))
    assert chosen.regularization[-1].settings() == {
        "name": "elastic_net",
        "strength": said["one_standard_error"],
        "l1_share": 0.5,
    }
    assert chosen.steps == 8
    assert "<svg" in Path(said["figure"]).read_text(encoding="utf-8")
    fitted = rarebird(
        capsys,
        monkeypatch,
        "fit",
        table,
        "--target",
        "結果",
        "--recipe",
        said["recipe"],
        "--out",
        tmp_path / "run",
        "--json",
    )
    assert fitted.code == 0, fitted.err
    # An earlier path is replaced by force; a run is not.
    refused = rarebird(capsys, monkeypatch, *asked, "--steps", 2, "--out", out)
    assert (refused.code, "--force" in refused.err) == (2, True)
    text = rarebird(capsys, monkeypatch, *asked, "--steps", 2, "--out", out, "--force")
    assert text.code == 0, text.err
    assert re.search(r"<- (best|one standard error)", text.out)
    assert f"rarebird fit {table} --recipe {out / 'recipe.toml'}" in text.out
    kept = rarebird(capsys, monkeypatch, *asked, "--steps", 2, "--out", tmp_path / "run", "--force")
    assert (kept.code, "holds a run" in kept.err) == (2, True)


def test_test_rows_take_no_part(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.read_csv(table)
    test = tmp_path / "test.csv"
    said = []
    for part in (frame[:30], frame[:30].assign(x0=1e6, 結果=frame["結果"][:30].to_numpy()[::-1])):
        part.to_csv(test, index=False)
        frame[30:].to_csv(tmp_path / "train.csv", index=False)
        asked = [
            "regularization-path",
            tmp_path / "train.csv",
            "--test",
            test,
            "--target",
            "結果",
            "--points",
            2,
            "--high",
            1,
            "--folds",
            2,
        ]
        done = rarebird(capsys, monkeypatch, *asked, "--steps", 3, "--out", tmp_path / "path", "--json", "--force")
        assert done.code == 0, done.err
        said.append(json.loads(done.out))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--penalty", "droput"], "There is no penalty 'droput'; did you mean 'dropout'?"),
        (["--penalty", "gradient_clipping"], "has no strength to draw a path of; choose one of dropout"),
        (["--penalty", "dropout", "--high", 1.5], "`rate < 1` must hold for dropout"),
        (["--low", 2], "--low must be below --high"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    asked: list[object],
    sentence: str,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = rarebird(
        capsys,
        monkeypatch,
        "regularization-path",
        table,
        "--target",
        "結果",
        "--out",
        tmp_path / "path",
        "--steps",
        2,
        *asked,
    )
    assert done.code == 2
    assert sentence in done.err
    assert not (tmp_path / "path").exists()
