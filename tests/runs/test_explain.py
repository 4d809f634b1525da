"""`explain`: a page, a table and arrays of the same amounts; sentences for what cannot be explained; the section in the
report of a run."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.recipe.recipe import Recipe
from rarebird.report.figures.amounts import over_picture, picture
from rarebird.report.pages.explanation import read
from rarebird.report.pages.run import render
from rarebird.report.sections.section import RunContents
from rarebird.runs.run_explanation import explanation_of_run, write
from tests.command_line import rarebird
from tests.explanation import planted

FAST = {"steps": 25, "folds": 2, "threads": 1, "optimizer": {"name": "adamw", "learning_rate": 0.02}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``rows.csv``, the same rows without labels, and the model of a few boosted trees."""
    folder = tmp_path_factory.mktemp("explained")
    data = planted.table(90)
    labels = np.array(planted.CLASSES)[data.codes]
    data.raw().assign(target=labels).to_csv(folder / "rows.csv", index=False)
    data.raw().to_csv(folder / "bare.csv", index=False)
    data.raw().drop(columns="plant").assign(target=labels).to_csv(folder / "lacking.csv", index=False)
    (folder / "empty.csv").write_text("noise,plant,ward,day,target\n", encoding="utf-8")
    pixels = planted.pictures(12)
    np.savez(folder / "pictures.npz", X=pixels.raw(), y=pixels.codes)
    recipe = Recipe(kind="table", network="mlp", reference="boosted_trees", **{**FAST, "optimizer": "adamw"})
    run(recipe, Splits(replace(data, target="target")), test_share=0).model.save(folder / "model")
    return folder


def test_page_table_arrays_and_json_tell_the_same(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = home / "explained"
    done = rarebird(
        capsys, monkeypatch, "explain", home / "model", home / "rows.csv", "--out", out, "--n", "1", "--all", "--json"
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["methods"] == ["tree_shap"]
    assert found["importance"][0]["columns"] == ["plant"]
    assert found["importance"][0]["low"] > 0
    with (out / "explanations.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    arrays = np.load(out / "explanations.npz", allow_pickle=False)
    assert len(lines) == len(found["rows"]) + 90
    columns = [f"amount_{name}" for name in arrays["columns"]]
    table = np.array([[float(line[name]) for name in columns] for line in lines[: len(found["rows"])]])
    np.testing.assert_allclose(table, arrays["tree_shap"], rtol=1e-6, atol=1e-9)
    assert arrays["every_tree_shap"].shape == (90, 4)
    for line, row in zip(lines, found["rows"], strict=False):
        assert line["id"] == row["id"]
        assert float(line["explained"]) - float(line["base"]) == pytest.approx(float(line["sum"]), abs=1e-5)
        assert row["amounts"]["plant"] == pytest.approx(float(line["amount_plant"]), rel=1e-6)
    page = (out / "explain.html").read_text(encoding="utf-8")
    assert "log-odds" in page
    assert "averaged over 2 networks or references" in page
    assert all(f"<bdi>{row['id']}</bdi>" in page for row in found["rows"])
    assert not re.search(r"https?://|<script", page)


def test_rows_without_labels_and_one_class(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("explain", home / "model", home / "bare.csv", "--out", home / "bare", "--n", "1", "--json")
    done = rarebird(capsys, monkeypatch, *words, "--class", "rare", "--output", "probability")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert {row["class"] for row in found["rows"]} == {"rare"}
    assert {row["why"] for row in found["rows"]} == {"surest", "least sure"}
    assert all(0 <= row["explained"] <= 1 and row["output"] == "probability" for row in found["rows"])
    assert set(found["importance"][0]) == {"columns", "size", "low", "high"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rows.csv", "--class", "rar"), "The model knows no class 'rar'; did you mean 'rare'?"),
        (("rows.csv", "--method", "grad_cam"), "cannot explain this model (not all of it are convolutional networks"),
        (("rows.csv", "--method", "lime"), "There is no method 'lime' of explanation"),
        (("rows.csv", "--output", "logit"), "There is no --output 'logit'"),
        (("rows.csv", "--n", "0"), "Invalid value for '--n'"),
        (("lacking.csv",), "lacks the column 'plant'"),
        (("pictures.npz",), "pictures.npz"),
        (("absent.csv",), "absent.csv"),
        (("empty.csv",), "empty.csv"),
        (("rows.csv", "--background", "absent.csv"), "absent.csv"),
        (("rows.csv", "--background", "lacking.csv"), "lacks the column 'plant'"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_what_cannot_be_explained_is_one_sentence(
    words: tuple[str, ...],
    sentence: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(home)
    done = rarebird(capsys, monkeypatch, "explain", "model", *words, "--out", "refused")
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert not (home / "refused").exists()


def outcome_of(data: Dataset, **recipe: Any) -> Outcome:
    return run(Recipe(kind=data.kind, **{**FAST, **recipe}), Splits(data), test_share=0.4)


def test_the_report_of_a_run_explains_rare_rows_as_far_as_there_is_time(tmp_path: Path) -> None:
    data = planted.pictures(60)
    outcome = outcome_of(data, network={"name": "cnn", "width": 4, "dense": 8})
    section = explanation_of_run(outcome, Clock())
    assert section is not None
    assert [one.label for one in section.classes] == ["rare"]
    shown = [one for row in section.classes[0].rows for one in row.shown]
    assert {one.title for one in shown} == {"The picture", "Integrated gradients", "Grad-CAM"}
    assert all(one.picture.startswith("data:image/png;base64,") for one in shown)
    write(section, tmp_path / "explanation.json")
    assert read(tmp_path / "explanation.json") == section
    contents = RunContents(outcome.result, "", folder=tmp_path)
    assert render(contents).count("<img") == len(shown)
    assert render(replace(contents, shows_rows=False)).count("<img") == 0
    late = explanation_of_run(outcome, Clock(budget=0.001))
    assert late is not None
    assert late.classes == ()
    assert "no time" in late.notes[0]
    assert read(tmp_path / "absent.json") is None


def test_a_run_of_numbers_is_explained_too() -> None:
    outcome = outcome_of(planted.regression(), network="linear", loss="mean_squared", steps=60)
    section = explanation_of_run(outcome, Clock())
    assert section is not None
    assert section.importance[0].name == "a"
    assert {row.why for row in section.classes[0].rows} >= {"largest", "smallest"}
    assert "predicted value" in section.output


def test_pictures_of_many_sides_keep_the_page_small() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (4, 3, 300, 200)).astype(np.uint8)
    assert len(picture(pixels[0] / 255)) < 60_000
    amounts = np.zeros((300, 200))
    assert over_picture(pixels[0] / 255, amounts).startswith("data:image/jpeg")
