"""Comparing remedies: paired on the same splits, without verdicts that the rows cannot support, and able to find what
helps."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rarebird.comparison import compare as compare_module
from rarebird.comparison import planning
from rarebird.comparison.compare import ComparisonOptions, compare
from rarebird.comparison.planning import Cost
from rarebird.comparison.remedies import with_remedy
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.dataset import Dataset
from rarebird.evaluation.cross_validate import cross_validate
from rarebird.methods.synthesis.vae import Vae
from tests.comparison.made_rows import baseline, rows


def test_a_remedy_that_does_nothing_differs_by_nothing() -> None:
    found = compare(baseline(), rows(), ["loss=cross_entropy"], ComparisonOptions(3, 2))
    assert found.splits == 6
    assert found.rows[0].difference.mean == 0
    assert found.rows[0].verdict == "too few rows to tell"


def test_what_helps_is_found_and_what_hurts_too() -> None:
    # The argmax of natural probabilities hardly ever names the rare class, whose rows are never the likelier ones.
    # Class weights change nothing about that, because probabilities are corrected back; the balanced decision does.
    train, quick = rows(800, share=0.06), {"name": "adamw", "learning_rate": 3e-2}
    found = compare(
        baseline(steps=80, optimizer=quick), train, ["decision=balanced", "loss=weighted"], ComparisonOptions(4, 3)
    )
    assert [row.verdict for row in found.rows] == ["helps", "too few rows to tell"]
    assert found.rows[0].difference.low > 0.1
    turned = compare(
        baseline(steps=80, optimizer=quick, decision="balanced"), train, ["decision=argmax"], ComparisonOptions(4, 3)
    )
    assert turned.rows[0].verdict == "hurts"


def test_among_shuffled_labels_nothing_helps() -> None:
    found = compare(
        baseline(decision="balanced"),
        rows(200, share=0.3, shuffled=True),
        ["loss=weighted", "loss=focal"],
        ComparisonOptions(4, 2),
    )
    assert {row.verdict for row in found.rows} == {"too few rows to tell"}


def test_losses_are_turned_so_that_larger_is_better() -> None:
    train = rows(400)
    found = compare(baseline(steps=5), train, ["optimizer=sgd"], ComparisonOptions(3, 1, "log_loss"))
    assert found.baseline > 0
    assert found.rows[0].value == pytest.approx(found.baseline - found.rows[0].difference.mean)
    assert found.for_machines()["turned"] == ["log_loss", "brier_score", "expected_calibration_error"]


def test_a_remedy_that_cannot_be_trained_is_reported_and_the_others_are_compared() -> None:
    three = Dataset(
        "table",
        "classification",
        rows().source,
        np.arange(300),
        np.arange(300) % 3,
        ("a", "b", "c"),
        np.arange(300).astype(str),
    )
    found = compare(baseline(), three, ["loss=auc", "loss=focal"], ComparisonOptions(3, 1))
    assert "two classes" in found.rows[0].why
    assert found.rows[0].verdict == "too few rows to tell"
    assert not found.rows[1].why


def test_the_best_combination_is_judged_on_other_splits_and_each_member_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Which members are chosen is not the matter here.
    members = ["decision=balanced", "loss=focal"]
    monkeypatch.setattr(
        compare_module, "choose", lambda gains, gain_of: members if gain_of(members) is not None else []
    )
    train, base = rows(), baseline(steps=15, seed=2)
    found = compare(base, train, [*members, "loss=weighted"], ComparisonOptions(3, 2))
    together = found.combination
    assert together is not None
    assert (list(together.remedies), together.splits, found.splits) == (members, 6, 6)

    def alone(*remedies: str) -> np.ndarray:
        """The splits of the third and fourth repeat, one recipe at a time."""
        recipe = with_remedy(base, "+".join(remedies)) if remedies else base
        each = []
        for seed in (4, 5):
            parts = split.parts(train, split.decide(train, folds=3), seed)
            each.append(
                cross_validate(recipe.updated(seed=seed), train, parts, Compute()).values("balanced_accuracy", train)
            )
        return np.concatenate(each)

    whole = alone(*members)
    assert together.row.difference.mean == pytest.approx((whole - alone()).mean())
    assert [row.remedy for row in together.members] == members
    for row, other in zip(together.members, reversed(members), strict=True):
        assert row.difference.mean == pytest.approx((whole - alone(other)).mean())
        assert (row.value, row.other) == pytest.approx((whole.mean(), alone(other).mean()))
    assert any("other splits of the same rows" in note for note in found.notes)
    # All claims share one level: two remedies alone, one that is no part, the combination and its members.
    plainly = found.for_machines()["combination"]
    assert set(plainly["members"]) == set(members)
    assert plainly["verdict"] in ("helps", "hurts", "too few rows to tell")


def test_remedies_that_help_are_combined_by_themselves() -> None:
    found = compare(
        baseline(steps=60), rows(500), ["decision=balanced", "loss=focal", "loss=weighted"], ComparisonOptions(3, 1)
    )
    gains = {row.remedy: row.difference.mean for row in found.rows}
    assert gains["decision=balanced"] > 0
    if found.combination is not None:
        assert "decision=balanced" in found.combination.remedies
        assert all(gains[member] > 0 for member in found.combination.remedies)


def test_differences_are_told_in_each_metric_and_in_each_class() -> None:
    found = compare(baseline(steps=20), rows(), ["decision=balanced"], ComparisonOptions(3, 1))
    entry = found.for_machines()["remedies"]["decision=balanced"]
    assert {"balanced_accuracy", "accuracy", "roc_auc", "log_loss", "recall:no", "recall:yes"} <= set(entry["metrics"])
    top = {name: entry[name] for name in ("difference", "low", "high")}
    assert entry["metrics"]["balanced_accuracy"] == top
    # The decision leaves probabilities and ranks as they are.
    assert entry["metrics"]["log_loss"]["difference"] == entry["metrics"]["roc_auc"]["difference"] == 0
    recalls = [entry["metrics"][f"recall:{label}"]["difference"] for label in ("no", "yes")]
    assert np.mean(recalls) == pytest.approx(entry["difference"])


def test_regression_is_compared_in_its_own_metrics() -> None:
    train = rows(200)
    values = Dataset(
        "table", "regression", train.source, train.index, np.random.default_rng(0).normal(size=200), (), train.ids
    )
    base = baseline(loss="mean_squared", metric="r2", decision="balanced", steps=10)
    found = compare(base, values, ["regularization=l2", "reference=boosted_trees"], ComparisonOptions(3, 1))
    assert set(found.rows[0].metrics) == {"r2", "mean_squared_error", "root_mean_squared_error", "mean_absolute_error"}
    with pytest.raises(DataError, match="'accuracy' does not judge regression"):
        compare(base, values, ["regularization=l2"], ComparisonOptions(metric="accuracy"))


def test_with_no_time_left_it_says_so_and_ends() -> None:
    found = compare(
        baseline(steps=None, epochs=2.0),
        rows(),
        ["loss=focal"],
        ComparisonOptions(3, 2),
        Compute(deadline=time.monotonic()),
    )
    assert found.splits == 0
    assert found.rows[0].why == "there was no time for a split"
    assert any("0 of 6 splits" in note for note in found.notes)
    assert found.for_machines()["remedies"]["loss=focal"]["difference"] is None
    assert "not judged" in found.to_text()


@pytest.mark.parametrize(("uses_time_left", "splits"), [(True, 12), (False, 9)])
def test_a_short_budget_means_fewer_steps_and_repeats_and_says_so(
    uses_time_left: bool, splits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if 100 steps took a second: 24 s for two recipes in three parts and four repeats, where 5 s are left. What
    # turns out to be left after three repeats of 25 steps is used for more of them.
    monkeypatch.setattr(
        planning, "measure", lambda recipes, validation, seconds: dict.fromkeys(recipes, Cost(0.0, 0.01, 100))
    )
    monkeypatch.setattr(compare_module._Running, "_seconds_left", lambda running: 5.0)
    # The machine may be slower than planned.
    monkeypatch.setattr(compare_module._Running, "_time_after", lambda running, share: running.compute.deadline)
    if not uses_time_left:
        monkeypatch.setattr(compare_module._Running, "use_time_left", lambda running: None)
    base = baseline(steps=None, epochs=100 * 32 / 200)
    found = compare(base, rows(), ["loss=focal"], ComparisonOptions(3, 4), Compute(deadline=time.monotonic() + 600))
    assert (found.recipe.steps, found.splits) == (25, splits)
    assert any("0.25 of the steps or rounds" in note and "25 of 100" in note for note in found.notes)
    assert found.course.is_judged
    assert any("9 of 12 splits" in note for note in found.notes) != uses_time_left


@pytest.mark.parametrize("steps", [3, 400])
def test_a_generator_learns_for_the_steps_that_its_time_allows_or_is_left_out(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, generators learned for all of their steps, however short the time: 30 s became eleven minutes."""
    learned: set[int] = set()

    def fit(method: Vae, train: Dataset, *others: object) -> object:
        learned.add(method.steps)
        return fit_as_ever(method.model_copy(update={"steps": 1}), train, *others)

    fit_as_ever = Vae.fit
    monkeypatch.setattr(Vae, "fit", fit)
    monkeypatch.setattr(Vae, "planned", lambda method, *given: method.model_copy(update={"steps": steps}))
    found = compare(
        baseline(steps=None, epochs=2.0),
        rows(),
        ["synthesis=vae"],
        ComparisonOptions(3, 1),
        Compute(deadline=time.monotonic() + 600),
    )
    if steps == 3:
        assert "3 of 1,500 steps; give a longer --budget" in found.rows[0].why
        assert not learned
        assert found.splits == 3
    else:
        assert learned == {400}
        assert found.rows[0].why == ""


def test_recipes_that_are_hardly_trained_get_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    # What helps after 80 steps (see above) is not called so after 80 of 562, whatever the figures are.
    train, quick = rows(800, share=0.06), {"name": "adamw", "learning_rate": 3e-2}
    wanted = ["decision=balanced", "loss=focal", "reference=boosted_trees"]
    monkeypatch.setattr(
        planning, "measure", lambda recipes, validation, seconds: dict.fromkeys(recipes, Cost(0.0, 0.01, 562))
    )
    monkeypatch.setattr(compare_module._Running, "_seconds_left", lambda running: 4 * 4 * 0.01 * 80 / planning.PLANNED)
    base = baseline(steps=None, epochs=30.0, optimizer=quick)
    found = compare(base, train, wanted, ComparisonOptions(4, 3), Compute(deadline=time.monotonic() + 600))
    assert {row.verdict for row in found.rows} == {"too few steps to tell"}
    assert found.rows[0].difference.low > 0.1
    assert found.combination is None
    assert found.recipe.steps == 80
    plainly = found.for_machines()
    assert plainly["share_of_steps"] == pytest.approx(80 / 562, rel=0.01)
    assert "80 of the 562 steps" in plainly["no_verdict"]
    assert found.to_text().startswith("No verdict is given")
    # The seconds that would do: a quarter of 562 steps of four recipes in four parts.
    assert found.course.seconds_needed == pytest.approx(4 * 4 * 0.01 * 562 / 4 / planning.PLANNED, rel=0.3)


def test_the_positive_class_is_settled_once_from_all_training_rows() -> None:
    # Near 50 % either class is the rarer one of some part, and the decision must be for the same class as the score.
    train, base = rows(160, share=0.5, seed=3), baseline(steps=10, metric="f1", decision="threshold")
    label = train.classes[int(np.bincount(train.codes).argmin())]
    open_class, named = (
        compare(base, train, ["loss=weighted"], ComparisonOptions(4, 1, positive=positive))
        for positive in (None, label)
    )
    assert open_class.for_machines() == named.for_machines()
    with pytest.raises(DataError, match="There is no class 'maybe'"):
        compare(base, train, ["loss=weighted"], ComparisonOptions(4, 1, positive="maybe"))


def test_the_same_comparison_gives_the_same_numbers() -> None:
    first, second = (
        compare(baseline(steps=5), rows(), ["decision=balanced", "loss=focal"], ComparisonOptions(3, 1))
        for _ in range(2)
    )
    assert first.for_machines() == second.for_machines()


def test_a_user_who_ends_it_gets_pairs_for_all() -> None:
    found = compare(
        baseline(steps=5),
        rows(),
        ["loss=focal", "loss=weighted"],
        ComparisonOptions(4, 3),
        Compute(progress=lambda share, what: "repeat 1, part 4" in what),
    )
    assert found.splits == 3
    assert [row.difference.splits for row in found.rows] == [3, 3]
    assert {row.verdict for row in found.rows} == {"too few rows to tell"}
    assert any("ended early: 3 of 12 splits" in note for note in found.notes)
