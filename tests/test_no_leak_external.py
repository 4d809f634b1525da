"""No leak by rows of other sources: a row that copies a judged row never reaches a weight, and nothing that judges sees
a row of another source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Frame, Pixels, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.readers.outside import fitted
from rarebird.recipe.recipe import Recipe
from tests.test_no_leak import recipe as plain_recipe
from tests.test_no_leak import rows, same_member


def recipe(**changes: object) -> Recipe:
    return plain_recipe(external="outside_rows", **changes)


def copies_of(part: Dataset, near: bool = False, other_label: bool = False) -> Dataset:
    """A source's rows that copy rows of a part; near copies differ in the seventh digit."""
    frame = part.raw()
    if near:
        frame["a"] = frame["a"] * (1 + 1e-8)
    assert part.y is not None
    return replace(part, source=Frame(frame), index=np.arange(len(part)), y=1 - part.y if other_label else part.y)


def fit(train: Dataset, *sources: Dataset, test: Dataset | None = None, **changes: object) -> Outcome:
    outside = tuple(fitted(source, train) for source in sources)
    return run(recipe(**changes), Splits(train, test=test, outside=outside), test_share=0)


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("other_label", [False, True])
def test_a_test_row_that_is_planted_in_a_source_changes_no_weight(near: bool, other_label: bool) -> None:
    train, test, source = rows(), rows(30, seed=1), rows(60, seed=2)
    planted = concat([source, copies_of(test.take(np.arange(5)), near, other_label)])
    one, two = fit(train, source, test=test), fit(train, planted, test=test)
    assert all(same_member(one, two, member) for member in range(len(one.model.members)))
    assert one.result.external is not None
    assert two.result.external is not None
    assert one.result.external.sources[0].joined == two.result.external.sources[0].joined > 0
    assert two.result.external.sources[0].judged_copies == 5
    assert "Of the 65 rows of data, 5 copy a validation or test row; these do not join." in two.result.notes


def test_a_training_row_that_is_planted_changes_no_weight_of_the_network_that_holds_it_out() -> None:
    train, source = rows(), rows(60, seed=2)
    one, two = fit(train, source), fit(train, concat([source, copies_of(train)]))
    assert all(same_member(one, two, member) for member in range(len(one.model.members)))
    assert two.result.external is not None
    assert two.result.external.sources[0].own_copies == len(train)


@pytest.mark.parametrize("table", ["few distinct values", "pictures"])
def test_a_marked_row_is_found_where_equal_rows_are_common_and_among_pictures(table: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    if table == "pictures":
        array = rng.integers(0, 255, (200, 1, 12, 12)).astype(np.uint8)
        data = Dataset("image", "classification", Pixels(array), np.arange(200), y, ("no", "yes"), y.astype(str))
    else:
        frame = pd.DataFrame({"a": rng.integers(0, 3, 200) + y, "b": rng.integers(0, 3, 200)})
        frame.loc[0, "b"] = 77
        data = Dataset("table", "classification", Frame(frame), np.arange(200), y, ("no", "yes"), y.astype(str))
    test, train, source = data.take(np.arange(20)), data.take(np.arange(20, 120)), data.take(np.arange(120, 200))
    kind = "image" if table == "pictures" else "table"
    found = fit(train, concat([source, test.take(np.arange(1))]), test=test, kind=kind, steps=4)
    plain = fit(train, source, test=test, kind=kind, steps=4)
    assert found.result.external is not None
    assert plain.result.external is not None
    copies = [one.result.external.sources[0].judged_copies for one in (plain, found)]
    assert copies[1] == copies[0] + 1
    assert found.result.external.sources[0].joined > 40, "rows that are equal by chance still join"
    assert all(same_member(plain, found, member) for member in range(len(plain.model.members)))


def test_a_column_that_a_source_lacks_hides_no_copy() -> None:
    train, test = rows(), rows(30, seed=1)
    source = fitted(replace(test, source=Frame(test.raw().drop(columns="c"))), train)
    splits = Splits(train, test=test, outside=(source,))
    found = run(recipe(steps=2), splits, test_share=0).result.external
    assert found is None or found.sources[0].judged_copies == 30


def test_nothing_that_judges_sees_a_row_of_another_source() -> None:
    """A source of wild rows that may join changes the networks, but no held-out row, class frequency or part."""
    train, source = rows(), rows(60, seed=2)
    alone, joined = run(plain_recipe(), Splits(train), test_share=0), fit(train, source)
    assert not same_member(alone, joined, 0)
    assert alone.model.members[0].prepared == joined.model.members[0].prepared
    np.testing.assert_array_equal(alone.model.prior, joined.model.prior)
    assert alone.held_out_rows is not None
    assert joined.held_out_rows is not None
    assert list(alone.held_out_rows.rows.ids) == list(joined.held_out_rows.rows.ids)
    assert joined.result.n_train == len(train)
    assert joined.result.class_counts == alone.result.class_counts


@pytest.mark.parametrize("trained", [{}, {"reference": "boosted_trees", "steps": 30}])
def test_a_source_of_another_class_balance_leaves_probabilities_those_of_the_own_rows(
    trained: dict[str, object],
) -> None:
    """The prior that joining bends is corrected: nine tenths of the source are of the rare class."""
    train, test, source = rows(600), rows(600, seed=1), rows(900, seed=2)
    assert source.y is not None
    rare, common = (np.flatnonzero(source.y == code) for code in (1, 0))
    skewed = source.take(np.concatenate([rare, common[: len(rare) // 9]]))
    changes: dict[str, object] = {"loss": "cross_entropy", "steps": 120, "calibration": ["prior_correction"]} | trained
    outcome = fit(train, skewed, test=test, **changes)
    probability, natural = outcome.model.outputs(test)[:, 1], train.prior[1]
    assert abs(probability.mean() - natural) < 0.06
    # Without the correction, the source would show.
    ((_, correction),) = outcome.model.members[0].calibrations
    shift = np.array(correction.model_dump()["shift"])  # type: ignore[attr-defined]
    bent = 1 / (1 + (1 - probability) / probability * np.exp(shift[1] - shift[0]))
    assert bent.mean() > natural + 0.12


def test_joined_rows_weigh_in_the_prior_factor_as_they_weigh_in_training() -> None:
    train, source = rows(300), rows(300, seed=2)
    assert source.y is not None
    only_rare = source.take(np.flatnonzero(source.y == 1))
    chosen: dict[str, object] = {"folds": 0, "holdout": 0.3, "steps": 2, "loss": "cross_entropy"}
    outcome = fit(train, only_rare, calibration=["prior_correction"], **chosen)
    external = outcome.result.external
    assert external is not None
    own, added = (np.array([getattr(one, name) for one in external.sources[0].classes]) for name in ("own", "weight"))
    ((_, correction),) = outcome.model.members[0].calibrations
    shift = np.array(correction.model_dump()["shift"])  # type: ignore[attr-defined]
    assert added[0] == 0
    assert added[1] > 30
    assert shift[0] - shift[1] == pytest.approx(np.log((own[1] + added[1]) / own[1]), abs=1e-3)


def test_fit_without_a_source_is_the_same_as_with_one_that_is_refused() -> None:
    train, source = rows(), rows(90, seed=2)
    assert source.y is not None
    refused = replace(source, source=Frame(source.raw().assign(a=source.raw()["a"] * 1000 + 5e5)))
    alone, joined = run(plain_recipe(), Splits(train), test_share=0), fit(train, refused)
    assert all(same_member(alone, joined, member) for member in range(len(alone.model.members)))
    assert joined.result.external is not None
    assert "another unit" in joined.result.external.sources[0].refused
    assert any(note.startswith("No row of data joins: column 'a'") for note in joined.result.notes)
