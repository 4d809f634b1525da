"""Which remedies help on this data: each beside the same baseline, on the same splits with the same seeds, and what can
be said of it.

Every remedy is one change of the baseline recipe. All are trained on the same parts of the training rows, repeated with
other parts. Those that gained something alone are combined, and each member of the best combination is left out of it
once, on repeats of their own. Differences are paired and judged by the corrected resampled t-test, all of them at once
by Holm's method (`rarebird.comparison.paired_test`). The test rows take no part.

Networks get the steps that their recipes ask for, as `fit` would give them, and all the same number at most where time
is short; a reference has its own rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rarebird.comparison.combination import left_out, most_sets
from rarebird.comparison.remedies import joined
from rarebird.comparison.repeated_splits import BASELINE, Repeats, Tell
from rarebird.comparison.result import Combination, Comparison, Row
from rarebird.comparison.under_way import UnderWay
from rarebird.comparison.verdicts import Claim, mean, rows_of
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe

# What is scored beside the metric that decides; and the recall of each class, where there are not more of them.
OF_CLASSES = (
    *("balanced_accuracy", "accuracy", "macro_f1", "matthews_corrcoef", "geometric_mean"),
    *("average_precision", "roc_auc", "log_loss", "brier_score", "expected_calibration_error"),
)
MOST_CLASSES = 30
LUCK = (
    "The combination was chosen on the splits that judged the remedies alone, and judged on other splits of the same rows: "
    "some of the luck of the choice remains, so that its difference may be a little too good."
)


def compare(
    baseline: Recipe,
    train: Dataset,
    wanted: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 3,
    metric: str | None = None,
    positive: str | None = None,
    deadline: float | None = None,
    device: str = "cpu",
    combine: bool = True,
    tell: Tell = lambda progress, what: False,
) -> Comparison:
    """Judge each remedy beside the baseline, and then the best combination of them.

    Args:
        baseline: The recipe without remedies.
        train: Training rows; no test row is among them.
        wanted: Remedies as `remedy.remedies` gives them.
        folds: Parts of a split.
        repeats: Splits with other parts and seeds; as many more judge the combination.
        metric: What decides; None: the recipe's.
        positive: Of two classes, the one that precision and recall speak of.
        deadline: When all should be done, on the scale of `time.monotonic`; where it is near, there are fewer repeats
            and steps. None: the recipe's own steps or epochs.
        device: A torch device.
        combine: Whether remedies that gained something alone are combined.
        tell: Told of the progress; True from it ends the comparison with the splits that are done.

    Raises:
        DataError: The baseline cannot be trained on these rows, or the metric does not judge their task.
    """
    metric, wanted = metric or baseline.metric, list(dict.fromkeys(wanted))
    if (names.metric(metric, train.classes).needs == "values") != (train.task == "regression"):
        raise DataError(f"The metric {metric!r} does not judge {train.task}; choose another with --metric.")
    trained = Repeats(train, folds, scored(train, metric), baseline.seed, positive, device)
    going = UnderWay(
        baseline, wanted, metric, trained, repeats, deadline, most_sets(wanted) if combine else (0, 0), tell
    )
    if deadline is not None:
        going.lay_out()
    going.judge_alone()
    if combine:
        going.choose()
        going.judge_together()
    going.go_on()
    return _result(going)


def scored(train: Dataset, metric: str) -> tuple[str, ...]:
    """The metrics in which differences are told: the one that decides, those of the task, and the recall of each
    class."""
    if train.task == "regression":
        return tuple(dict.fromkeys([metric, *names.OF_VALUES]))
    recalls = [f"recall:{label}" for label in train.classes] if train.n_classes <= MOST_CLASSES else []
    return tuple(dict.fromkeys([metric, *OF_CLASSES, *recalls]))


def _result(going: UnderWay) -> Comparison:
    """The rows of all remedies, and of the combination where there is one."""
    trained, metric, alone = going.trained, going.metric, going.alone
    singles = [Claim(remedy, remedy, BASELINE, alone) for remedy in going.wanted]
    rows = rows_of([*singles, *_claims_together(going)], trained, metric)
    together = rows[len(singles) :]
    return Comparison(
        metric=metric,
        baseline=mean(trained, BASELINE, metric, alone),
        rows=rows[: len(singles)],
        splits=len(trained.values(BASELINE, metric, alone)),
        recipe=trained.laid_out.get(BASELINE, going.baseline).updated(seed=going.baseline.seed),
        baselines={name: mean(trained, BASELINE, name, alone) for name in trained.metrics},
        combination=_combination(going, together) if together else None,
        folds=trained.folds,
        notes=(*going.notes, *_ends(going)),
    )


def _claims_together(going: UnderWay) -> list[Claim]:
    """What is claimed of the combination: that it differs from the baseline, and from itself without each member."""
    if not going.together:
        return []
    whole = joined(going.members)
    others = {member: joined(rest) for member, rest in left_out(going.members).items()}
    parts = [Claim(member, whole, rest, going.together) for member, rest in others.items()]
    return [Claim(whole, whole, BASELINE, going.together), *parts]


def _combination(going: UnderWay, rows: Sequence[Row]) -> Combination:
    splits = len(going.trained.values(BASELINE, going.metric, going.together))
    return Combination(tuple(going.members), rows[0], rows[1:], splits)


def _ends(going: UnderWay) -> Iterator[str]:
    """Sentences on where it ended, and on how the combination was judged."""
    done, asked = len(going.trained.values(BASELINE, going.metric, going.alone)), going.asked * going.trained.folds
    if done < asked:
        why, more = (
            ("It was ended early", "") if going.trained.stopped else ("Time was short", "; give more with --budget")
        )
        yield f"{why}: {done} of {asked} splits were trained ({going.asked} repeats of {going.trained.folds} parts){more}."
    if going.together:
        yield LUCK
    elif len(going.members) > 1:
        yield f"No time was left to judge the combination {joined(going.members)} on splits of its own."
