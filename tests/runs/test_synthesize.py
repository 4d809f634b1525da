"""`rarebird synthesize`: rows in the data's own form that can be read back, a page, the verdict and its exit code; bad
requests end in one sentence before any work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.methods.synthesis import _gate
from rarebird.methods.synthesis.mixture import Mixture
from rarebird.methods.synthesis.tree_flow import TreeFlow
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.runs import row_files
from rarebird.slots.gate_verdict import ClassVerdict, GateVerdict
from tests.command_line import Done, rarebird
from tests.contracts.test_synthesis import pictures, series
from tests.methods.synthesis.made_classes import ellipses


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = ellipses((120, 40))
    frame = rows.raw()
    frame["city"] = np.where(rows.codes == 0, "Zürich", "Bern")
    frame["target"] = np.array(["well", "ill"])[rows.codes]
    frame.to_csv(tmp_path / "patients.csv", index=False)
    return tmp_path / "patients.csv"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Done:
        return rarebird(capsys, monkeypatch, "synthesize", *words, "--quiet", "--budget", "60m")

    return run


def verdict(passes: bool) -> GateVerdict:
    one = ClassVerdict(label="ill", rows=40, passes=passes, reason="as the test wants it")
    return GateVerdict(method="mixture", parts=3, classes=(one,))


def test_rows_are_written_as_the_data_and_read_back(table: Path, command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "new.csv"
    done = command(table, "--class", "ill", "--rows", 15, "--method", "tree_flow", "--out", out, "--json")
    found = json.loads(done.out)
    assert done.code == (0 if found["passes"] else 3)
    written = Path(found["file"])
    assert written.name == ("new.csv" if found["passes"] else "new.rejected.csv")
    new, old = pd.read_csv(written), pd.read_csv(table)
    assert list(new.columns) == list(old.columns)
    assert len(new) == 15
    assert set(new["target"]) == {"ill"}
    assert (new["city"] == "Bern").mean() > 0.7
    assert new.dtypes.to_dict() == old.dtypes.to_dict()
    page = Path(found["page"]).read_text(encoding="utf-8")
    assert "Boosted trees tell new from real rows" in page
    assert page.count("<tr><th>new</th>") == 15
    assert "<svg" in page
    figures = found["verdicts"][0]["classes"][0]["figures"]
    assert {"tree_area", "coverage", "nearness"} <= {figure["name"] for figure in figures}


@pytest.mark.parametrize("passes", [True, False])
def test_the_verdict_decides_exit_code_and_name(
    passes: bool,
    table: Path,
    command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr(_gate, "judge", lambda *given: verdict(passes))
    done = command(table, "--class", "ill", "--rows", 3, "--method", "mixture", "--out", "new.csv")
    assert done.code == (0 if passes else 3)
    assert (tmp_path / "new.csv").exists() == passes
    assert (tmp_path / "new.rejected.csv").exists() != passes
    assert "as the test wants it" in done.out
    assert ("do not train on them" in done.err) != passes


def test_auto_takes_the_generator_that_passes(table: Path, command, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def judged(method, *given):  # type: ignore[no-untyped-def]
        return verdict(method.name == "mixture").model_copy(update={"method": method.name})

    monkeypatch.setattr(_gate, "judge", judged)
    found = json.loads(command(table, "--class", "ill", "--rows", 3, "--json").out)
    assert found["method"] == "mixture"
    assert len(found["verdicts"]) > 1
    assert found["verdicts"][0]["method"] == "mixture"


def test_a_budget_that_shortens_the_learning_is_told(table: Path, command, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(_gate, "judge", lambda *given: verdict(True))
    monkeypatch.setattr(Mixture, "planned", lambda self, *given: self.model_copy(update={"steps": 3}))
    done = command(table, "--class", "ill", "--rows", 5, "--method", "mixture")
    assert "mixture learned for 3 of 50 steps, because of --budget" in " ".join(done.out.split())


def test_smote_is_judged_like_a_generator(table: Path, command) -> None:  # type: ignore[no-untyped-def]
    found = json.loads(
        command(table, "--class", "ill", "--rows", 30, "--method", "smote", "--out", "s.csv", "--json").out
    )
    new = pd.read_csv(found["file"])
    assert len(new) == 30
    nearness = next(one for one in found["verdicts"][0]["classes"][0]["figures"] if one["name"] == "nearness")
    assert nearness["value"] > 0.55


def test_a_kept_generator_draws_again_without_learning(
    table: Path,
    command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    words = (table, "--class", "ill", "--method", "tree_flow", "--set", "synthesis.steps=5", "--generator", "kept")
    first = json.loads(command(*words, "--rows", 9, "--out", "one.csv", "--json").out)
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"generator.json", "generator.safetensors"}
    monkeypatch.setattr(TreeFlow, "fit", None)
    again = json.loads(command(*words, "--rows", 9, "--out", "two.csv", "--json").out)
    assert Path(again["file"]).read_text() == Path(first["file"]).read_text()
    assert (again["passes"], again["reason"]) == (first["passes"], first["reason"])
    frame = pd.read_csv(table)
    frame.iloc[:-1].to_csv(tmp_path / "other.csv", index=False)
    done = command(tmp_path / "other.csv", "--class", "ill", "--generator", "kept")
    assert done.code == 2
    assert "learned from other rows" in done.err
    (tmp_path / "kept" / "generator.safetensors").write_bytes(b"broken")
    done = command(*words, "--out", "three.csv")
    assert done.code == 2
    assert "holds no generator that can be read" in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--class", "sick"], r"patients has no class 'sick'; did you mean 'ill'\?|valid names are"),
        (["--class", "ill", "--method", "tree_flw"], "There is no method 'tree_flw' .*did you mean 'tree_flow'"),
        (["--class", "ill", "--out", "new.npz"], "Rows of kind 'table' are written to .csv or .parquet"),
        (["--class", "ill", "--out", "nowhere/new.csv"], "There is no folder .*nowhere"),
        (["--class", "ill", "--out", "patients.csv"], "is there already; give --force"),
        (["--class", "ill", "--method", "mixture", "--set", "synthesis.stps=3"], "mixture has no setting 'stps'"),
    ],
)
def test_a_bad_request_is_one_sentence(words: list[str], sentence: str, table: Path, command) -> None:  # type: ignore[no-untyped-def]
    import re

    before = set(table.parent.iterdir())
    done = command(table, *words)
    assert done.code == 2
    assert re.search(sentence, done.err), done.err
    assert set(table.parent.iterdir()) == before


def test_numbers_have_no_class(tmp_path: Path, command) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "target": rng.normal(size=60)})
    frame.to_csv(tmp_path / "values.csv", index=False)
    done = command(tmp_path / "values.csv", "--class", "1")
    assert done.code == 2
    assert "numerical target" in done.err


def same(first: Dataset, second: Dataset) -> None:
    assert first.classes == second.classes
    np.testing.assert_array_equal(first.codes, second.codes)


@pytest.mark.parametrize("name", ["new", "new.npz", "new.rejected"])
def test_pictures_are_read_back(name: str, tmp_path: Path) -> None:
    rows = pictures()
    row_files.write_rows(rows, tmp_path / name, ReadOptions())
    if not name.endswith(".npz"):
        named = replace(rows, classes=("n/a", *rows.classes[1:]))
        with pytest.raises(DataError, match="No folder can be called 'n/a'"):
            row_files.write_rows(named, tmp_path / "named", ReadOptions())
    back = read(tmp_path / name, ReadOptions(kind="image")).train
    same(back, rows)
    np.testing.assert_array_equal(back.raw(), rows.raw())


@pytest.mark.parametrize("name", ["new.ts", "new.npz"])
def test_series_are_read_back(name: str, tmp_path: Path) -> None:
    rows = series()
    row_files.write_rows(rows, tmp_path / name, ReadOptions(kind="series"))
    back = read(tmp_path / name, ReadOptions(kind="series")).train
    same(back, rows)
    np.testing.assert_array_equal(back.raw()[1], rows.raw()[1])
    np.testing.assert_allclose(back.raw()[0], rows.raw()[0], rtol=1e-4)


def test_series_of_one_channel_are_read_back_as_ucr_text(tmp_path: Path) -> None:
    rows = series()
    values, lengths = rows.raw()
    one = replace(rows, source=type(rows.source)(values[:, :1], lengths))  # type: ignore[call-arg, arg-type]
    row_files.write_rows(one, tmp_path / "new.tsv", ReadOptions())
    back = read(tmp_path / "new.tsv", ReadOptions(kind="series")).train
    same(back, one)
    np.testing.assert_allclose(back.raw()[0], one.raw()[0], rtol=1e-4)
    with pytest.raises(ValueError, match=r"Series of 2 channels cannot be \.tsv"):
        row_files.write_rows(rows, tmp_path / "two.tsv", ReadOptions())
