"""The experiment as a whole: probabilities answer to the natural prior, runs repeat, and an early end keeps what is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarebird import artifact
from rarebird.checks import DataError
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment import run
from rarebird.recipe import Recipe


def rows(n: int = 400, share: float = 0.15, seed: int = 0, **fields: object) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str), **fields)  # type: ignore[arg-type]


def recipe(**changes: object) -> Recipe:
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 32, "depth": 2},
        "calibration": ["prior_correction", "temperature"],
        "optimizer": {"name": "adamw", "learning_rate": 3e-3},
        "steps": 150,
        "batch_size": 64,
        "folds": 2,
    }
    return Recipe(**(plain | changes))


@pytest.mark.parametrize(
    "remedy",
    [{"loss": "weighted"}, {"loss": "logit_adjusted"}, {"loss": "focal"}, {"batch_sampling": "class_balanced"}],
    ids=lambda remedy: "-".join(remedy.values()),
)
def test_probabilities_answer_to_the_natural_prior_whatever_bent_it(remedy: dict[str, str]) -> None:
    outcome = run(recipe(**remedy), Splits(rows(), test=rows(2000, seed=1)))
    test = outcome.splits.test
    assert test is not None
    mean = outcome.model.outputs(test)[:, 1].mean()
    assert mean == pytest.approx(test.codes.mean(), abs=0.04)
    plain = run(recipe(), Splits(rows(), test=test)).result.test
    assert plain is not None
    assert outcome.result.test is not None
    bent, straight = (scores.metrics["log_loss"].value for scores in (outcome.result.test, plain))
    assert bent == pytest.approx(straight, abs=0.03)


def test_bending_twice_is_corrected_twice() -> None:
    outcome = run(recipe(loss="weighted", batch_sampling="class_balanced"), Splits(rows()), test_share=0)
    (_, correction), _ = outcome.model.members[0].calibrations
    shift = np.diff(correction.shift)[0]  # type: ignore[attr-defined]
    # Balanced twice: each time by the ratio of the counts, about log(85 / 15).
    assert shift == pytest.approx(-2 * np.log(0.85 / 0.15), abs=0.5)


def test_an_early_end_keeps_what_is_there(tmp_path: object) -> None:
    calls = 0

    def stop_in_the_second_fold(progress: float, what: str) -> bool:
        nonlocal calls
        calls += 1
        return progress > 0.4

    outcome = run(recipe(folds=4), Splits(rows(), test=rows(100, seed=2)), report=stop_in_the_second_fold)
    assert calls > 0
    assert len(outcome.model.members) == 2
    assert outcome.out_of_fold is not None
    assert 0.3 < np.isnan(outcome.out_of_fold[:, 0]).mean() < 0.7
    assert outcome.result.test is not None
    assert any("ended early" in note for note in outcome.result.notes)


def test_a_relaid_recipe_repeats_every_fold() -> None:
    relaid = (((20, 60), (30, 80)), ((10, 40),))
    one = run(recipe(relaid=relaid), Splits(rows()), test_share=0)
    two = run(one.recipe, Splits(rows()), test_share=0)
    assert one.recipe.relaid == relaid
    assert [entry["step"] for entry in one.result.history if entry["fold"] == 0][-1] == 80
    assert one.result.history == two.result.history
    assert one.result.validation == two.result.validation


def test_a_saved_model_gives_the_same_numbers(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "model"
    outcome = run(recipe(steps=20, decision="threshold", metric="macro_f1"), Splits(rows()), test_share=0)
    outcome.model.save(folder)
    loaded = artifact.load(folder)
    fresh = rows(50, seed=5)
    np.testing.assert_array_equal(loaded.outputs(fresh), outcome.model.outputs(fresh))
    np.testing.assert_array_equal(loaded.labels(loaded.outputs(fresh)), outcome.model.labels(outcome.model.outputs(fresh)))
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]


def test_weights_reach_the_prior_and_groups_stay_together() -> None:
    data = rows()
    heavy = rows(weight=np.where(data.codes == 1, 3.0, 1.0))
    outcome = run(recipe(steps=20), Splits(heavy), test_share=0)
    share = 3 * data.codes.mean() / (3 * data.codes.mean() + 1 - data.codes.mean())
    assert outcome.model.prior[1] == pytest.approx(share)
    grouped = run(recipe(steps=5), Splits(rows(group=np.arange(400) // 8)))
    train, test = grouped.splits.train, grouped.splits.test
    assert test is not None
    assert train.group is not None
    assert not set(train.group) & set(test.group if test.group is not None else [])


def test_a_loss_of_another_task_is_refused_with_those_that_serve() -> None:
    with pytest.raises(DataError, match="does not serve classification; use one of cross_entropy"):
        run(recipe(loss="mean_squared"), Splits(rows()), test_share=0)
