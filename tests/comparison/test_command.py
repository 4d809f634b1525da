"""`rarebird compare`: a path in, a verdict per remedy out, a folder with page, values and the baseline's recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.comparison.command import without_remedies
from rarebird.data.dataset import Frame
from rarebird.recipe.recipe import Recipe
from tests.command_line import rarebird
from tests.comparison.made_rows import rows


def test_a_baseline_without_remedies_keeps_calibration_decision_and_safeguards() -> None:
    recipe = Recipe(
        kind="image",
        network="resnet",
        loss="logit_adjusted",
        augmentation=["rotate"],
        batch_sampling="square_root",
        regularization=["ema", "gradient_clipping"],
        calibration=["temperature"],
        decision="threshold",
    )
    without = without_remedies(recipe)
    assert without == recipe.updated(
        loss="cross_entropy", augmentation=[], batch_sampling="shuffled", regularization=["gradient_clipping"]
    )


def test_from_the_command_line(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    train, out = rows(200), tmp_path / "out"
    assert isinstance(train.source, Frame)
    train.source.frame.assign(target=np.where(train.codes, "yes", "no")).to_csv(tmp_path / "rows.csv", index=False)
    more = [
        "--remedies",
        "focal,random_over,ema,cross_entropy",
        "--folds",
        3,
        "--repeats",
        1,
        "--steps",
        10,
        "--out",
        out,
    ]
    done = rarebird(capsys, monkeypatch, "compare", tmp_path / "rows.csv", *more, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert set(found["remedies"]) == {
        "loss=focal",
        "resampling=random_over",
        "regularization=ema",
        "loss=cross_entropy",
    }
    assert any("has loss=cross_entropy already" in note for note in found["notes"])
    for entry in found["remedies"].values():
        assert {"difference", "low", "high", "verdict", "metrics"} <= set(entry)
        assert entry["verdict"] == "too few steps to tell"
    assert "No verdict is given: the baseline was trained for 10 of the" in found["no_verdict"]
    assert "--steps" in found["no_verdict"]
    assert json.loads((out / "compare.json").read_text(encoding="utf-8")) == found
    assert found["report"] == str(out / "compare.html")
    page = (out / "compare.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert found["no_verdict"] in page
    assert "regularization=ema" in page
    assert Recipe.read(out / "baseline.toml").steps == found["steps"] == 10
    text = rarebird(capsys, monkeypatch, "compare", tmp_path / "rows.csv", *more, "--force")
    assert text.code == 0
    assert text.out.startswith("No verdict is given")
    assert "would be shown with a probability of 80 %" in text.out
    assert str(out / "compare.html") in text.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--remedies", "nothing"], "There is no remedy 'nothing'"),
        (["--remedies", "focal", "--positive", "maybe"], "There is no class 'maybe'"),
        (["--remedies", "focal", "--metric", "r2"], "r2"),
        (["--remedies", "focal", "--folds", "500"], "folds=500"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    train = rows(100, share=0.3)
    assert isinstance(train.source, Frame)
    train.source.frame.assign(target=np.where(train.codes, "yes", "no")).to_csv(tmp_path / "rows.csv", index=False)
    done = rarebird(
        capsys, monkeypatch, "compare", tmp_path / "rows.csv", "--out", tmp_path / "out", "--steps", 2, *arguments
    )
    assert done.code == 2
    assert sentence in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine", encoding="utf-8")
    done = rarebird(capsys, monkeypatch, "compare", tmp_path / "rows.csv", "--out", tmp_path / "out")
    assert done.code == 2
    assert "is not a run of rarebird" in done.err
