"""The files of explanations: a table with a line per row, and arrays that numpy reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rarebird.explanation.amounts import Amounts
from rarebird.explanation.chosen_rows import Chosen
from rarebird.runs.explained_rows import ExplainedRows, Predicted
from rarebird.runs.row_tables import write_table

TABLE, ARRAYS = "explanations.csv", "explanations.npz"
EVERY = "every row"


def records(predicted: Predicted, found: ExplainedRows, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Plain values of each explained row and method; of a table with the amount of each column.

    Args:
        predicted: All rows.
        found: The explained ones.
        classes: Class labels.
    """
    lines = []
    for method, amounts in found.amounts.items():
        for place, one in enumerate(found.chosen):
            line = _record(predicted, amounts, place, one, classes) | {"method": method}
            if amounts.names:
                line["amounts"] = dict(zip(amounts.names, amounts.values[place].tolist(), strict=True))
            lines.append(line)
    return lines


def write_table_of(
    path: Path, predicted: Predicted, found: ExplainedRows, every: Amounts | None, classes: tuple[str, ...]
) -> None:
    """Write a line for each explained row and method; of a table with a column ``amount_COLUMN`` for each column.

    Args:
        path: The CSV file.
        predicted: All rows.
        found: The explained ones.
        every: The amounts of all rows, or None.
        classes: Class labels.
    """
    import pandas as pd

    groups = [(amounts, found.chosen) for amounts in found.amounts.values()]
    if every is not None:
        codes = every.codes.tolist()
        groups.append((every, tuple(Chosen(row, code, EVERY) for row, code in enumerate(codes))))
    lines = []
    for amounts, chosen in groups:
        for place, one in enumerate(chosen):
            line = _record(predicted, amounts, place, one, classes) | {"method": amounts.method}
            values = amounts.values[place].tolist() if amounts.names else []
            lines.append(line | {f"amount_{name}": v for name, v in zip(amounts.names, values, strict=True)})
    columns = ["id", "why", "truth", "label", "class", "method", "output", "explained", "base", "sum", "error"]
    table = pd.DataFrame(lines) if lines else pd.DataFrame(columns=columns)
    write_table(table, path)


def write_arrays(path: Path, predicted: Predicted, found: ExplainedRows, every: Amounts | None) -> None:
    """Write the amounts as NumPy arrays: for each method ``METHOD (n, ...)``, with ``ids``, ``codes``, ``explained``
    and ``base``; those of every row as ``every_METHOD`` and so on."""
    arrays: dict[str, Any] = {"ids": _texts(predicted.rows.ids[[one.row for one in found.chosen]])}
    for method, amounts in found.amounts.items():
        arrays |= {method: amounts.values, f"{method}_base": amounts.base}
        arrays |= {"codes": amounts.codes, "explained": amounts.explained}
    if every is not None:
        arrays |= {f"every_{every.method}": every.values, "every_ids": _texts(predicted.rows.ids)}
        arrays |= {"every_codes": every.codes, "every_explained": every.explained, "every_base": every.base}
    names = next((one.names for one in [*found.amounts.values(), every] if one is not None), ())
    if names:
        arrays["columns"] = _texts(np.array(names))
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _texts(values: np.ndarray) -> np.ndarray:
    """Texts as an array that is read without pickle."""
    return np.array([str(value) for value in values], dtype=np.str_)


def _record(
    predicted: Predicted, amounts: Amounts, place: int, one: Chosen, classes: tuple[str, ...]
) -> dict[str, Any]:
    truth = None if predicted.truth is None else predicted.truth[one.row]
    if classes:
        named: Any = classes[int(predicted.labels[one.row])]
        true: Any = None if truth is None or truth < 0 else classes[int(truth)]
    else:
        named, true = float(predicted.outputs[one.row, 0]), None if truth is None else float(truth)
    base, error = (float(part[place]) for part in (amounts.base, amounts.errors))
    return {
        "id": str(predicted.rows.ids[one.row]),
        "why": one.why,
        "truth": true,
        "label": named,
        "class": classes[one.code] if classes else None,
        "output": amounts.output,
        "explained": float(amounts.explained[place]),
        "base": None if np.isnan(base) else base,
        "sum": float(amounts.values[place].sum()),
        "error": None if np.isnan(error) else error,
    }
