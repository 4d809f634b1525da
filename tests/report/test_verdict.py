"""The verdict: each sentence agrees with the figures that it is about."""

from __future__ import annotations

import pytest

from rarebird.evaluation.result import ClassScore, Estimate, Result, Scores
from rarebird.report.terminal import summary
from rarebird.report.verdict import verdict
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


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ((0.9, 0.85, 0.95), "Random guessing would reach 0.50; the whole interval is above it."),
        ((0.55, 0.45, 0.65), "Random guessing would reach 0.50; this model is not shown to beat it."),
        ((0.9, 0.85, 0.95), "On the validation rows it was 0.88 [0.84, 0.92]; the test rows confirm this."),
        ((0.7, 0.65, 0.75), "it was 0.88 [0.84, 0.92]; the test rows do not confirm this."),
    ],
)
def test_the_verdict_agrees_with_the_intervals(test: Figure, sentence: str) -> None:
    def scores(figure: Figure) -> Scores:
        return Scores(metrics={"balanced_accuracy": estimate(figure)})

    outcome = result("x", ["a", "b"], [5, 5], [5, 5], test=scores(test), validation=scores((0.88, 0.84, 0.92)))
    assert sentence in " ".join(verdict(outcome))


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
        ((0.02, 0.01, 0.03), None, "too few rows of a rare class"),
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
    assert "A row is labelled “rare” from a probability of 0.021 on." in text
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
