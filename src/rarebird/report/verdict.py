"""The verdict: the main results of a run in full sentences, for report, terminal and ``--json`` alike."""

from __future__ import annotations

from rarebird.core.checks import some
from rarebird.evaluation.result import ClassScore, Estimate, Result, Scores
from rarebird.report.wording import estimate_of, interval_text, value_text

# Calibration errors up to this are too small to matter to a reader of probabilities: of the most probable class, as a
# difference of probabilities; of one class, as a share of its rows.
FACE_VALUE, CLASS_FACE_VALUE = 0.05, 0.10


def scores_of(result: Result) -> Scores | None:
    """The scores that a run is judged by: on its test rows, otherwise on its validation rows."""
    return result.test or result.validation


def headline_of(result: Result, scores: Scores) -> str:
    """The name of the main figure: the run's metric, or the first figure where the scores lack it."""
    return result.metric if estimate_of(scores, result.metric) else next(iter(scores.metrics))


def verdict(result: Result) -> list[str]:
    """The main results in full sentences, the most important first; none for a result without scores."""
    scores = scores_of(result)
    if scores is None or not scores.metrics:
        return []
    headline = headline_of(result, scores)
    sentences = [
        _against_guessing(result, estimate_of(scores, headline), headline),
        _agreement(result, headline),
        *_hardest(scores.per_class),
    ]
    unjudged = [row.label for row in scores.per_class if row.recall.value is None]
    if unjudged:
        classes = "One class has" if len(unjudged) == 1 else f"{len(unjudged)} classes have"
        sentences.append(f"{classes} too few rows here to be judged: {some([f'“{label}”' for label in unjudged])}.")
    sentences += [_label_rule(result, scores), _calibration(result, scores)]
    return [sentence for sentence in sentences if sentence]


def _against_guessing(result: Result, estimate: Estimate | None, headline: str) -> str:
    guessing = {
        "balanced_accuracy": 1 / max(len(result.classes), 1),
        "roc_auc": 0.5,
        "matthews_corrcoef": 0.0,
        "r2": 0.0,
    }.get(headline)
    if guessing is None or estimate is None or estimate.low is None:
        return ""
    guess = "Always predicting the mean" if headline == "r2" else "Random guessing"
    reached = f"{guess} would reach {guessing:.2f}"
    return (
        f"{reached}; the whole interval is above it."
        if estimate.low > guessing
        else f"{reached}; this model is not shown to beat it."
    )


def _agreement(result: Result, headline: str) -> str:
    """Whether the test rows confirm the figure on the validation rows."""
    test = _interval(result.test, headline)
    validation = _interval(result.validation, headline)
    if test is None or validation is None or result.validation is None:
        return ""
    estimate = estimate_of(result.validation, headline)
    assert estimate is not None
    before = f"On the validation rows it was {value_text(estimate)} {interval_text(estimate)}"
    if test[0] > validation[1] or test[1] < validation[0]:
        return f"{before}; the test rows do not confirm this. The two may come from different sources."
    return f"{before}; the test rows confirm this."


def _interval(scores: Scores | None, name: str) -> tuple[float, float] | None:
    estimate = None if scores is None else estimate_of(scores, name)
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high


def _hardest(rows: list[ClassScore]) -> list[str]:
    scored = [row for row in rows if row.recall.value is not None]
    if len(scored) < 2:
        return []
    hardest = min(scored, key=lambda row: row.recall.value or 0.0)
    recall = f"{value_text(hardest.recall)} {interval_text(hardest.recall)}".strip()
    return [
        f"Hardest class: “{hardest.label}”. Its recall (the share of its {hardest.support} rows found) is {recall}."
    ]


def _label_rule(result: Result, scores: Scores) -> str:
    """When a row gets its label, where that is not always the most probable class."""
    why = other_labels(result, scores)
    if result.cut_off is not None and result.positive is not None:
        why = f"{cut_off_text(result.positive, result.cut_off)} {why}"
    return why.strip()


def cut_off_text(positive: str, cut_off: float) -> str:
    """A sentence on the probability from which on a row gets the positive label."""
    return f"A row is labelled “{positive}” from a probability of {probability_text(cut_off)} on."


def other_labels(result: Result, scores: Scores) -> str:
    """How many labels are not the most probable class; empty if hardly any, or if it is not known."""
    share = "" if scores.most_probable is None else _percent(1 - scores.most_probable)
    if not share:
        return ""
    return f"For {share} of the rows the label is not the most probable class: labels serve {result.metric}."


def _calibration(result: Result, scores: Scores) -> str:
    """How far probabilities can be believed: those of the most probable class, and those of the rare one."""
    top = scores.metrics.get("expected_calibration_error")
    if top is None or top.value is None:
        return ""
    gap = (
        "The probability of the most probable class differs from the share of rows that are of it by "
        f"{100 * top.value:.1f} percentage points on average"
    )
    rare = rare_class(result, scores)
    if rare is None or rare.calibration_error.value is None:
        return f"{gap}; too few rows of a rare class are there to judge its own probabilities."
    error = rare.calibration_error
    assert error.value is not None
    own = f"the probabilities of “{rare.label}” are off by {_percent(error.value) or '0 %'} of its rows"
    if error.low is not None and error.high is not None:
        own += f" [{100 * error.low:.0f}, {100 * error.high:.0f}]"
    return f"{gap}; {own}: {_trust(top, error, rare)}"


def _trust(top: Estimate, own: Estimate, rare: ClassScore) -> str:
    """What the calibration errors of the most probable class and of the rare class allow."""
    is_small = _high(top) <= FACE_VALUE and _high(own) <= CLASS_FACE_VALUE
    is_large = _low(top) > FACE_VALUE or _low(own) > CLASS_FACE_VALUE
    if is_small:
        return f"they can be taken at face value, also those of “{rare.label}”."
    return "use them with care." if is_large else f"more rows of “{rare.label}” would be needed to trust them."


def rare_class(result: Result, scores: Scores) -> ClassScore | None:
    """The positive class of two, or the class with the fewest training rows among those that are judged."""
    judged = [row for row in scores.per_class if row.recall.value is not None]
    if result.positive is not None and len(result.classes) == 2:
        return next((row for row in judged if row.label == result.positive), None)
    return min(judged, key=lambda row: result.class_counts.get(row.label, row.support), default=None)


def _low(estimate: Estimate) -> float:
    assert estimate.value is not None
    return estimate.value if estimate.low is None else estimate.low


def _high(estimate: Estimate) -> float:
    assert estimate.value is not None
    return estimate.value if estimate.high is None else estimate.high


def _percent(share: float) -> str:
    """``77 %``; empty if the share rounds to nothing."""
    percent = 100 * share
    return "" if percent < 0.05 else f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %"


def probability_text(value: float) -> str:
    """A probability with two significant digits near 0 and near 1."""
    return f"{value:.2g}" if value < 0.5 else f"{1 - float(f'{1 - value:.2g}'):.6g}"
