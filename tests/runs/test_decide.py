"""`decide`: another decision for a finished run, equal to a run that was trained with it, and bad input refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird import fit, load
from rarebird.core.checks import DataError
from rarebird.runs.decide import decide
from tests.command_line import rarebird

pytestmark = pytest.mark.xdist_group("decide")
COSTS = "decision={name=cost, costs={ill={*=9}, *={*=1}}}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of two classes and two runs of it, of which the second was trained with a cost."""
    folder = tmp_path_factory.mktemp("decide")
    rng = np.random.default_rng(0)
    ill = rng.random(300) < 0.25
    table = pd.DataFrame({"a": rng.normal(1.5 * ill), "b": rng.normal(size=300)})
    table.assign(target=np.where(ill, "ill", "=well")).to_csv(folder / "table.csv", index=False)
    for name, more in (("plain", []), ("costly", [COSTS])):
        fit(folder / "table.csv", out=folder / name, steps=30, seed=1, settings=["folds=3", *more], threads=1)
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Path:
    """A copy of the first run."""
    return Path(shutil.copytree(home / "plain", tmp_path / "run"))


def test_equals_a_run_that_was_trained_with_the_decision(home: Path, run: Path) -> None:
    found = decide(run, [COSTS])
    expected = json.loads((home / "costly" / "result.json").read_text(encoding="utf-8"))
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["test"] == expected["test"]
    assert result["decision"] == expected["decision"]
    assert result["cut_off"] == pytest.approx(0.1, abs=1e-6)
    assert result["validation"]["confusion"] == expected["validation"]["confusion"]
    assert found.result.verdict == tuple(result["verdict"])
    assert any("a row costs" in sentence for sentence in result["verdict"])
    assert (run / "recipe.toml").read_text() == (home / "costly" / "recipe.toml").read_text()
    for name in ("test_predictions.csv", "held_out_predictions.csv"):
        assert (run / name).read_text() == (home / "costly" / name).read_text()
    model = load(run)
    assert model.decision is not None
    assert model.decision[0] == "cost"
    table = pd.read_csv(run / "test_predictions.csv")
    labels = np.where(table["probability_ill"] >= 0.1, "ill", "'=well")
    np.testing.assert_array_equal(table["label"], labels)
    assert "least expected cost" in (run / "report.html").read_text(encoding="utf-8")


def test_a_decision_may_be_changed_again_and_for_another_metric(run: Path) -> None:
    before = json.loads((run / "result.json").read_text(encoding="utf-8"))
    decide(run, ["decision=constrained", "decision.recall=0.7"])
    result = decide(run, ["decision=balanced"], "balanced_accuracy").result
    assert json.loads(result.to_json())["test"] == before["test"]
    result = decide(run, ["decision=threshold"], "f1").result
    assert result.metric == "f1"


def test_promises_are_shown_by_every_command(
    run: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "On new rows the recall of “ill” is at least 0.7, with a confidence of 90 %"
    asked = ("--decision", "constrained", "--set", "decision.recall=0.7", "--json")
    done = rarebird(capsys, monkeypatch, "decide", run, *asked)
    assert done.code == 0
    shown = json.loads(done.out)
    (promise,) = shown["decision"]["promises"]
    assert promise["figure"] == "recall"
    observed = shown["decision_scores"]["promises"][0]["observed"]["value"]
    assert observed == pytest.approx(
        next(row for row in shown["per_class"] if row["class"] == "ill")["recall"]["value"]
    )
    assert said in rarebird(capsys, monkeypatch, "evaluate", run, home / "table.csv").out
    assert said in rarebird(capsys, monkeypatch, "predict", run, home / "table.csv").err


@pytest.mark.parametrize(
    ("settings", "metric", "message"),
    [
        (["loss=focal"], None, "Only the decision of a run can be changed"),
        (["decision=cost"], None, "cost needs the setting 'costs'"),
        (["decision={name=cost, costs={sick={*=1}}}"], None, "name the class 'sick'"),
        (["decision=threshold"], "recall", "needs a floor|no goal for a decision"),
        (["decision=threshold"], "recal", "did you mean 'recall'"),
        (["decision=thresold"], None, "did you mean 'threshold'"),
    ],
)
def test_a_decision_that_does_not_fit_is_refused_and_changes_nothing(
    run: Path, settings: list[str], metric: str | None, message: str
) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(DataError, match=message):
        decide(run, settings, metric)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_a_folder_without_a_run_is_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(DataError, match="is no run of `rarebird fit`"):
        decide(tmp_path, ["decision=argmax"])
    assert not list(tmp_path.glob(".rarebird"))
    (run / "model" / "held_out.safetensors").unlink()
    with pytest.raises(DataError, match="kept no held-out rows"):
        decide(run, ["decision=argmax"])


def predicted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run: Path, table: Path, *more: str
) -> tuple[pd.DataFrame, str]:
    """The predictions of a table, and what is said about them."""
    out = run / "predicted.csv"
    done = rarebird(capsys, monkeypatch, "predict", run, table, "--out", out, *more)
    assert done.code == 0, done.err
    return pd.read_csv(out, keep_default_na=False), done.err


def test_rows_left_to_a_person_have_no_label_but_a_reason(
    run: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = decide(run, ["decision={name=abstain, share=0.25}"]).result
    assert result.test is not None
    assert result.test.decision is not None
    found = result.test.decision.abstention
    assert found is not None
    assert any("are left to a person" in sentence for sentence in result.verdict)
    table, _ = predicted(capsys, monkeypatch, run, home / "table.csv")
    left = table["label"] == ""
    assert left.mean() == pytest.approx(0.25, abs=0.1)
    assert (table["reason"] == np.where(left, "left to a person", "")).all()
    sure = table[["probability_ill", "probability_=well"]].astype(float).max(axis=1)
    assert sure[left].max() <= sure[~left].min()
    labels = load(run).predict(home / "table.csv")
    assert [label is None for label in labels] == left.tolist()
    shown = json.loads(rarebird(capsys, monkeypatch, "predict", run, home / "table.csv", "--json").out)
    assert shown["left_to_a_person"] == left.sum()
    scored = pd.read_csv(run / "test_predictions.csv", keep_default_na=False)
    assert (scored["label"] == "").mean() == pytest.approx(found.left.value)


def test_sets_hold_the_true_class_as_promised(
    run: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _ = predicted(capsys, monkeypatch, run, home / "table.csv", "--coverage", "0.8")
    sets = [json.loads(text) for text in table["set"]]
    assert all(sets)
    truths = table["truth"].str.removeprefix("'")
    contains = np.array([truth in labels for truth, labels in zip(truths, sets, strict=True)])
    for label in ("ill", "=well"):
        assert contains[truths == label].mean() > 0.7
    shown = json.loads(rarebird(capsys, monkeypatch, "evaluate", run, home / "table.csv", "--json").out)
    assert [one["label"] for one in shown["sets"]["classes"]] == ["=well", "ill"]
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["test"]["sets"]["coverage"] == 0.9
    assert "Prediction sets" in (run / "report.html").read_text(encoding="utf-8")


def test_labels_and_probabilities_follow_a_prior(
    run: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(run, ["decision=argmax"])
    natural, _ = predicted(capsys, monkeypatch, run, home / "table.csv")
    stated, said = predicted(capsys, monkeypatch, run, home / "table.csv", "--prior", "ill=.02")
    assert "stated prior" in said
    odds = [table["probability_ill"] / table["probability_=well"] for table in (stated, natural)]
    ratio = odds[0] / odds[1]
    np.testing.assert_allclose(ratio, ratio.iloc[0], rtol=1e-3)
    assert (stated["label"] == "ill").sum() < (natural["label"] == "ill").sum()
    _, said = predicted(capsys, monkeypatch, run, home / "table.csv", "--prior", "estimate")
    assert "Prior estimated from these 300 rows: “=well” 0.7" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--coverage", "1.5"], "A coverage is between 0 and 1"),
        (["--prior", "ill=2"], "A prior is between 0 and 1"),
        (["--prior", "sick=.1"], "names the class 'sick'"),
        (["--prior", "ill=.2", "--prior", "=well=.7"], "sums to 0.9"),
        (["--prior", "ill"], "--prior takes CLASS=SHARE"),
        (["--prior", "ill=.2,ill=.3"], "each class once"),
    ],
)
def test_coverages_and_priors_that_cannot_be_are_refused(
    home: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, "predict", home / "plain", home / "table.csv", *more)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_run_for_another_prior_has_figures_for_it(home: Path, tmp_path: Path) -> None:
    settings = ["folds=3", "prior={ill=0.05}"]
    made = fit(home / "table.csv", out=tmp_path / "rarer", steps=30, seed=1, threads=1, settings=settings)
    plain = load(home / "plain")
    assert made.model.prior.tolist() == pytest.approx([0.95, 0.05])
    assert "[prior]\nill = 0.05" in (tmp_path / "rarer" / "recipe.toml").read_text()
    p, moved = (model.predict_proba(home / "table.csv") for model in (plain, made.model))
    factor = np.array([0.95, 0.05]) / plain.prior
    np.testing.assert_allclose(moved, p * factor / (p * factor).sum(axis=1, keepdims=True), atol=1e-6)
    test = made.result.test
    assert test is not None
    # Weighted to the prior: precision is what recall and false alarms make of one ill row in twenty.
    recall, specificity, precision = (test.metrics[name].value for name in ("recall", "specificity", "precision"))
    assert recall is not None
    assert specificity is not None
    assert precision == pytest.approx(0.05 * recall / (0.05 * recall + 0.95 * (1 - specificity)))
    again = decide(tmp_path / "rarer", ["decision=balanced"])
    assert again.result.test == made.result.test


def test_costs_of_each_row_come_from_a_column(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(home / "table.csv")
    table["amount"] = np.random.default_rng(1).choice([0.0, 1.0, 50.0], len(table))
    table.to_csv(tmp_path / "amounts.csv", index=False)
    asked = ("--set", COSTS, "--set", "folds=3", "--steps", 20, "--threads", 1, "--cost-column")
    done = rarebird(capsys, monkeypatch, "fit", tmp_path / "amounts.csv", "--out", tmp_path / "run", *asked, "amount")
    assert done.code == 0, done.err
    out, _ = predicted(capsys, monkeypatch, tmp_path / "run", tmp_path / "amounts.csv")
    ill = out["probability_ill"].astype(float)
    expected = np.where(table["amount"] * 9 * ill > 1 - ill, "ill", "'=well")
    np.testing.assert_array_equal(out["label"], expected)
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["cut_off"] is None
    assert result["test"]["decision"]["cost"]["per_row"]["value"] >= 0
    done = rarebird(capsys, monkeypatch, "fit", tmp_path / "amounts.csv", "--out", tmp_path / "no", *asked, "amout")
    assert (done.code, "did you mean 'amount'" in done.err) == (2, True)
    table.loc[3, "amount"] = -1
    table.to_csv(tmp_path / "amounts.csv", index=False)
    done = rarebird(capsys, monkeypatch, "fit", tmp_path / "amounts.csv", "--out", tmp_path / "no", *asked, "amount")
    assert done.code == 2
    assert "a number of at least 0" in done.err
