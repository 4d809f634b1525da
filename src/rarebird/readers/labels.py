"""The values of a target, or of groups: as numbers if all are numbers, otherwise as labels, one spelling for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import some
from rarebird.data.dataset import Task
from rarebird.data.schema import ColumnFormat, Schema
from rarebird.data.stored_frame import in_memory
from rarebird.readers import by_format, columns, frames, spellings, targets, why_text
from rarebird.readers.columns import Column
from rarebird.readers.site import Site
from rarebird.readers.text_column import TextColumn, of_series, without

if TYPE_CHECKING:
    import pandas as pd

# In a column of labels only these mean a missing value: a class may be called "None" or "-".
_MISSING = ("", "nan")


def learned(cells: TextColumn | pd.Series, site: Site, task: Task | None) -> Column:
    """The target of training rows.

    Args:
        cells: Text cells, or values of a type.
        site: For messages.
        task: Overrides the guess: for regression all cells that can be are numbers.

    Raises:
        DataError: A number is infinite.
    """
    if not isinstance(cells, TextColumn):
        kind = "number" if cells.dtype.kind in "iuf" else "boolean" if cells.dtype.kind == "b" else "text"
        return Column(cells, ColumnFormat(kind=kind))
    if (quick := columns.quick_numbers(cells, site)) is not None:
        return quick
    amounts = _amounts(cells, site, task)
    if amounts is not None:
        return amounts
    missing = _MISSING if len(cells.distinct) else spellings.MISSING
    written = _Written(cells)
    words = Counter[str]()
    for text, count in zip(written.texts, written.counts, strict=True):
        if _word(text).lower() not in missing:
            words[_word(text)] += int(count)
    place, apart = spellings.one_spelling(words)
    meant = spellings.one_meaning(place, words)
    notes = [
        f"{text!r} in column {site.column!r} is taken as a label and not as a missing value."
        for text in dict.fromkeys(place.values())
        if text.lower() in spellings.MISSING
    ]
    notes += _notes_on_meanings(meant, site) if meant else _notes_on_spellings(written.texts, place, apart, site)
    values = written.spread([(meant or place).get(_word(text)) for text in written.texts])
    return Column(values, ColumnFormat(kind="text"), notes=tuple(notes))


def _word(text: str) -> str:
    return spellings.plain(text).strip()


class _Written:
    """Each label once as it is written, with its blanks."""

    def __init__(self, cells: TextColumn) -> None:
        import pyarrow.compute as pc

        encoded = cells.cells.combine_chunks().dictionary_encode()
        self.texts: list[str] = encoded.dictionary.to_pylist()
        self._codes = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
        self.counts = np.bincount(self._codes[self._codes >= 0], minlength=len(self.texts))

    def spread(self, labels: Sequence[str | None]) -> pd.Series:
        """One label for each distinct text, spread over the cells; None where a cell is missing."""
        import pandas as pd

        return pd.Series(np.array([*labels, None], dtype=object)[self._codes], dtype=object)


def followed(cells: TextColumn | pd.Series, form: ColumnFormat, site: Site) -> Column:
    """The target of later rows, by the training's format: labels are those of the training rows, however they are
    written; one that means none of them stays as it is."""
    if form.kind in ("number", "time") and form.categories is None:
        return by_format.read(cells, form, site) if isinstance(cells, TextColumn) else Column(cells, form)
    written = _Written(cells if isinstance(cells, TextColumn) else of_series(cells))
    classes = form.categories or ()

    def meant(text: str) -> str | None:
        word = _word(text)
        label = spellings.among(word, classes)
        lacking = word.lower() in _MISSING or (label is None and word.lower() in spellings.MISSING)
        return label if label is not None else None if lacking else word

    return Column(written.spread([meant(text) for text in written.texts]), form)


def of_frame(values: pd.Series, column: str, where: str, task: Task | None, schema: Schema | None) -> Column:
    """The target in a column of a frame.

    Args:
        values: Of any type.
        column: Its name.
        where: The frame's name in messages.
        task: Overrides the guess.
        schema: Of the training rows; None: the values are training rows.
    """
    import pandas as pd

    cells = frames.plain(pd.DataFrame({column: values}), where)[column]
    site = Site(column, where)
    if schema is None or schema.target is None:
        return learned(cells, site, task)
    return followed(cells, schema.target, site)


def groups(cells: TextColumn | pd.Series, site: Site) -> Column:
    """The labels of groups."""
    if not isinstance(cells, TextColumn):
        return Column(cells, ColumnFormat(kind="text"))
    quick = columns.quick_numbers(cells, site)
    if quick is not None:
        return replace(quick, form=ColumnFormat(kind="text"))
    missing = _MISSING if len(cells.distinct) else spellings.MISSING
    notes = tuple(why_text.notes_on_case(cells, site))
    return Column(without(cells.visible, missing).to_pandas(), ColumnFormat(kind="text"), notes=notes)


def names(cells: TextColumn | pd.Series, site: Site) -> Column:
    """Names of files: text as it is written, without blanks around it."""
    texts = cells if isinstance(cells, TextColumn) else of_series(cells)
    return Column(without(texts.trimmed, ("",)).to_pandas(), ColumnFormat(kind="text"))


def _amounts(cells: TextColumn, site: Site, task: Task | None) -> Column | None:
    """A target that is numbers in any notation, if it is one for regression; None for labels."""
    if task == "classification":
        return None
    found = columns.learned(cells, site)
    if found.form.kind not in ("number", "time"):
        return None
    known = in_memory(found.values).dropna().to_numpy(dtype=np.float64)
    amounts = task == "regression" or (len(known) > 0 and targets.is_continuous(known))
    is_plain = found.form.kind == "number" and not (found.marked or found.form.unit or len(found.lost))
    return found if amounts or is_plain else None


def _notes_on_meanings(meant: Mapping[str, str], site: Site) -> list[str]:
    also: dict[str, list[str]] = {}
    for text, label in meant.items():
        if text != label:
            also.setdefault(label, []).append(text)
    listed = some(f"{label!r} (also {some(map(repr, sorted(alike)), 4)})" for label, alike in also.items())
    return [f"Labels in column {site.column!r} that all mean yes, or all mean no, are one class: {listed}."]


def _notes_on_spellings(texts: Sequence[str], place: dict[str, str], apart: Sequence[str], site: Site) -> list[str]:
    written: dict[str, list[str]] = {}
    for text in texts:
        if _word(text) in place:
            written.setdefault(place[_word(text)], []).append(text)
    several = {label: sorted(set(alike) - {label}) for label, alike in written.items() if len(alike) > 1}
    notes = []
    if several:
        listed = some((f"{label!r} (also {some(map(repr, alike), 4)})" for label, alike in several.items()), 4)
        notes.append(f"Labels in column {site.column!r} that differ only by case or blanks are one class: {listed}.")
    if apart:
        notes.append(
            f"Labels in column {site.column!r} that differ only by case stay classes of their own: short labels may be "
            f"codes. They are {some(map(repr, sorted(apart)))}; write them alike if they are one class."
        )
    return notes
