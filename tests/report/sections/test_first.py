"""The first screen: what was asked, what the model has to beat, and what to do next."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.evaluation.result import Result
from rarebird.metrics.uncertainty import wilson
from rarebird.report.sections.first import first_values
from rarebird.report.sections.next_steps import next_steps, rows_needed
from rarebird.report.verdict import scores_of
from tests.report.made_results import contents


def steps_of(result: Result, **more: Any) -> list[str]:
    scores = scores_of(result)
    assert scores is not None
    return [f"{step.sentence} {step.command}".strip() for step in next_steps(contents(result, **more), scores)]


def test_the_main_figure_is_beside_the_reference_the_default_recipe_and_guessing(results: dict[str, Result]) -> None:
    _, first = first_values(contents(results["binary"]))
    shown = [(row["title"], row["name"], row["rows"]) for row in first["beside"]]
    assert shown == [
        ("This model", "", "test rows"),
        ("This model", "", "held-out training rows"),
        ("Best reference:", "boosted trees", "held-out training rows"),
        ("Default recipe:", "mlp", "held-out training rows"),
        ("Random guessing", "", "by calculation"),
    ]
    assert [row["figure"]["value"] for row in first["beside"]][2:] == ["0.80", "0.80", "0.500"]
    assert first["beside_note"] == ""


def test_a_run_of_one_recipe_says_that_nothing_was_trained_beside_it(results: dict[str, Result]) -> None:
    _, first = first_values(contents(results["three"]))
    assert [row["title"] for row in first["beside"]] == ["This model", "This model", "Random guessing"]
    assert "one recipe alone" in first["beside_note"]
    assert "rarebird compare rows.csv" in " ".join(steps_of(results["three"], data="rows.csv"))


def test_rows_needed_make_the_interval_narrow_enough_and_one_fewer_do_not() -> None:
    for recall in (0.5, 0.75, 0.9, 1.0):
        half = [float(np.ptp(wilson(recall, n))) / 2 for n in (rows_needed(recall) - 1, rows_needed(recall))]
        assert half[0] > 0.05 >= half[1]


def test_the_steps_name_the_class_that_needs_rows_and_how_many(results: dict[str, Result]) -> None:
    binary = results["binary"]
    assert binary.test is not None
    recall = binary.test.per_class[1].recall
    assert recall.value is not None
    text = " ".join(steps_of(binary))
    assert "More test rows of “malignant”: from 78 rows" in text
    assert f"{rows_needed(recall.value):,} rows would tell it to ±0.05" in text
    assert "More training rows of “malignant”, which has 182 of 7,828" in text
    assert "What helped: “boosted trees” in place of the default recipe, “mlp”" in text
    assert "rarebird compare" not in text


def test_a_column_that_predicts_the_target_is_the_first_thing_to_look_at(results: dict[str, Result]) -> None:
    leak = {"column": "cure", "metric": "auc", "score": 0.999}
    assert "“cure” is known before the target" in steps_of(results["binary"], profile={"leaks": [leak]})[0]


def test_classes_without_enough_rows_to_judge_are_named(results: dict[str, Result]) -> None:
    assert "these classes have too few of them to be judged at all" in " ".join(steps_of(results["three"]))
