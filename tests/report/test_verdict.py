"""The verdict: each sentence agrees with the figures that it is about."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import ClassScore, ClassShift, Result, Scores, StepsTaken
from rarebird.metrics.uncertainty import wilson
from rarebird.report.terminal import summary
from rarebird.report.verdict import differing_classes, verdict
from tests.report.made_results import result

Figure = tuple[float, float, float]


def estimate(figure: Figure | None) -> Estimate:
    if figure is None:
        return Estimate(value=None)
    value, low, high = figure
    return Estimate(value=value, low=low, high=high)


def class_score(label: str, recall: Figure | None, error: Figure | None = None, support: int = 50) -> ClassScore:
    known = estimate(recall)
    return ClassScore(
        label=label, support=support, recall=known, precision=known, f1=known, calibration_error=estimate(error)
    )


def test_rows_of_one_class_say_nothing_on_telling_classes_apart() -> None:
    scores = Scores(
        metrics={"balanced_accuracy": estimate((0.7, 0.6, 0.8))},
        per_class=[class_score("ill", None, support=0), class_score("well", (0.7, 0.6, 0.8))],
        confusion=[[0, 0], [15, 35]],
    )
    text = " ".join(verdict(result("x", ["ill", "well"], [9, 90], [5, 5], test=scores)))
    assert "All these rows are of the class “well”" in text
    assert "guessing would" not in text


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ((0.9, 0.85, 0.95), "Random guessing would reach 0.50; the whole interval is above it."),
        ((0.55, 0.45, 0.65), "Random guessing would reach 0.50; this model is not shown to beat it."),
        (
            (0.9, 0.85, 0.95),
            "On the validation rows balanced_accuracy was 0.88 [0.84, 0.92]; the test rows confirm this.",
        ),
        ((0.7, 0.65, 0.75), "balanced_accuracy was 0.88 [0.84, 0.92]; the test rows do not confirm this."),
    ],
)
def test_the_verdict_agrees_with_the_intervals(test: Figure, sentence: str) -> None:
    def scores(figure: Figure) -> Scores:
        return Scores(metrics={"balanced_accuracy": estimate(figure)})

    outcome = result("x", ["a", "b"], [5, 5], [5, 5], test=scores(test), validation=scores((0.88, 0.84, 0.92)))
    assert sentence in " ".join(verdict(outcome))


def at_chance(figure: Figure = (0.52, 0.41, 0.63), metric: str = "balanced_accuracy", **fields: object) -> list[str]:
    """The verdict on a model with this balanced accuracy."""
    scores = Scores(
        metrics={"macro_f1": estimate((0.3, 0.2, 0.4)), "balanced_accuracy": estimate(figure)},
        per_class=[class_score("a", None), class_score("b", None)],
    )
    plain = {"test": scores, "validation": None, "metric": metric, "seconds": 58.0, "timings": {}}
    return verdict(result("x", ["a", "b"], [50, 50], [5, 5], **(plain | fields)))


def test_a_model_at_chance_is_told_the_share_of_its_training_and_the_budget() -> None:
    first, second = at_chance(steps=StepsTaken(steps=146, full_steps=1470, epochs=150))[:2]
    assert first == "Random guessing would reach 0.50; this model is not shown to beat it."
    assert second == (
        "It was trained for 146 of about 1470 steps of its recipe (150 passes over the training rows), 10 %; "
        "--budget 10m would give it all of them."
    )
    good = " ".join(at_chance((0.7, 0.6, 0.8), steps=StepsTaken(steps=146, full_steps=1470, epochs=150)))
    assert "trained for" not in good


def test_a_model_that_beats_guessing_on_validation_rows_is_not_told_to_train_longer() -> None:
    steps = StepsTaken(steps=146, full_steps=1470, epochs=150)
    for low, is_told in ((0.6, False), (0.45, True)):
        validation = Scores(metrics={"balanced_accuracy": estimate((0.66, low, 0.7))})
        text = " ".join(at_chance(steps=steps, validation=validation))
        assert "is not shown to beat it" in text
        assert ("trained for 146" in text) == is_told


def test_a_model_at_chance_with_all_its_steps_is_not_told_to_train_longer() -> None:
    text = " ".join(at_chance(steps=StepsTaken(steps=1470, full_steps=1470, epochs=150)))
    assert "trained for all 1470 steps" in text
    assert "--budget" not in text
    assert "all 300 rounds of its recipe: more rows" in " ".join(at_chance(steps=StepsTaken(steps=300, full_steps=300)))
    assert "trained for" not in " ".join(at_chance())


@pytest.mark.parametrize(("seconds", "budget"), [(2.0, "30s"), (300.0, "1h"), (3000.0, "9h"), (0.0, "longer training")])
def test_the_budget_is_a_round_one(seconds: float, budget: str) -> None:
    text = " ".join(at_chance(seconds=seconds, steps=StepsTaken(steps=10, full_steps=100, epochs=9)))
    assert budget in text


def test_only_the_training_takes_longer() -> None:
    steps = StepsTaken(steps=10, full_steps=100, epochs=9)
    assert "--budget 5m" in " ".join(at_chance(seconds=60.0, timings={"search": 20.0, "test": 30.0}, steps=steps))


def test_chance_is_named_whatever_the_metric_and_however_many_classes_the_rows_have() -> None:
    text = " ".join(at_chance(metric="macro_f1"))
    assert "Random guessing would reach 0.50 in balanced_accuracy; this model 0.52 [0.41, 0.63] is not shown" in text
    assert "Random guessing" not in " ".join(at_chance((0.7, 0.6, 0.8), metric="macro_f1"))
    # Of three classes the test rows show two: guessing between them reaches a half.
    rows = [class_score("a", (0.5, 0.4, 0.6)), class_score("b", (0.5, 0.4, 0.6)), class_score("c", None, support=0)]
    scores = Scores(metrics={"balanced_accuracy": estimate((0.45, 0.36, 0.56))}, per_class=rows)
    outcome = result("x", ["a", "b", "c"], [50, 50, 5], [5, 5, 0], test=scores, validation=None)
    assert "would reach 0.50; this model is not shown to beat it" in verdict(outcome)[0]


def two_parts(
    shift: tuple[ClassShift, ...] = (), test: Figure = (0.67, 0.61, 0.73), glioma: Figure = (0.18, 0.12, 0.27)
) -> list[str]:
    """A verdict on validation rows with recalls of .9, and test rows on which one class may have another recall."""

    def scores(figure: Figure, recalls: dict[str, Figure]) -> Scores:
        rows = [class_score(label, recall) for label, recall in recalls.items()]
        return Scores(metrics={"balanced_accuracy": estimate(figure)}, per_class=rows)

    usual = {"glioma": (0.92, 0.88, 0.95), "none": (0.9, 0.85, 0.94), "pituitary": (0.9, 0.84, 0.94)}
    outcome = result(
        "x",
        list(usual),
        [800, 400, 800],
        [100, 100, 70],
        validation=scores((0.9, 0.88, 0.92), usual),
        test=scores(test, usual | {"glioma": glioma, "none": (0.83, 0.74, 0.89)}),
        shift=shift,
    )
    return verdict(outcome)


SHIFTED = (
    ClassShift(label="glioma", p_value=1e-9, auc=0.9),
    ClassShift(label="none", p_value=0.4, auc=0.52),
    ClassShift(label="pituitary", p_value=0.012, auc=0.71),
)


def test_the_class_whose_recall_differs_is_named_and_whether_it_comes_from_elsewhere() -> None:
    text = two_parts(SHIFTED)
    assert any(sentence.endswith("the test rows do not confirm this.") for sentence in text)
    assert (
        "Recall of “glioma” is 0.18 [0.12, 0.27] on the test rows, but was 0.92 [0.88, 0.95] on the validation rows; "
        "its test rows differ from its training rows, as rows from elsewhere would "
        "(told apart with AUC 0.90, p < 0.001)."
    ) in text
    assert (
        "Test rows differ from the training rows of their class, as rows from elsewhere would: "
        "“pituitary” (told apart with AUC 0.71, p = 0.012)."
    ) in text
    assert not any("Recall of “none”" in sentence for sentence in text)


def test_one_class_that_differs_is_named_where_the_whole_agrees() -> None:
    text = " ".join(two_parts(test=(0.89, 0.85, 0.92)))
    assert "the test rows confirm this, but not for every class." in text
    assert "Recall of “glioma” is 0.18" in text
    assert "from elsewhere" not in text
    text = " ".join(two_parts((ClassShift(label="glioma", p_value=0.3, auc=0.55),)))
    assert "its test rows are not found to differ from its training rows (told apart with AUC 0.55, p = 0.3)" in text


def test_of_many_classes_that_differ_five_are_named_the_worst_first() -> None:
    def scores(factor: float) -> Scores:
        recalls = [0.9 - factor * 0.1 * place for place in range(8)]
        rows = [class_score(f"class {k}", (one, one - 0.02, one + 0.02)) for k, one in enumerate(recalls)]
        return Scores(metrics={"balanced_accuracy": estimate((0.5, 0.4, 0.6))}, per_class=rows)

    outcome = result("x", ["a", "b"], [9, 9], [9, 9], validation=scores(0.0), test=scores(1.0))
    named = [sentence for sentence in verdict(outcome) if sentence.startswith("Recall of")]
    assert [sentence[11:18] for sentence in named] == [f"class {k}" for k in (7, 6, 5, 4, 3)]
    assert "The recall of 2 more classes differs, too; the table of the classes shows both." in verdict(outcome)


def test_no_class_is_named_by_chance() -> None:
    text = " ".join(two_parts(test=(0.89, 0.85, 0.92), glioma=(0.88, 0.8, 0.93)))
    assert "the test rows confirm this." in text
    assert "Recall of" not in text


def test_figures_of_one_truth_rarely_differ_in_any_of_many_classes() -> None:
    """Recalls of ten classes, each .85, on 100 validation and 40 test rows."""
    alarms = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        parts = []
        for n in (100, 40):
            found = rng.binomial(n, 0.85, 10)
            rows = []
            for code in range(10):
                low, high = wilson(found[code] / n, n)
                rows.append(class_score(f"class {code}", (found[code] / n, float(low), float(high)), support=n))
            parts.append(Scores(metrics={"balanced_accuracy": Estimate(value=0.85, low=0.8, high=0.9)}, per_class=rows))
        outcome = result("x", ["a"], [9], [9], validation=parts[0], test=parts[1])
        alarms.append(bool(differing_classes(outcome)))
    assert np.mean(alarms) <= 0.05


def of_probabilities(top: Figure, rare: Figure | None, **fields: object) -> str:
    """The verdict on a common and a rare class with these calibration errors."""
    scores = Scores(
        metrics={"accuracy": Estimate(value=0.5), "expected_calibration_error": estimate(top)},
        per_class=[class_score("common", (0.9, 0.8, 1.0), (0.0, 0.0, 0.01), 980)]
        + ([] if rare is None else [class_score("rare", (0.5, 0.3, 0.7), rare, 20)]),
        most_probable=fields.pop("most_probable", None),
    )
    plain = {"test": scores, "metric": "accuracy", "positive": "rare"}
    outcome = result("x", ["common", "rare"], [980, 20], [5, 5], **(plain | fields))
    return " ".join(verdict(outcome))


@pytest.mark.parametrize(
    ("top", "rare", "sentence"),
    [
        ((0.02, 0.01, 0.03), (0.03, 0.0, 0.09), "at face value, also those of “rare”"),
        ((0.12, 0.08, 0.15), (0.03, 0.0, 0.09), "by 12.0 percentage points on average"),
        ((0.12, 0.08, 0.15), (0.03, 0.0, 0.09), "use them with care"),
        (
            (0.02, 0.01, 0.03),
            (1.0, 0.6, 1.4),
            "of “rare” are off by 100 % of its rows [60, 140]: use them with care",
        ),
        ((0.02, 0.01, 0.03), (0.05, 0.0, 0.4), "more rows of “rare” would be needed to trust them"),
        ((0.04, 0.01, 0.09), (0.05, 0.0, 0.09), "more rows of “rare” would be needed to trust them"),
        ((0.02, 0.01, 0.03), None, "because it has too few rows"),
    ],
)
def test_probabilities_are_trusted_for_the_rare_class_or_not_at_all(
    top: Figure, rare: Figure | None, sentence: str
) -> None:
    text = of_probabilities(top, rare)
    assert sentence in text
    assert ("face value" in sentence) == ("face value" in text)


def test_of_more_classes_the_rarest_judged_one_decides() -> None:
    rows = [class_score("a", (0.9, 0.8, 1.0), (0.0, 0.0, 0.01)), class_score("b", (0.9, 0.8, 1.0), (0.9, 0.8, 1.0))]
    top = {"expected_calibration_error": estimate((0.01, 0.0, 0.02))}
    scores = Scores(metrics=top, per_class=[*rows, class_score("c", None, support=1)])
    outcome = result("x", ["a", "b", "c"], [900, 50, 2], [5, 5, 5], test=scores)
    assert "the probabilities of “b” are off by 90 %" in " ".join(verdict(outcome))


def test_the_verdict_tells_which_label_a_row_gets() -> None:
    good: tuple[Figure, Figure] = ((0.02, 0.01, 0.03), (0.03, 0.0, 0.09))
    text = of_probabilities(*good, most_probable=0.23, cut_off=0.0212345)
    assert "A row is labelled “rare” if the probability of “rare” is 0.021 or more." in text
    assert "For 77 % of the rows the label is not the most probable class: labels serve accuracy." in text
    assert "labelled" not in of_probabilities(*good)
    assert "not the most probable" not in of_probabilities(*good, most_probable=1.0)


def test_the_terminal_and_the_object_for_machines_have_the_verdict(results: dict[str, Result]) -> None:
    binary = results["binary"]
    sentences = verdict(binary)
    assert sentences
    for sentence in sentences:
        assert f"- {sentence}\n" in summary(binary)
    written = binary.model_copy(update={"verdict": tuple(sentences)})
    assert list(written.for_machines()["verdict"]) == sentences
    assert written.for_machines()["cut_off"] == binary.cut_off
    assert Result.model_validate_json(written.to_json()) == written
