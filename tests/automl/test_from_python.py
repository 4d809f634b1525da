"""`rb.fit`: the command's search, from a path, a frame or arrays."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rarebird as rb
from rarebird import DataError
from rarebird.automl import from_python
from rarebird.automl.from_python import OF_PATHS, ROW_VALUES, FitOptions
from rarebird.core.clock import Clock
from rarebird.data.dataset import Frame
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from tests.automl.test_command import few, table  # noqa: F401  (a fixture)

SETTINGS = ("folds=3", "threads=1")


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    return pd.read_csv(table(tmp_path / "rows.csv"))


def seeds(recipe: AnyRecipe) -> list[int]:
    return [one.seed for one in recipe.members] if isinstance(recipe, Ensemble) else [recipe.seed]


@pytest.fixture
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit on time a search repeats, and nothing is searched around its leader."""
    monkeypatch.setattr(from_python, "Clock", lambda budget: Clock())


@pytest.mark.usefixtures("few", "no_limit")
def test_a_path_a_frame_and_arrays_give_the_same_model(frame: pd.DataFrame, tmp_path: Path) -> None:
    target = "target"
    X, y = frame.drop(columns=target), frame[target]
    options: dict[str, Any] = {"settings": SETTINGS}
    by_path = rb.fit(str(tmp_path / "rows.csv"), out=tmp_path / "a", **options)
    by_frame = rb.fit(frame, target=target, out=tmp_path / "b", **options)
    by_arrays = rb.fit(X, y, out=tmp_path / "c", **options)
    fresh = rb.from_arrays(X[:20])
    for one in (by_frame, by_arrays):
        assert one.model.classes == by_path.model.classes
        np.testing.assert_array_equal(one.model.outputs(fresh), by_path.model.outputs(fresh))


@pytest.mark.usefixtures("few", "no_limit")
def test_the_outcome_has_model_result_report_and_a_first_screen(frame: pd.DataFrame, tmp_path: Path) -> None:
    outcome = rb.fit(frame, out=tmp_path / "run", budget="60s", settings=SETTINGS)
    assert outcome.report == tmp_path / "run" / "report.html"
    assert outcome.report.is_file()
    assert outcome.result.model == str(tmp_path / "run" / "model")
    assert outcome.result.test is not None
    assert outcome.result.tried
    shown = outcome._repr_html_()
    assert shown is not None
    assert shown.startswith("<iframe srcdoc=")
    assert "Findings" in shown
    assert re.findall(r'<section id="(\w+)"', html.unescape(shown)) == ["findings"]
    saved = rb.load(tmp_path / "run")
    rows = rb.from_arrays(frame.drop(columns="target"))
    np.testing.assert_array_equal(saved.outputs(rows), outcome.model.outputs(rows))


def test_settings_of_a_recipe_or_steps_train_that_recipe_alone(frame: pd.DataFrame, tmp_path: Path) -> None:
    outcome = rb.fit(frame, out=tmp_path / "run", steps=5, settings=["folds=2", "loss=focal"], seed=3)
    assert not outcome.result.tried
    assert (outcome.recipe.seed, seeds(outcome.recipe)) == (3, [3])
    again = rb.fit(tmp_path / "rows.csv", out=tmp_path / "again", recipe=tmp_path / "run" / "recipe.toml")
    assert again.recipe == outcome.recipe
    with pytest.raises(DataError, match="single belongs to a search"):
        rb.fit(frame, out=tmp_path / "other", steps=5, single=True)


def test_rows_may_be_left_out_and_rows_without_a_path_have_no_command(frame: pd.DataFrame, tmp_path: Path) -> None:
    outcome = rb.fit(frame, out=tmp_path / "run", steps=3, settings=["folds=2"], no_rows=True)
    about = json.loads((tmp_path / "run" / "data.json").read_text())
    assert about["shows_rows"] is False
    assert not about["command"]
    assert outcome.report is not None
    assert not (tmp_path / "run" / "test_predictions.csv").exists()


def test_named_columns_are_no_features_and_reach_the_rows(frame: pd.DataFrame, tmp_path: Path) -> None:
    patients = frame.assign(patient=np.arange(len(frame)) // 4, weight=1.0 + np.arange(len(frame)) % 2)
    options: dict[str, Any] = {"steps": 3, "settings": ["folds=2"]}
    outcome = rb.fit(patients, out=tmp_path / "run", groups="patient", weight="weight", **options)
    train = outcome.splits.train
    assert isinstance(train.source, Frame)
    assert list(train.source.frame.columns) == list(frame.columns.drop("target"))
    assert train.weight is not None
    test = outcome.splits.test
    assert test is not None
    assert not set(train.group) & set(test.group)  # type: ignore[arg-type]
    given = {"groups": patients["patient"].to_numpy(), "weight": patients["weight"].to_numpy()}
    same = rb.fit(frame, out=tmp_path / "same", **given, **options)
    np.testing.assert_array_equal(same.model.outputs(test), outcome.model.outputs(test))


@pytest.mark.parametrize("as_pair", [False, True])
def test_test_rows_may_be_given(as_pair: bool, frame: pd.DataFrame, tmp_path: Path) -> None:
    train, test = frame[:-40], frame[-40:]
    given: Any = (test.drop(columns="target"), test["target"]) if as_pair else test
    outcome = rb.fit(train, test=given, out=tmp_path / "run", steps=3, settings=["folds=2"], weight=np.ones(len(train)))
    assert (outcome.result.n_train, outcome.result.n_test) == (len(train), 40)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"buget": "5m"}, TypeError, "fit\\(\\) has no option 'buget'"),
        ({"budget": 0}, DataError, "budget is a time above 0"),
        ({"budget": "soon"}, DataError, "such as 90s, 5m or 1h"),
        ({"target": "outcome"}, DataError, "data has no column 'outcome'"),
        ({"groups": "patients"}, DataError, "data has no column 'patients'"),
        ({"test": (1, 2, 3)}, DataError, "pair \\(X, y\\), but got 3 parts"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_written(
    changes: dict[str, Any], error: type[Exception], message: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        rb.fit(frame, out=tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_arrays_need_labels_and_a_path_names_its_columns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data has no labels; give y"):
        rb.fit(np.zeros((4, 2)), out=tmp_path / "run")
    with pytest.raises(DataError, match="no frame, so it has no column 'target'"):
        rb.fit(np.zeros((4, 2)), target="target", out=tmp_path / "run")
    with pytest.raises(DataError, match="groups must be the name of a column"):
        rb.fit("rows.csv", groups=[1, 2], out=tmp_path / "run")
    with pytest.raises(DataError, match="test must be a path, too"):
        rb.fit("rows.csv", test=(1, 2), out=tmp_path / "run")


def test_every_option_is_read() -> None:
    """Each keyword of the options is named in the code that reads them, so that none is swallowed."""
    text = Path(from_python.__file__).read_text(encoding="utf-8")
    reading = text[text.index("def fit(") :]
    assert len(FitOptions.__annotations__) > 15
    for name in FitOptions.__annotations__:
        assert name in (*ROW_VALUES, *OF_PATHS) or f'"{name}"' in reading, name


def test_settings_may_be_a_mapping_and_paths_text(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "data.csv", index=False)
    settings = {"loss": {"name": "focal", "gamma": 3.0}, "folds": 2, "network": "linear", "resampling": None}
    outcome = rb.fit(str(tmp_path / "data.csv"), out=str(tmp_path / "run"), steps=3, settings=settings)
    assert isinstance(outcome.recipe, rb.Recipe)
    loss = outcome.recipe.loss.settings()
    assert (loss["name"], loss["gamma"], outcome.recipe.folds) == ("focal", 3.0, 2)
    assert outcome.recipe.network.settings()["name"] == "linear"
    assert rb.RarebirdClassifier(settings=settings)._assignments() == [
        'loss={name = "focal", gamma = 3.0}',
        "folds=2",
        'network="linear"',
        "resampling=none",
    ]


def test_errors_and_notes_name_keywords_and_no_flags(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.rename(columns={"target": "outcome"}).to_csv(tmp_path / "data.csv", index=False)
    for call in (lambda: rb.fit(tmp_path / "data.csv", steps=3), lambda: rb.read(str(tmp_path / "data.csv"))):
        with pytest.raises(rb.DataError) as caught:
            call()
        assert "`target`" in str(caught.value)
        assert "--" not in str(caught.value)
    assert rb.read(tmp_path / "data.csv", target="outcome").train.target == "outcome"
    with pytest.raises(TypeError, match="did you mean 'target'"):
        rb.read(tmp_path / "data.csv", targt="outcome")
    np.savez(tmp_path / "turned.npz", X=np.zeros((4, 30, 2)) + np.arange(30)[:, None], y=["a", "b", "a", "b"])
    assert "`channels_last`" in rb.read(tmp_path / "turned.npz").notes[0]
    assert rb.read(tmp_path / "turned.npz", channels_last=True).train.raw()[0].shape == (4, 2, 30)
    with pytest.raises(rb.DataError, match="groups_pattern is for data that are a path"):
        rb.fit(frame, steps=3, groups_pattern="x")


def test_rows_of_other_sources_come_as_paths(frame: pd.DataFrame, tmp_path: Path) -> None:
    half = len(frame) // 2
    frame[:half].to_csv(tmp_path / "own.csv", index=False)
    frame[half:].to_csv(tmp_path / "other.csv", index=False)
    outcome = rb.fit(tmp_path / "own.csv", external=str(tmp_path / "other.csv"), out=tmp_path / "run", steps=3)
    assert outcome.result.external is not None
    assert [source.given for source in outcome.result.external.sources] == [len(frame) - half]
    with pytest.raises(DataError, match="external is for data that are a path"):
        rb.fit(frame, external=[tmp_path / "other.csv"], out=tmp_path / "again")
