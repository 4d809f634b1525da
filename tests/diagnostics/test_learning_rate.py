"""The learning-rate range test: rates read off a curve, a test that is repeatable and uses no held-out rows, and the
command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.diagnostics import learning_rate
from rarebird.diagnostics.learning_rate import ExponentialGrowth, proposal, smooth
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.recipe import Recipe
from tests.command_line import rarebird
from tests.runs.owning import visible


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.3
    path = tmp_path / "table.csv"
    pd.DataFrame(
        {"a": rng.normal(size=300) + 2 * y, "b": rng.normal(size=300), "target": np.where(y, "rare", "common")}
    ).to_csv(path, index=False)
    return path


def rows(path: Path) -> Splits:
    return read(path, ReadOptions())


def recipe(**changes: object) -> Recipe:
    return Recipe(kind="table", network={"name": "mlp", "width": 16, "depth": 1}, batch_size=32, folds=3, **changes)


def test_readings_of_a_curve_that_is_known() -> None:
    # A logistic fall centered at 1e-3 and a rise beyond 1e-1: the minimum of the sum is found to a step.
    rates = np.logspace(-6, 1, 200)
    place = np.log10(rates)
    losses = 1 - 1 / (1 + np.exp(-6 * (place + 3))) + np.exp(8 * (place + 0.5))
    found = proposal(rates.tolist(), losses.tolist(), "sgd", 200)
    kept = losses < learning_rate.DIVERGED
    assert np.log10(found.minimum) == pytest.approx(place[kept][losses[kept].argmin()], abs=0.2)
    assert np.log10(found.steepest) == pytest.approx(-3, abs=0.1)
    assert found.proposed == pytest.approx(found.minimum / 10)


def test_smoothing_keeps_lines_away_from_the_ends_and_constants_everywhere() -> None:
    np.testing.assert_allclose(smooth(np.full(50, 3.0), 4.0), 3.0)
    line = np.arange(100.0)
    np.testing.assert_allclose(smooth(line, 3.0)[20:80], line[20:80])


def test_rates_grow_by_one_factor() -> None:
    factors = [ExponentialGrowth(1e6)(step / 10) for step in range(11)]
    assert factors[0] == pytest.approx(1e-6)
    assert factors[-1] == 1
    np.testing.assert_allclose(np.diff(np.log(factors)), np.log(1e6) / 10)


def test_the_test_is_repeatable_covers_the_rates_and_ends_where_the_loss_diverges(table: Path) -> None:
    plain = recipe(optimizer={"name": "sgd", "weight_decay": 0.0})
    found = learning_rate.find(plain, rows(table), steps=80)
    assert found == learning_rate.find(plain, rows(table), steps=80)
    assert found.rates[0] == pytest.approx(1e-6)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 80
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e7) / 80)
    assert 1e-5 < found.proposed < found.minimum < 10
    # The recipe's own rate and schedule play no part.
    other = recipe(optimizer={"name": "sgd", "weight_decay": 0.0, "learning_rate": 0.2}, schedule="one_cycle")
    assert learning_rate.find(other, rows(table), steps=80).losses == found.losses


def test_the_loss_of_a_step_is_recorded_once_with_any_optimizer(table: Path) -> None:
    found = learning_rate.find(recipe(regularization=["sam", "ema"]), rows(table), steps=40, highest=1e-2)
    assert len(found.losses) == 40
    first = learning_rate.find(recipe(), rows(table), steps=40, highest=1e-2)
    assert found.losses[0] == first.losses[0]


@pytest.mark.parametrize(("proposed", "said"), [(0.08, "80 times higher"), (0.0001, "10 times lower"), (0.002, "")])
def test_a_rate_that_is_far_from_the_recipes_is_explained(proposed: float, said: str) -> None:
    rates = (1e-6, proposed)
    found = learning_rate.RateRange(proposed, proposed, 10 * proposed, "adamw", rates, (1.0, 1.0), (1.0, 1.0))
    notes = learning_rate._against_recipe(found, recipe(optimizer={"name": "adamw", "learning_rate": 0.001}))
    assert [said in note for note in notes] == ([True] if said else [])


def test_the_user_may_end_it(table: Path) -> None:
    found = learning_rate.find(recipe(), rows(table), steps=100, progress=lambda share, what: share >= 0.4)
    assert len(found.losses) == 40


def test_a_loss_that_is_not_a_number_is_left_out() -> None:
    losses = [1.0] * 15 + [float("nan")]
    assert len(proposal(np.logspace(-6, 0, 16).tolist(), losses, "sgd", 100).losses) == 15
    with pytest.raises(DataError, match="diverges within 4 steps"):
        proposal([1e-6, 1e-5, 1e-4, 1e-3], [1.0, float("inf"), 2.0, 3.0], "sgd", 100)


def test_held_out_and_test_rows_take_no_part(table: Path) -> None:
    learned, notes = learning_rate.first_rows(recipe(), rows(table))
    assert len(learned) == 160
    assert notes == ()


@pytest.mark.parametrize("keep", [False, True])
def test_copies_of_judged_rows_are_said(table: Path, keep: bool) -> None:
    # The test rows are the first 50 training rows.
    data = rows(table)
    data = replace(data, test=data.train.take(np.arange(50)))
    found = learning_rate.find(recipe(), data, steps=30, keep_copies=keep)
    said = "50 of 300 training rows copy"
    assert any(said in note for note in found.notes)
    assert said in found.to_text()
    assert found.for_machines()["notes"] == found.notes


def test_bad_rates_and_steps_are_refused(table: Path) -> None:
    with pytest.raises(ValueError, match="lowest < highest"):
        learning_rate.find(recipe(), rows(table), lowest=1.0, highest=0.1)
    with pytest.raises(ValueError, match="steps >= 20"):
        learning_rate.find(recipe(), rows(table), steps=5)


def test_command_proposes_a_rate_and_draws_its_curve(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "found"
    done = rarebird(
        capsys, monkeypatch, "learning-rate", table, "--set", "optimizer=sgd", "--steps", 60, "--out", out, "--json"
    )
    assert done.code == 0, done.err
    said = json.loads(done.out)
    values = json.loads((out / "learning_rate.json").read_text(encoding="utf-8"))
    assert said["optimizer"] == "sgd"
    assert said["proposed"] == values["proposed"] == pytest.approx(said["minimum"] / 10)
    with Image.open(said["figure"]) as picture:
        assert picture.format == "PNG"
        assert picture.width > 600
    assert visible(out) == ["learning_rate.json", "learning_rate.png"]
    refused = rarebird(capsys, monkeypatch, "learning-rate", table, "--steps", 40, "--out", out)
    assert refused.code == 2
    shown = rarebird(capsys, monkeypatch, "learning-rate", table, "--steps", 40, "--out", out, "--force")
    assert "Learning rate of adamw" in shown.out
