"""A last row of totals, as spreadsheets have it: it is no example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rarebird.readers import numbers
from rarebird.readers.spellings import folded
from rarebird.readers.text_column import TextColumn

_WORDS = frozenset(
    (
        *(
            "total",
            "totals",
            "grand total",
            "sum",
            "mean",
            "average",
            "avg",
            "subtotal",
            "summe",
            "gesamt",
            "insgesamt",
        ),
        *("gesamtsumme", "mittelwert", "total général", "somme", "moyenne", "suma", "media", "promedio", "totale"),
        *("итого", "合计", "总计", "小计", "合計", "総計", "平均"),
    )
)
_FEWEST_ROWS = 4


def found(columns: Mapping[str, TextColumn]) -> str | None:
    """The cell that names the last row as one of totals, such as "Total"; None if it is a row like the others.

    It is one if its first text is such a word and occurs in no other row, and a cell beside it is empty or holds the
    sum or the mean of its column.

    Args:
        columns: Name -> text cells.
    """
    last = {name: str(cells.cells[-1].as_py() or "").strip() for name, cells in columns.items()}
    name = next((name for name, text in last.items() if text), None)
    n = len(next(iter(columns.values())))
    if name is None or n < _FEWEST_ROWS or folded(last[name].rstrip(": ")) not in _WORDS:
        return None
    if any(folded(text) == folded(last[name]) for text in columns[name].cells[:-1].to_pylist() if text):
        return None
    others = [other for other in columns if other != name]
    return last[name] if any(not last[other] or _sums_up(columns[other]) for other in others) else None


def _sums_up(cells: TextColumn) -> bool:
    """Whether the last cell is the sum or the mean of the others."""
    values = numbers.plain(cells.filled)
    if values is None:
        return False
    known = values.to_numpy()
    body = known[:-1][np.isfinite(known[:-1])]
    return len(body) > 1 and bool(np.isclose(known[-1], (body.sum(), body.mean()), rtol=1e-4, atol=0).any())
