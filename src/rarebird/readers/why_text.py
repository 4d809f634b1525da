"""Notes on columns of text: why digits were not read as numbers, and categories that differ only by case."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import some
from rarebird.data.schema import MOST_CATEGORIES
from rarebird.readers import numbers
from rarebird.readers.site import Site
from rarebird.readers.spellings import folded
from rarebird.readers.text_column import TextColumn

# A column is one of digits if more than this share of its cells are numbers or begin with a digit.
_MOSTLY = 0.5
# A cell with a digit at its beginning that is no number: a code, a time, a range.
_LETTER = r"^\pL"
_DIGITS = r"^\D{0,2}\d[\d\s.,:/%-]*\D{0,3}$"


def notes(cells: TextColumn, site: Site) -> list[str]:
    """A note on a column that holds mostly digits and is text nevertheless: which cells prevented numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numeric = np.asarray(pc.fill_null(numbers.numeric(cells.distinct), False), dtype=bool)
    digits = np.asarray(pc.match_substring_regex(cells.distinct, _DIGITS), dtype=bool)
    if not numeric.any():  # s1, s2: names, of which the user knows that they are none
        digits &= ~np.asarray(pc.match_substring_regex(cells.distinct, _LETTER), dtype=bool)
    n, share = cells.counts.sum(), cells.counts[numeric | digits].sum()
    if share <= _MOSTLY * n:
        return []
    codes = np.asarray(pc.match_substring_regex(cells.distinct, numbers.CODE), dtype=bool)
    prevented = ~numeric & ~cells.marks if (~numeric & ~cells.marks).any() else codes if codes.any() else numeric
    rows = np.flatnonzero(cells.rows_of(prevented))
    first = cells.filled[int(rows[0])].as_py()
    how = (
        "begins with a zero or has 16 digits and more, as codes do"
        if codes[prevented].all()
        else "is no number"
        if not numeric[prevented].any()
        else "has another unit than others"
    )
    kinds = some([repr(text) for text in cells.distinct.filter(pa.array(prevented)).to_pylist()[1:]], 3)
    others = f"; others are {kinds}" if kinds else ""
    return [
        f"Column {site.column!r} is read as text and not as numbers because of {len(rows):,} of its {n:,} cells: "
        f"{first!r} ({site.place(int(rows[0]))}) {how}{others}. Correct or empty these cells if the column is numeric."
    ]


def notes_on_case(cells: TextColumn, site: Site) -> list[str]:
    """A note on categories that differ only by case or blanks: they stay apart, since codes may differ so."""
    if len(cells.distinct) > MOST_CATEGORIES:
        return []
    alike: dict[str, list[str]] = {}
    for text in cells.distinct.to_pylist():
        alike.setdefault(folded(text), []).append(text)
    several = [some(map(repr, sorted(texts)), 3) for texts in alike.values() if len(texts) > 1]
    if not several:
        return []
    return [
        f"Column {site.column!r} has categories that differ only by case or blanks ({some(several, 2)}); "
        "write them alike if they are one."
    ]
