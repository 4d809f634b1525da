"""Tables of scored rows: truth, label and probabilities of each row, as the run's folder and `evaluate --out` have
them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarebird.evaluation.predicted_rows import PredictedRows

if TYPE_CHECKING:
    import pandas as pd

# Digits that are written of each number.
DIGITS = "%.7g"


def scored_table(predicted: PredictedRows) -> pd.DataFrame:
    """One row for each scored row, in the same order.

    Returns:
        ``id``, ``truth``, the decided ``label``, the ``most_probable`` class, ``probability_CLASS`` for each class, and
        ``part``; ``id``, ``truth``, ``prediction`` and ``part`` for a model that predicts a number.
    """
    import pandas as pd

    rows, outputs = predicted.rows, predicted.outputs
    if rows.task == "regression":
        values = {"id": rows.ids, "truth": rows.y, "prediction": outputs[:, 0], "part": predicted.part}
        return pd.DataFrame(values)
    codes = {"truth": rows.codes, "label": predicted.labels, "most_probable": outputs.argmax(axis=1)}
    columns: dict[str, Any] = {"id": rows.ids}
    columns |= {name: [rows.classes[code] for code in values] for name, values in codes.items()}
    columns |= {f"probability_{label}": outputs[:, code] for code, label in enumerate(rows.classes)}
    return pd.DataFrame(columns | {"part": predicted.part})


def write_scored_table(predicted: PredictedRows, path: Path) -> None:
    """Write the table as CSV."""
    # A file name that is no Unicode gives lone surrogates, which UTF-8 refuses.
    scored_table(predicted).to_csv(path, index=False, float_format=DIGITS, errors="backslashreplace")
