"""The verdict: the main results of a run in full sentences, for report, terminal and ``--json`` alike."""

from __future__ import annotations

import math

from rarebird.core.checks import some
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import ClassScore, ClassShift, Result, Scores
from rarebird.metrics.multiple_tests import holm_adjusted
from rarebird.metrics.uncertainty import Z
from rarebird.report.coverage_text import coverage_sentences
from rarebird.report.decision_text import decision_sentences
from rarebird.report.label_rule import label_rule
from rarebird.report.wording import estimate_of, interval_text, p_text, percent_text, value_text

# Calibration errors up to this are too small to matter to a reader of probabilities: of the most probable class, as a
# difference of probabilities; of one class, as a share of its rows.
FACE_VALUE, CLASS_FACE_VALUE = 0.05, 0.10
# Probability of any false alarm among the classes.
LEVEL = 0.05
# Classes that get a sentence of their own where their recall differs between validation and test rows.
MOST_CLASSES = 5
# A training with this share of its steps is complete.
NEARLY_ALL = 0.9
# Budgets in seconds that a sentence may name; above them, whole hours.
BUDGETS = (30, 60, 120, 180, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200)


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
        *_against_guessing(result, scores, headline),
        *_agreement(result, headline),
        *_shift(result),
        *_hardest(scores.per_class),
    ]
    unjudged = [row.label for row in scores.per_class if row.recall.value is None]
    if unjudged:
        classes = "One class has" if len(unjudged) == 1 else f"{len(unjudged)} classes have"
        sentences.append(f"{classes} too few rows here to be judged: {some([f'“{label}”' for label in unjudged])}.")
    judged = "test rows" if result.test else "validation rows"
    sentences += [
        label_rule(result, scores),
        *decision_sentences(scores.decision, judged),
        *coverage_sentences(scores, judged),
        _calibration(result, scores),
    ]
    return [sentence for sentence in sentences if sentence]


def _against_guessing(result: Result, scores: Scores, headline: str) -> list[str]:
    """Whether the model is better than guessing; if that is not shown, what would help."""
    name, guessing, how = guess(scores, headline)
    figure = estimate_of(scores, name)
    if figure is None or figure.low is None:
        return []
    if guessing == 1:
        only = next(row.label for row in scores.per_class if row.support > 0)
        return [f"All these rows are of the class “{only}”: no figure shows how well classes are told apart."]
    reached = f"{how} would reach {guessing:.2f}"
    of = "" if name == headline else f" in {name}"
    if figure.low > guessing:
        return [f"{reached}{of}; the whole interval is above it."] if name == headline else []
    at = "" if name == headline else f" {value_text(figure)} {interval_text(figure)}"
    validation = None if result.test is None else _interval(result.validation, name)
    # A model that beats guessing on the validation rows has learned enough to fail on the test rows for other reasons.
    remedy = _remedy(result) if validation is None or validation[0] <= guessing else []
    return [f"{reached}{of}; this model{at} is not shown to beat it.", *remedy]


def guess(scores: Scores, headline: str) -> tuple[str, float, str]:
    """The figure that shows whether a model guesses, what guessing reaches in it, and how one guesses.

    A figure without a level for guessing (F1, log loss) is replaced by one that has a level.
    """
    levels = {"roc_auc": 0.5, "matthews_corrcoef": 0.0}
    if "r2" in scores.metrics:
        return "r2", 0.0, "Always predicting the mean"
    if headline in levels:
        return headline, levels[headline], "Random guessing"
    present = sum(row.support > 0 for row in scores.per_class) or 2
    return "balanced_accuracy", 1 / present, "Random guessing"


def _remedy(result: Result) -> list[str]:
    """What would help a model that is not shown to beat guessing: a longer training, if its own was cut short."""
    steps = result.steps
    if steps is None:
        return []
    what = "rounds" if steps.epochs is None else "steps"
    passes = "" if steps.epochs is None else f" ({steps.epochs:.3g} passes over the training rows)"
    share = steps.steps / steps.full_steps
    if share >= NEARLY_ALL:
        return [
            f"It was trained for all {steps.full_steps} {what} of its recipe{passes}: "
            "more rows, other features or another recipe may help, but hardly a longer training."
        ]
    ran = f"It was trained for {steps.steps} of about {steps.full_steps} {what} of its recipe{passes}"
    return [f"{ran}, {percent_text(share) or '0 %'}; {_budget(result, share)}."]


def _budget(result: Result, share: float) -> str:
    """The budget with which the training would be complete."""
    if result.seconds <= 0:
        return "a longer training may help"
    training = sum(result.timings.get(part, 0.0) for part in ("train", "search", "distil")) or result.seconds
    needed = result.seconds - training + training / share
    seconds = next((one for one in BUDGETS if one >= needed), 3600 * math.ceil(needed / 3600))
    unit, name = next((unit, name) for unit, name in ((3600, "h"), (60, "m"), (1, "s")) if seconds % unit == 0)
    text = f"{seconds // unit}{name}"
    return f"--budget {text} would give it all of them"


def _agreement(result: Result, headline: str) -> list[str]:
    """Whether the test rows confirm the figures on the validation rows, over all rows and class by class."""
    test = _interval(result.test, headline)
    validation = _interval(result.validation, headline)
    if test is None or validation is None or result.validation is None:
        return []
    figure = estimate_of(result.validation, headline)
    assert figure is not None
    before = f"On the validation rows {headline} was {value_text(figure)} {interval_text(figure)}"
    apart = test[0] > validation[1] or test[1] < validation[0]
    differing = differing_classes(result)
    if not apart and not differing:
        return [f"{before}; the test rows confirm this."]
    whole = "the test rows do not confirm this" if apart else "the test rows confirm this, but not for every class"
    more = len(differing) - MOST_CLASSES
    others = (
        [f"The recall of {more} more classes differs, too; the table of the classes shows both."] if more > 0 else []
    )
    return [f"{before}; {whole}.", *(_class_sentence(result, *pair) for pair in differing[:MOST_CLASSES]), *others]


def differing_classes(result: Result) -> list[tuple[ClassScore, ClassScore]]:
    """The classes whose recall on the test rows differs from that on the validation rows: (validation, test) of each.

    The difference is tested with the intervals of both (Newcombe, 1998: the distance to the end that faces the other),
    which know of weights and groups; by Holm's method, any false alarm has a probability of at most 5 %. The largest
    difference comes first.
    """
    if result.test is None or result.validation is None:
        return []
    tests = {row.label: row for row in result.test.per_class}
    pairs = [(row, tests[row.label]) for row in result.validation.per_class if row.label in tests]
    known = [pair for pair in pairs if all(None not in (row.recall.value, row.recall.low) for row in pair)]
    adjusted = holm_adjusted([_p_value(before.recall, after.recall) for before, after in known])
    found = [pair for pair, p_value in zip(known, adjusted, strict=True) if p_value <= LEVEL]
    return sorted(found, key=lambda pair: -abs((pair[0].recall.value or 0.0) - (pair[1].recall.value or 0.0)))


def _p_value(first: Estimate, second: Estimate) -> float:
    """Two-sided p-value of the difference of two independent figures, from their 95 % intervals."""
    small, large = sorted((first, second), key=lambda one: one.value or 0.0)
    assert small.value is not None
    assert large.value is not None
    spread = math.hypot(_high(small) - small.value, large.value - _low(large)) / Z
    return math.erfc((large.value - small.value) / spread / math.sqrt(2)) if spread > 0 else float(small == large)


def _class_sentence(result: Result, before: ClassScore, after: ClassScore) -> str:
    """How the recall of a class differs, and whether its test rows seem to come from elsewhere."""
    recalls = [f"{value_text(row.recall)} {interval_text(row.recall)}" for row in (before, after)]
    sentence = (
        f"Recall of “{before.label}” is {recalls[1]} on the test rows, but was {recalls[0]} on the validation rows"
    )
    found = next((one for one in result.shift if one.label == before.label), None)
    if found is None:
        return f"{sentence}."
    if found.p_value > LEVEL:
        return f"{sentence}; its test rows are not found to differ from its training rows ({_test_text(found)})."
    return (
        f"{sentence}; its test rows differ from its training rows, as rows from elsewhere would ({_test_text(found)})."
    )


def _shift(result: Result) -> list[str]:
    """The classes whose test rows differ from their training rows although their recall is not found to differ."""
    named = {before.label for before, _ in differing_classes(result)}
    shifted = [one for one in result.shift if one.p_value <= LEVEL and one.label not in named]
    if not shifted:
        return []
    if shifted[0].label == "":
        return [
            f"The test rows differ from the training rows, as rows from elsewhere would ({_test_text(shifted[0])})."
        ]
    classes = some([f"“{one.label}” ({_test_text(one)})" for one in sorted(shifted, key=lambda one: one.p_value)])
    return [f"Test rows differ from the training rows of their class, as rows from elsewhere would: {classes}."]


def _test_text(found: ClassShift) -> str:
    return f"told apart with AUC {found.auc:.2f}, {p_text(found.p_value)}"


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


def _calibration(result: Result, scores: Scores) -> str:
    """How far probabilities can be believed: those of the most probable class, and those of the rare one."""
    top = scores.metrics.get("expected_calibration_error")
    if top is None or top.value is None:
        return ""
    gap = (
        "Probabilities of the most probable class differ from the observed shares of rows by "
        f"{100 * top.value:.1f} percentage points on average"
    )
    rare = rare_class(result, scores)
    if rare is None or rare.calibration_error.value is None:
        return f"{gap}; the probabilities of the rare class cannot be judged, because it has too few rows."
    error = rare.calibration_error
    assert error.value is not None
    own = f"the probabilities of “{rare.label}” are off by {percent_text(error.value) or '0 %'} of its rows"
    if error.low is not None and error.high is not None:
        own += f" [{100 * error.low:.0f}, {100 * error.high:.0f}]"
    if rare.calibration_p_value is not None:
        own += f" (test of calibration: {p_text(rare.calibration_p_value)})"
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
