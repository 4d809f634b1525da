"""Names in data that command a terminal or a spreadsheet: labels, ids, columns and files of others."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from rarebird.experiment.run import run
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.recipe import Recipe
from tests.command_line import rarebird

RED, FORMULA = "\x1b[31mred", "=cmd|' /C calc'!A0"
pytestmark = pytest.mark.xdist_group("hostile names")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names") / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [[row, row % 7, RED if row % 2 else FORMULA] for row in range(40)]
        csv.writer(file).writerows([["a", "b\x1b[2J", "target"], *rows])
    return path


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    folder = data.with_name("model")
    recipe = Recipe(kind="table", network="linear", steps=2, folds=2, threads=1)
    run(recipe, read(data, ReadOptions())).model.save(folder)
    return folder


def test_no_command_shows_an_escape(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = data.with_name("\x1b[31mabsent.csv")
    for words in (
        ("profile", data),
        ("profile", data, "--json"),
        ("profile", absent),
        ("profile", data, "--target", "b\x1b[3J"),
        ("profile", data, "\x1b[31m"),
        ("predict", model, data),
        ("evaluate", model, data),
        ("evaluate", model, data, "--json"),
    ):
        done = rarebird(capsys, monkeypatch, *words)
        assert done.code in (0, 2)
        assert "\x1b" not in done.out + done.err
        assert "x1b" in done.out + done.err or "u001b" in done.out


def test_formulas_are_written_as_texts_unless_raw_is_asked_for(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def labels(*words: str) -> set[str]:
        out = tmp_path / "predicted.csv"
        assert rarebird(capsys, monkeypatch, "predict", model, data, "--out", out, *words).code == 0
        with out.open(encoding="utf-8", newline="") as file:
            return {row["truth"] for row in csv.DictReader(file)}

    assert labels() == {f"'{FORMULA}", "\\x1b[31mred"}
    (tmp_path / "predicted.csv").unlink()
    assert labels("--raw") == {FORMULA, RED}
