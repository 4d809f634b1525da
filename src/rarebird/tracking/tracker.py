"""The tracking tools by name."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager
from pathlib import Path

from rarebird.core.checks import DataError, nearest
from rarebird.core.events import Listener

# Name -> the library that it needs.
NEEDS = {"mlflow": "mlflow", "tensorboard": "tensorboard"}


def tracker(name: str, where: str | None, out: Path) -> AbstractContextManager[Listener]:
    """A listener that records the run of a command in a tool, to be used as a ``with`` block.

    Args:
        name: ``mlflow`` or ``tensorboard``.
        where: A folder, or MLflow's address; None: a folder of the tool's name beside the run's.
        out: The run's folder.

    Raises:
        DataError: There is no such tool, or it is not installed.
    """
    if name not in NEEDS:
        raise DataError(f"--track knows no {name!r}; {nearest(name, NEEDS)}")
    if importlib.util.find_spec(NEEDS[name]) is None:
        raise DataError(
            f"--track {name} needs the library {NEEDS[name]}; install it with pip install 'rarebird[tracking]'."
        )
    place = where or str(out.resolve().parent / name)
    if name == "tensorboard":
        if "://" in place:
            raise DataError(f"--track-to {place} is an address, but TensorBoard reads a folder; give a folder.")
        from rarebird.tracking.tensorboard_run import TensorBoardRun

        return TensorBoardRun(Path(place), out.name)
    from rarebird.tracking.mlflow_run import MlflowRun

    return MlflowRun(place, out.name)
