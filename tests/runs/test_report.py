"""`report` and `compare-runs`: pages of finished runs, without training; and runs that show no single row."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird import fit
from rarebird.comparison.finished_runs import compare_runs
from rarebird.comparison.paired_rows import ScoredRun, metric_difference, recall_difference
from rarebird.core.checks import DataError
from rarebird.metrics import names
from rarebird.runs.report import report
from tests.command_line import rarebird

pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose rows have names, two runs of it, and one of a table with other rows."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    for name, n in (("table", 200), ("other", 160)):
        ill = rng.random(n) < 0.3
        table = pd.DataFrame({"a": np.round(rng.normal(2.0 * ill), 1), "b": np.round(rng.normal(size=n), 1)})
        table.assign(target=np.where(ill, "ill", "well")).to_csv(folder / f"{name}.csv", index=False)
    for name, data, more in (("plain", "table", []), ("focal", "table", ["loss=focal"]), ("other", "other", [])):
        settings = ["folds=2", "network=linear", *more]
        fit(folder / f"{data}.csv", out=folder / name, steps=20, seed=1, settings=settings, threads=1)
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home / "plain", tmp_path / "plain"))


def without_seconds(page: Path) -> str:
    """A page without its seconds: those of the writing are known only after it."""
    return re.sub(r"[\d.]+ s\b", "", page.read_text(encoding="utf-8"))


def test_the_page_is_made_again_as_it_was(run: Path) -> None:
    before = without_seconds(run / "report.html")
    others = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != "report.html"}
    (run / "report.html").unlink()
    shutil.rmtree(run / "model")  # nothing is predicted
    assert report(run) == run / "report.html"
    assert without_seconds(run / "report.html") == before
    assert "table.csv --recipe" in before
    assert {name: (run / name).read_bytes() for name in others} == others


def test_a_page_without_single_rows_names_none(run: Path) -> None:
    about = json.loads((run / "data.json").read_text(encoding="utf-8"))
    example = [["row-4711", "ill"], ["row-4712", "well"]]
    about["profile"]["conflicts"] = {"rows": 2, "examples": [example]}
    about["profile"]["ailments"] = ["2 rows ('row-4711' is ill, 'row-4712' is well)"]
    (run / "data.json").write_text(json.dumps(about), encoding="utf-8")
    assert "row-4711" in report(run).read_text(encoding="utf-8")
    page = report(run, no_rows=True).read_text(encoding="utf-8")
    assert "row-47" not in page
    assert "left out of this page (--no-rows)" in page


def test_a_run_without_rows_writes_no_table_or_page_of_them_and_stays_so(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ["--steps", 4, "--set", "folds=2", "--set", "network=linear"]
    done = rarebird(capsys, monkeypatch, "fit", home / "table.csv", "--out", tmp_path / "run", *short, "--no-rows")
    assert done.code == 0, done.err
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert not {name for name in files if name.endswith(".csv")}
    assert not files & {"label_issues.html", "synthetic_rows.html"}
    explanation = json.loads((tmp_path / "run" / "explanation.json").read_text(encoding="utf-8"))
    assert explanation["classes"] == []
    done = rarebird(capsys, monkeypatch, "report", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "left out of this page (--no-rows)" in page
    assert "--no-rows" in json.loads((tmp_path / "run" / "data.json").read_text(encoding="utf-8"))["command"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run of `rarebird fit`"):
        report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_runs_on_the_same_rows_are_paired_and_others_are_not(home: Path, tmp_path: Path) -> None:
    page = compare_runs([home / "plain", home / "focal", home / "other"], tmp_path / "runs.html")
    assert [(run.name, run.tested_on_same) for run in page.runs] == [("plain", True), ("focal", True), ("other", False)]
    main = page.metrics[0]
    assert main.name == "balanced_accuracy"
    first, paired, unpaired = main.differences
    assert (first, unpaired) == (None, None)
    assert paired is not None
    assert paired.value == pytest.approx((main.values[1].value or 0) - (main.values[0].value or 0))
    assert paired.low is not None
    assert paired.high is not None
    assert paired.low <= (paired.value or 0) <= paired.high
    assert dict(page.settings)["loss"] == ("cross_entropy", "focal", "cross_entropy")
    assert len(page.notes) == 1
    assert "other and plain are not compared row by row, because their test rows differ" in page.notes[0]
    text = (tmp_path / "runs.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "better</span>" in text or "too few rows to tell</span>" in text


def test_a_run_beside_itself_differs_in_nothing(home: Path, tmp_path: Path) -> None:
    page = compare_runs([home / "plain", home / "plain"], tmp_path / "runs.html")
    assert page.settings == ()
    assert {(row.differences[1].value, row.differences[1].low) for row in page.metrics if row.differences[1]} == {
        (0.0, 0.0)
    }
    # A share that no row changes still has an interval.
    for row in page.classes:
        difference = row.differences[1]
        assert difference is not None
        assert difference.value == 0
        assert (difference.low or 0) < 0 < (difference.high or 0)


def test_bad_input_has_one_sentence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: object
) -> None:
    assert isinstance(capsys, pytest.CaptureFixture)
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    for arguments, sentence in (
        ([home / "plain"], "Give 2 to 12 folders of runs"),
        ([home / "plain", tmp_path], "is no run of `rarebird fit`"),
        ([home / "plain", home / "focal", "--out", tmp_path / "mine.html"], "exists already"),
        ([home / "plain", home / "focal", "--out", tmp_path], "is a folder"),
    ):
        monkeypatch.chdir(tmp_path)
        done = rarebird(capsys, monkeypatch, "compare-runs", *arguments)
        assert done.code == 2
        assert sentence in done.err
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == "mine"


def test_paired_differences_are_those_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    p = rng.dirichlet(np.ones(3), (2, 300)) + 0.5 * np.eye(3)[y]
    p /= p.sum(axis=2, keepdims=True)
    weight = rng.uniform(0.1, 5, 300)
    runs = [ScoredRun(y, one, one.argmax(axis=1), weight, None, ("a", "b", "c"), None) for one in p]
    for name in ("balanced_accuracy", "average_precision", "log_loss", "matthews_corrcoef"):
        found = metric_difference(name, *runs)
        values = [names.value(name, y, run.outputs, run.labels, run.weight, run.classes, None) for run in runs]
        assert found.value == pytest.approx(values[1] - values[0])
    own = y == 1
    recalls = [float(np.average(run.labels[own] == 1, weights=weight[own])) for run in runs]
    assert recall_difference("b", *runs).value == pytest.approx(recalls[1] - recalls[0])
