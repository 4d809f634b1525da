"""Explains chosen rows of each class and puts them on a page: shared by `explain` and by the report of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core.progress import Progress, part_of, silent
from rarebird.data.dataset import Dataset
from rarebird.explanation import chosen_rows
from rarebird.explanation.amounts import Amounts, joined
from rarebird.explanation.chosen_rows import Chosen
from rarebird.explanation.explain import Explainer
from rarebird.report.figures.amounts import bars, behind_curve, over_picture, picture, signed
from rarebird.report.pages.explanation import ExplainedClass, ExplainedRow, Shown
from rarebird.report.wording import cell_text, number
from rarebird.slots.protocols import Inputs

# Columns of a row that have a bar.
MOST_BARS = 8
TITLES = {
    "integrated_gradients": "Integrated gradients",
    "grad_cam": "Grad-CAM",
    "tree_shap": "TreeSHAP",
    "shapley": "Shapley values",
    "attention": "Attention",
}


@dataclass(frozen=True, eq=False)
class Predicted:
    """Rows with what the model says of them.

    Attributes:
        rows: The rows.
        truth: ``(n,)`` true codes, -1 where unknown; values of a regression; None without labels.
        outputs: ``(n, n_classes)`` probabilities, or ``(n, 1)`` values.
        labels: ``(n,)`` decided codes, or values.
    """

    rows: Dataset
    truth: np.ndarray | None
    outputs: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class ExplainedRows:
    """Chosen rows with their amounts.

    Attributes:
        chosen: The rows, in the order of the page.
        amounts: By method, of as many of them as there was time for.
        left_out: Rows for which there was no time.
    """

    chosen: tuple[Chosen, ...]
    amounts: dict[str, Amounts]
    left_out: int = 0


def choose(predicted: Predicted, classes: Sequence[int], n: int) -> list[Chosen]:
    """The rows to explain.

    Args:
        predicted: Rows with labels, or without.
        classes: Codes of the classes to show; empty for regression.
        n: Rows of each kind.
    """
    truth, labels, outputs = predicted.truth, predicted.labels, predicted.outputs
    if not predicted.rows.classes and outputs.shape[1] == 1:
        return chosen_rows.of_values(truth, outputs[:, 0], n)
    if truth is None:
        return [one for code in classes for one in chosen_rows.of_predicted(code, labels, outputs, n)]
    known = np.flatnonzero(truth >= 0)
    found = [
        one for code in classes for one in chosen_rows.of_class(code, truth[known], labels[known], outputs[known], n)
    ]
    return [replace(one, row=int(known[one.row])) for one in found]


def explain_chosen(
    explainer: Explainer,
    predicted: Predicted,
    chosen: Sequence[Chosen],
    methods: Sequence[str],
    deadline: float | None = None,
    progress: Progress = silent,
) -> ExplainedRows:
    """Explain rows by all methods, until the time is over.

    Args:
        explainer: Of the model.
        predicted: All rows.
        chosen: Which to explain.
        methods: By which methods.
        deadline: On the scale of `time.monotonic`; rows that it leaves no time for are left out. None: no limit.
        progress: Told of the share done; True from it leaves out the remaining rows.
    """
    if not chosen:
        return ExplainedRows((), {})
    # With a deadline row by row, so that the time of one tells whether there is time for the next.
    step = len(chosen) if deadline is None else 1
    parts: dict[str, list[Amounts]] = {method: [] for method in methods}
    done = 0
    for start in range(0, len(chosen), step):
        began = time.monotonic()
        some = chosen[start : start + step]
        rows = predicted.rows.take(np.array([one.row for one in some]))
        codes = np.array([one.code for one in some])
        each = explainer.shipped.inputs(rows)
        for place, method in enumerate(methods):
            told = part_of(progress, (start + place / len(methods) * step) / len(chosen), step / len(chosen))
            parts[method].append(explainer.explain_inputs(each, codes, method, told))
        done += len(some)
        now = time.monotonic()
        is_late = deadline is not None and now + (now - began) > deadline
        if is_late or progress(done / len(chosen), "explaining rows"):
            break
    whole = {method: joined(found) for method, found in parts.items()}
    return ExplainedRows(tuple(chosen[:done]), whole, len(chosen) - done)


def shown_classes(explainer: Explainer, predicted: Predicted, found: ExplainedRows) -> tuple[ExplainedClass, ...]:
    """The explained rows by class, as a page shows them."""
    classes = explainer.shipped.model.classes
    codes = list(dict.fromkeys(one.code for one in found.chosen))
    shown = []
    for code in codes:
        places = [place for place, one in enumerate(found.chosen) if one.code == code]
        rows = tuple(_shown_row(explainer, predicted, found, place) for place in places)
        shown.append(ExplainedClass(label=classes[code] if classes else "", rows=rows))
    return tuple(shown)


def _shown_row(explainer: Explainer, predicted: Predicted, found: ExplainedRows, place: int) -> ExplainedRow:
    chosen = found.chosen[place]
    row = predicted.rows.take(np.array([chosen.row]))
    main = next(iter(found.amounts.values()))
    pictures: dict[str, Any] = {}
    if row.kind == "table":
        names, amounts = np.array(main.names), main.values[place]
        order = np.argsort(-np.abs(amounts), kind="stable")
        first, others = order[:MOST_BARS], order[MOST_BARS:]
        frame = row.raw()
        texts = [cell_text(frame[name].iloc[0]) for name in names[first]]
        pictures["bars"] = bars(names[first].tolist(), amounts[first], texts)
        if len(others):
            rest = signed(float(amounts[others].sum()))
            several = f"The other {len(others)} columns together: {rest}."
            pictures["rest"] = several if len(others) > 1 else f"The other column: {rest}."
    else:
        pictures["shown"] = tuple(_shown(explainer, row, found.amounts, place))
    return ExplainedRow(
        name=str(row.ids[0]),
        why=chosen.why,
        labels=_labels(explainer, predicted, chosen),
        output=_output(explainer, predicted, main, place, chosen),
        **pictures,
    )


def _labels(explainer: Explainer, predicted: Predicted, chosen: Chosen) -> str:
    classes = explainer.shipped.model.classes
    truth = None if predicted.truth is None else predicted.truth[chosen.row]
    if not classes:
        value = number(float(predicted.outputs[chosen.row, 0]))
        return f"The model predicts {value}" + ("." if truth is None else f"; the truth is {number(float(truth))}.")
    label = classes[int(predicted.labels[chosen.row])]
    if truth is None or truth < 0:
        return f"The model names it {label}."
    true = classes[int(truth)]
    return (
        f"It is {true}, and the model names it so." if true == label else f"It is {true}; the model names it {label}."
    )


def _output(explainer: Explainer, predicted: Predicted, main: Amounts, place: int, chosen: Chosen) -> str:
    """What is explained of the row, in figures."""
    explained, base = float(main.explained[place]), float(main.base[place])
    classes = explainer.shipped.model.classes
    if classes:
        p = float(predicted.outputs[chosen.row, chosen.code])
        of = f"class {classes[chosen.code]}"
        text = f"Log-odds of {of}: {number(explained)} (probability {_share(p)})" if main.output == "log_odds" else ""
        text = text or f"Probability of {of}: {_share(explained)}"
    else:
        text = f"Predicted value: {number(explained)}"
    if np.isnan(base):
        return f"{text}."
    total = float(main.values[place].sum())
    return (
        f"{text}; what it is compared with: {number(base)}. The amounts add up to {signed(total)} of "
        f"{signed(explained - base)}."
    )


def _share(p: float) -> str:
    """A probability in three digits, which is never shown as certain."""
    return "below 0.001" if p < 0.0005 else "above 0.999" if p > 0.9995 else f"{p:.3f}"


def _shown(explainer: Explainer, row: Dataset, amounts: dict[str, Amounts], place: int) -> list[Shown]:
    """The row, and the places that each method shows."""
    if row.kind == "image":
        pixels = row.raw()[0]
        pixels = pixels / 255 if pixels.dtype == np.uint8 else pixels
        found = [Shown(title="The picture", about=f"picture {row.ids[0]}", picture=picture(pixels))]
        for method, one in amounts.items():
            heat = over_picture(pixels, one.values[place].sum(axis=0))
            found.append(Shown(title=TITLES[method], about=f"{TITLES[method]} over picture {row.ids[0]}", picture=heat))
        return found
    values = _curve(explainer, row)
    shown = []
    for method, one in amounts.items():
        about = f"{TITLES[method]} behind series {row.ids[0]}"
        own = one.values[place][:, : values.shape[1]]
        shown.append(Shown(title=TITLES[method], about=about, curve=behind_curve(values, own, about)))
    return shown


def _curve(explainer: Explainer, row: Dataset) -> np.ndarray:
    """``(channels, length)`` of a series, standardized, without its padding."""
    inputs: list[Inputs] = explainer.shipped.inputs(row)
    longest = max(inputs, key=lambda x: int(x["values"].shape[2]))
    found: np.ndarray = longest["values"][0].cpu().numpy()[:, : max(int(longest["lengths"][0]), 1)]
    return found
