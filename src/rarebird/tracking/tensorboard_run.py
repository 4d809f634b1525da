"""A run in TensorBoard: trials and the best so far over time, learning curves, figures, the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from rarebird.tracking.plain_figures import figures
from rarebird.tracking.summary import about, learning_curves, metrics


class TensorBoardRun:
    """Writes events of one run to a folder that ``tensorboard --logdir`` reads; to be used as a ``with`` block.

    Args:
        folder: The folder of all runs.
        name: The name of this run.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / name))
        self._trials = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def __call__(self, kind: str, values: dict[str, Any]) -> None:
        """Record an event; trials are written at once, the rest at the end."""
        if kind == "trial":
            self._trials += 1
            self._writer.add_scalar(f"trials/{values['metric']}", values["value"], self._trials)
            self._writer.add_text("trials/name", values["name"], self._trials)
        elif kind == "best":
            self._writer.add_scalar(f"best/{values['metric']}", values["value"], self._trials)
        elif kind == "finished":
            self._finish(values)
        else:
            return
        self._writer.flush()

    def _finish(self, values: dict[str, Any]) -> None:
        result, recipe = values["result"], values["recipe"]
        for name, value in metrics(result).items():
            self._writer.add_scalar(name, value, self._trials)
        for name, step, value in learning_curves(result):
            self._writer.add_scalar(name, value, step)
        for name, figure in figures(result):
            self._writer.add_figure(f"figures/{name}", figure, self._trials)
        lines = "\n".join(f"- {sentence}" for sentence in result.verdict)
        table = "\n".join(f"- {name}: {value}" for name, value in about(result).items())
        self._writer.add_text("run/findings", f"{lines}\n\n{table}")
        self._writer.add_text("run/recipe", f"```toml\n{recipe}\n```")
