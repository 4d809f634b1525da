"""Rows of a comparison from scores that are written down: paired, signed, and tested all at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rarebird.comparison.repeated_splits import BASELINE, RepeatedCrossValidation
from rarebird.comparison.verdicts import Contrast, gain, mean, rows_of
from tests.comparison.made_rows import rows


def made(
    shifts: dict[str, float], metrics: tuple[str, ...] = ("balanced_accuracy", "log_loss"), repeats: int = 3
) -> RepeatedCrossValidation:
    """Scores of five parts each: the baseline's with noise and a shift, the other way for losses."""
    rng, trained = np.random.default_rng(0), RepeatedCrossValidation(rows(), 5, metrics, seed=0)
    for repeat in range(repeats):
        first = {metric: rng.uniform(0.5, 0.9, 5) for metric in metrics}
        trained._scores.setdefault(BASELINE, {})[repeat] = first
        for name, shift in shifts.items():
            turned = {metric: -1 if metric == "log_loss" else 1 for metric in metrics}
            scores = {metric: first[metric] + turned[metric] * (shift + rng.normal(0, 0.01, 5)) for metric in metrics}
            trained._scores.setdefault(name, {})[repeat] = scores
    return trained


def test_a_row_is_the_corrected_paired_test_of_its_splits_in_each_metric() -> None:
    trained = made({"loss=focal": 0.01})
    row = rows_of([Contrast("loss=focal", "loss=focal", BASELINE, (0, 1, 2))], trained, "balanced_accuracy")[0]
    for metric, sign in (("balanced_accuracy", 1), ("log_loss", -1)):
        d = sign * (trained.values("loss=focal", metric) - trained.values(BASELINE, metric))
        half = stats.t.ppf(0.975, 14) * math.sqrt((1 / 15 + 1 / 4) * d.var(ddof=1))
        found = row.metrics[metric]
        assert (found.mean, found.low, found.high) == pytest.approx((d.mean(), d.mean() - half, d.mean() + half))
    assert row.difference == row.metrics["balanced_accuracy"]
    assert row.value - row.other == pytest.approx(row.difference.mean)


def test_the_metric_that_decides_may_be_a_loss_and_larger_is_then_better_too() -> None:
    trained = made({"loss=focal": 0.2, "loss=weighted": -0.2})
    contrasts = [Contrast(name, name, BASELINE, (0, 1, 2)) for name in ("loss=focal", "loss=weighted")]
    found = rows_of(contrasts, trained, "log_loss")
    assert [row.verdict for row in found] == ["helps", "hurts"]
    assert found[0].value < found[0].other
    assert gain(trained, contrasts[0], "log_loss") == pytest.approx(found[0].difference.mean)


def test_more_contrasts_make_each_verdict_stricter() -> None:
    trained = made({"loss=focal": 0.015, **{f"augmentation={place}": 0.0 for place in range(40)}})
    alone = rows_of([Contrast("loss=focal", "loss=focal", BASELINE, (0, 1, 2))], trained, "balanced_accuracy")[0]
    names = ["loss=focal", *(f"augmentation={place}" for place in range(40))]
    among = rows_of([Contrast(name, name, BASELINE, (0, 1, 2)) for name in names], trained, "balanced_accuracy")[0]
    assert alone.difference.p_value == among.difference.p_value
    assert (alone.difference.low, alone.difference.high) == (among.difference.low, among.difference.high)
    assert among.difference.detectable > alone.difference.detectable
    assert alone.difference.p_value < 0.05 < 41 * alone.difference.p_value
    assert (alone.verdict, among.verdict) == ("helps", "too few rows to tell")


def test_what_failed_counts_as_no_comparison() -> None:
    trained = made({"loss=focal": 0.015, "loss=auc": 0.0})
    trained.failed["loss=auc"] = "It serves two classes."
    contrasts = [Contrast(name, name, BASELINE, (0, 1, 2)) for name in ("loss=auc", "loss=focal")]
    failed, judged = rows_of(contrasts, trained, "balanced_accuracy")
    assert failed.why == "It serves two classes."
    assert failed.verdict == "too few rows to tell"
    assert math.isnan(failed.difference.mean)
    assert judged == rows_of(contrasts[1:], trained, "balanced_accuracy")[0]


def test_a_contrast_without_a_split_says_so() -> None:
    row = rows_of([Contrast("loss=focal", "loss=focal", BASELINE, ())], made({"loss=focal": 1.0}), "balanced_accuracy")[
        0
    ]
    assert row.why == "there was no time for a split"
    assert row.verdict == "too few rows to tell"


def test_means_leave_out_splits_without_a_value() -> None:
    trained = made({"loss=focal": 0.0}, repeats=1)
    trained._scores[BASELINE][0]["log_loss"] = np.array([math.nan, 1.0, 2.0, math.nan, 3.0])
    assert mean(trained, BASELINE, "log_loss", (0,)) == 2.0
    assert math.isnan(mean(trained, BASELINE, "log_loss", ()))
