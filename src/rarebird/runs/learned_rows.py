"""Digests of the rows that a run's model learned from, beside the model: `evaluate` tells rows that it knows from new
ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rarebird.core.checks import require
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.fingerprint import row_digests, table_digests
from rarebird.model.model import Model

FILE = "learned_rows.safetensors"
# Rows that are digested, at most; of more, so many from all over them.
MOST_ROWS = 100_000
# Standard errors above what equal rows by chance would give.
SURE = 3.0


def write(model: Model, splits: Splits, path: Path) -> None:
    """Write the digests of the training rows, and of the validation rows, which calibrated or chose the model.

    Args:
        model: What learned from them.
        splits: The rows.
        path: The file.
    """
    from safetensors.numpy import save

    parts = [part for part in (splits.train, splits.val) if part is not None]
    digests = np.concatenate([_digests(model, part.take(_spread(part))) for part in parts])
    path.write_bytes(save({"digests": digests, "n": np.array([sum(map(len, parts))], np.int64)}))


def note(model_path: Path, model: Model, rows: Dataset) -> list[str]:
    """A sentence if some rows are those that a run's model learned from, or if the file that tells is damaged; none
    where there is no such file, or the rows lack a column.

    Two rows of few values may be equal by chance: as many as are equal among the rows of the training are not told.

    Args:
        model_path: Folder of the model, or of the run that holds it.
        model: The model.
        rows: Rows that it is scored on.
    """
    try:
        known, share = _read(model_path)
    except FileNotFoundError:
        return []
    except Exception:  # whatever a damaged file makes safetensors raise
        return [f"{FILE} is damaged, so that rows that the model learned from are not told from new ones."]
    try:
        own = _digests(model, rows.take(_spread(rows)))
    except KeyError:  # a column that the rows lack
        return []
    values, counts = np.unique(known, return_counts=True)
    by_chance = counts[counts > 1].sum() / max(len(known), 1) * len(own)
    found = int(np.isin(own, values).sum())
    if found <= by_chance + SURE * np.sqrt(by_chance):
        return []
    part = min(found / len(own) / share, 1.0)
    exactly = share == 1 and len(own) == len(rows)
    which = f"{found:,} of the {len(rows):,} rows are" if exactly else f"About {part:.0%} of the rows are"
    return [
        f"{which} rows that the model learned from, so that the figures are better than they would be on new rows; "
        "its report has the figures on test rows."
    ]


def _read(model_path: Path) -> tuple[np.ndarray, float]:
    """The digests, and the share of the rows that they are of."""
    from safetensors.numpy import load_file

    for folder in (model_path, model_path.parent):
        if (folder / FILE).is_file():
            found = load_file(folder / FILE)
            known, n = found["digests"], int(found["n"][0])
            require(known.dtype == np.uint64 and 0 < len(known) <= n, "digests of rows", n=n)
            return known, len(known) / n
    raise FileNotFoundError(FILE)


def _spread(rows: Dataset) -> np.ndarray:
    """Positions of at most `MOST_ROWS` rows, evenly from all."""
    return np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.int64))


def _digests(model: Model, rows: Dataset) -> np.ndarray:
    """``(n,)`` uint64 digests of what the model sees of the rows."""
    if isinstance(rows.source, Frame):
        states = [member.prepared.table for member in model.members]
        names = sorted({column.name for state in states if state is not None for column in state.columns})
        return table_digests(rows.source, rows.index, names)
    return np.frombuffer(row_digests(rows).tobytes(), dtype=np.uint64)[::2]
