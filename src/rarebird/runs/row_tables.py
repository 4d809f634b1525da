"""Tables of scored rows: truth, label and probabilities of each row, as the run's folder and `evaluate --out` have
them."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from rarebird.core.printable import printable, safe_cell
from rarebird.evaluation.predicted_rows import PredictedRows
from rarebird.model.rows import RowsToPredict
from rarebird.readers.row_numbers import column_of

if TYPE_CHECKING:
    import pandas as pd

# Rows that are written at a time.
ROWS_AT_ONCE = 100_000
PROBABILITY, SET = "probability_", "set"
# Significant digits: of a probability, and of other numbers.
PROBABILITY_DIGITS, DIGITS = "%.6g", "%.9g"
_FORMULAS = re.compile(r"^[-=+@]", re.MULTILINE)


def scored_table(predicted: PredictedRows) -> pd.DataFrame:
    """One row for each scored row, in the same order.

    Returns:
        ``id``, ``truth``, the decided ``label`` (empty for a row that is left to a person), the ``most_probable``
        class, ``probability_CLASS`` for each class, and ``part``; ``id``, ``truth``, ``prediction`` and ``part`` for a
        model that predicts a number.
    """
    import pandas as pd

    rows, outputs = predicted.rows, predicted.outputs
    if rows.task == "regression":
        values = {"id": column_of(rows.ids), "truth": rows.y, "prediction": outputs[:, 0], "part": predicted.part}
        return pd.DataFrame(values)
    codes = {"truth": rows.codes, "label": predicted.labels, "most_probable": outputs.argmax(axis=1)}
    columns: dict[str, Any] = {"id": column_of(rows.ids)}
    classes = np.array(rows.classes, dtype=object)
    columns |= {name: classes[values] for name, values in codes.items()}
    columns["label"][predicted.left] = None
    columns |= {f"{PROBABILITY}{label}": outputs[:, code] for code, label in enumerate(rows.classes)}
    return pd.DataFrame(columns | {"part": predicted.part})


def with_unread_rows(table: pd.DataFrame, rows: RowsToPredict) -> pd.DataFrame:
    """The table with a row for each row that could not be read, at its place: its ``id``, and why in a last column
    ``reason``."""
    if not rows.unread:
        return table
    whole = table.astype(object).set_axis(rows.places).reindex(range(len(rows)))
    return whole.assign(id=rows.ids, reason=rows.reasons)


def write_scored_table(predicted: PredictedRows, path: Path) -> None:
    """Write the table of scored rows as CSV."""
    write_table(scored_table(predicted), path)


def write_table(table: pd.DataFrame, place: Path | IO[str], raw: bool = False) -> None:
    """Write a table of predictions as CSV: probabilities with 6 digits, other numbers as they are.

    Args:
        table: The predictions.
        place: A file, or an open one.
        raw: Texts stay as they are; otherwise no cell is a formula, and control characters are written out (`safe`).
    """
    is_first = True
    with nullcontext(place) if not isinstance(place, Path) else _opened(place) as file:
        # Texts of many rows at once would take more memory than the rows.
        for start in range(0, max(len(table), 1), ROWS_AT_ONCE):
            written = _texts(table.iloc[start : start + ROWS_AT_ONCE], raw)
            written.to_csv(file, index=False, header=is_first, float_format=DIGITS)
            is_first = False


def _opened(path: Path) -> IO[str]:
    # A file name that is no Unicode gives lone surrogates, which UTF-8 refuses.
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _texts(table: pd.DataFrame, raw: bool) -> pd.DataFrame:
    """The table as it is written."""
    texts = {
        name: [PROBABILITY_DIGITS % value if value == value else "" for value in table[name]]
        for name in table.columns
        if str(name).startswith(PROBABILITY)
    }
    texts |= {name: [_listed(value) for value in table[name]] for name in table.columns if name == SET}
    written = (table if raw else safe(table)).assign(**texts)
    return written.rename(columns=str if raw else _safe)


def _listed(value: Any) -> Any:
    """A set of labels as a JSON list; anything else as it is."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts that neither a spreadsheet nor a terminal obeys: names come from files of others."""
    texts = [name for name in table.columns if table[name].dtype.kind not in "biufcmM"]
    unsafe = [name for name in texts if not _all_safe(table[name])]
    return table.assign(**{name: table[name].astype(object).map(_safe, na_action="ignore") for name in unsafe})


def _all_safe(column: pd.Series) -> bool:
    """Whether no text of a column needs a change; all of them are searched at once, because a call for each of a
    million takes seconds."""
    texts = "\n".join(value for value in column if isinstance(value, str))
    return printable(texts) == texts and "\t" not in texts and _FORMULAS.search(texts) is None


def _safe(value: Any) -> Any:
    return safe_cell(printable(value)) if isinstance(value, str) else value
