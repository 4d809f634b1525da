"""What to do next, in sentences: which class needs how many more rows, which labels to look at, what helped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rarebird.core.checks import some
from rarebird.evaluation.result import ClassScore, Result, Scores
from rarebird.metrics.uncertainty import wilson
from rarebird.report.sections.labels import labels_values
from rarebird.report.sections.section import RunContents
from rarebird.report.sections.tried import helped
from rarebird.report.verdict import rare_class
from rarebird.report.wording import value_text

# A recall is known well enough if its interval reaches no farther than this to each side.
CLOSE_ENOUGH = 0.05
MOST_CLASSES = 3
FARTHEST = 10**7


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        sentence: What, and why.
        command: The command that does it; empty for none.
        link, link_text: A page with more; empty for none.
    """

    sentence: str
    command: str = ""
    link: str = ""
    link_text: str = ""


def next_steps(contents: RunContents, scores: Scores) -> list[Step]:
    """The steps, the most useful first."""
    return [
        *_columns(contents),
        *_labels(contents, scores),
        *_rows_to_judge(contents.result, scores),
        *_rows_to_learn(contents, scores),
        *(Step(sentence) for sentence in helped(contents.result)[:2]),
        *_comparison(contents),
    ]


def rows_needed(recall: float) -> int:
    """Rows of a class with this recall at which its 95 % interval reaches no farther than `CLOSE_ENOUGH`, on average to
    both sides."""
    low, high = 1, FARTHEST
    while low < high:
        middle = (low + high) // 2
        ends = wilson(recall, middle)
        wide = float(ends[1] - ends[0]) / 2 > CLOSE_ENOUGH
        low, high = (middle + 1, high) if wide else (low, middle)
    return low


def _columns(contents: RunContents) -> Iterator[Step]:
    leaks = [f"“{leak['column']}”" for leak in contents.profile.get("leaks") or []]
    if leaks:
        yield Step(
            f"Ask whether {some(leaks)} is known before the target; if not, leave it out and train again: it alone "
            "predicts the target almost perfectly."
        )


def _labels(contents: RunContents, scores: Scores) -> Iterator[Step]:
    """The labels to look at."""
    found = labels_values(contents, scores)
    if found is not None:
        worst = max(found["classes"], key=lambda row: row["n_issues"], default=None)
        is_most = worst is not None and len(found["classes"]) > 1 and 2 * worst["n_issues"] > found["n_issues"]
        where = f", most of them labelled “{worst['label']}”" if worst is not None and is_most else ""
        several = f"Look at the {found['n_issues']:,} labels that are improbable{where}."
        yield Step(
            several if found["n_issues"] != 1 else "Look at the one label that is improbable.",
            link=found["page"],
            link_text="The rows" if found["page"] else "",
        )
    elif contents.result.task == "classification" and contents.data:
        yield Step("Check the labels of all training rows:", f"rarebird label-issues {contents.data}")


def _rows_to_judge(result: Result, scores: Scores) -> Iterator[Step]:
    """Classes whose recall is not known well, and how many rows would tell it."""
    where = "test" if result.test else "training"
    wide = [row for row in scores.per_class if _half(row) > CLOSE_ENOUGH]
    for row in sorted(wide, key=lambda row: -_half(row))[:MOST_CLASSES]:
        assert row.recall.value is not None
        needed = rows_needed(row.recall.value)
        if needed > row.support:
            yield Step(
                f"More {where} rows of “{row.label}”: from {row.support:,} rows its recall, {value_text(row.recall)}, "
                f"is known to ±{_half(row):.2f}; {needed:,} rows would tell it to ±{CLOSE_ENOUGH:g}."
            )
    unjudged = [f"“{row.label}” ({row.support})" for row in scores.per_class if row.recall.value is None]
    if unjudged:
        yield Step(f"Test rows of {some(unjudged)}: these classes have too few of them to be judged at all.")


def _rows_to_learn(contents: RunContents, scores: Scores) -> Iterator[Step]:
    """The class whose training rows would probably help most."""
    row = rare_class(contents.result, scores)
    if row is None:
        return
    hardest = min(
        (one for one in scores.per_class if one.recall.value is not None), key=lambda one: one.recall.value or 0.0
    )
    label = hardest.label if math.isclose(row.recall.value or 0.0, 1.0) else row.label
    n = contents.result.class_counts.get(label)
    has = "" if n is None else f", which has {n:,} of {contents.result.n_train:,}"
    yield Step(
        f"More training rows of “{label}”{has}. With unlabeled rows at hand, this chooses which to label, and "
        "estimates how many of them would help:",
        f"rarebird next {contents.data or 'DATA'} --unlabeled POOL",
    )


def _comparison(contents: RunContents) -> Iterator[Step]:
    if not contents.result.tried:
        yield Step("See which remedy helps on these rows:", f"rarebird compare {contents.data or 'DATA'}")


def _half(row: ClassScore) -> float:
    """Half the width of the recall's interval; 0 without one."""
    recall = row.recall
    return 0.0 if recall.low is None or recall.high is None else (recall.high - recall.low) / 2
