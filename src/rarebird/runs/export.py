"""Export a saved model: a model's folder in, an ONNX file out, compared with the model on real rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError, nearest
from rarebird.model.files import CARDS
from rarebird.model.onnx.file import COVERAGE, Agreement, Layout, agreement, write_onnx
from rarebird.readers.options import ReadOptions
from rarebird.runs import predict as prediction
from rarebird.runs.cards import changed_cards

FORMATS = ("onnx",)
LAYOUTS: tuple[Layout, ...] = ("nchw", "nhwc")
# Rows on which file and model are compared, and how far they may differ.
MOST_ROWS, TOLERANCE = 1000, 1e-4


@dataclass(frozen=True)
class Exported:
    """An exported model.

    Attributes:
        path: The ONNX file; its description, a loader and its card have the same name and end with ``.json``, ``.py``
            and ``.md``.
        size: Bytes of the file.
        decides: Whether all that the model decides is in the file: labels beside probabilities.
        agreement: With the model; None where no rows were given.
    """

    path: Path
    size: int
    decides: bool
    agreement: Agreement | None

    def for_machines(self) -> dict[str, Any]:
        """The object that ``export --json`` prints."""
        found = self.agreement
        checked = None
        if found is not None:
            checked = {"rows": found.rows, "largest_difference": found.difference, "same_labels": found.labels}
            checked |= {"same_sets": found.sets, "largest_difference_of_intervals": found.intervals}
        return {
            "file": str(self.path),
            "description": str(self.path.with_suffix(".json")),
            "loader": str(self.path.with_suffix(".py")),
            "card": str(self.path.with_suffix(".md")),
            "bytes": self.size,
            "decides": self.decides,
            "checked": checked,
        }

    def text(self) -> str:
        """What the command prints."""
        path, found = self.path, self.agreement
        lines = [
            f"{path}: {self.size:,} bytes.",
            f"{path.with_suffix('.json').name} describes its inputs and outputs; {path.with_suffix('.py').name} "
            "predicts with numpy and onnxruntime alone.",
            f"{path.with_suffix('.md').name} is the model card, with that of the data.",
        ]
        if not self.decides:
            lines.append("The file gives probabilities; the decision is in the description only.")
        if found is None:
            lines.append("The file was not compared with the model; give rows with --data.")
        else:
            same = "" if found.labels is None else f"; {found.labels:.2%} of the labels are the same"
            if found.sets is not None:
                same += f", {found.sets:.2%} of the prediction sets with a coverage of {COVERAGE:g}"
            if found.intervals is not None:
                same += f"; of the intervals with a coverage of {COVERAGE:g} it is {found.intervals:.1e}"
            lines.append(f"On {found.rows} rows the largest difference from the model is {found.difference:.1e}{same}.")
        return "\n".join(lines)


def export(
    model_path: Path,
    out: Path | None,
    data: Path | None = None,
    file_format: str = "onnx",
    layout: str = "nchw",
    options: ReadOptions | None = None,
) -> Exported:
    """Write a saved model as an ONNX file, and compare it with the model.

    Args:
        model_path: Folder of a model, or of the run that holds it.
        out: The file; None: ``model.onnx`` in the present folder.
        data: Rows to compare on, 1000 of them; of split data the test rows.
        file_format: ``onnx``.
        layout: Axes of pictures, ``nchw`` or ``nhwc``.
        options: How to read the rows.

    Raises:
        DataError: Model, rows or options cannot be used, or the file differs from the model.
    """
    if file_format not in FORMATS:
        raise DataError(f"There is no format {file_format!r}; {nearest(file_format, FORMATS)}")
    if layout not in LAYOUTS:
        raise DataError(f"There is no layout {layout!r}; {nearest(layout, LAYOUTS)}")
    chosen: Layout = "nhwc" if layout == "nhwc" else "nchw"
    path = Path("model.onnx") if out is None else out
    if path.suffix != ".onnx":
        raise DataError(f"{path} is no name for an ONNX file; give one that ends with .onnx.")
    prediction.check_writable(path)
    model = prediction.load(model_path, "cpu")
    rows = None if data is None else prediction.read(model, data, None, labelled=False, options=options).data
    about = write_onnx(model, path, chosen)
    found = None
    if rows is not None and len(rows):
        found = agreement(model, path, rows.take(np.arange(min(len(rows), MOST_ROWS))), chosen)
        largest = max(found.difference, found.intervals or 0.0)
        if largest > TOLERANCE:
            raise DataError(
                f"{path} differs from the model by {largest:.1e} on these rows, more than {TOLERANCE:g}; do "
                "not use it, and report this model."
            )
    decides = about["decision"] is None or "label" in about["outputs"]
    exported = Exported(path, path.stat().st_size, decides, found)
    changed = changed_cards(model.cards, "The model was written as one file by `rarebird export`.", exported.text())
    with whole_file(path.with_suffix(".md")) as building:
        text = "\n".join(changed[name] for name in CARDS if name in changed)
        building.write_text(text, encoding="utf-8", errors="backslashreplace")
    return exported
