"""A run in MLflow: its trials as runs within it, metrics with intervals, figures, the report, and the model."""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from rarebird.core.checks import DataError
from rarebird.tracking.plain_figures import figures
from rarebird.tracking.pyfunc import save
from rarebird.tracking.summary import about, learning_curves, metrics, trial_numbers

EXPERIMENT = "rarebird"
# MLflow's own limits: of a batch, and of a parameter's text.
BATCH, LONGEST = 900, 6000


def client_of(where: str) -> Any:
    """A client of MLflow's store: an address, or a folder, which then holds `mlflow.db` and `artifacts`.

    Raises:
        DataError: The store cannot be opened.
    """
    # MLflow would report its use to its makers.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        if "://" not in where:
            Path(where).mkdir(parents=True, exist_ok=True)
            where = f"sqlite:///{Path(where).resolve()}/mlflow.db"
        client = MlflowClient(tracking_uri=where)
        client.search_experiments(max_results=1)
    except (OSError, MlflowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"--track-to {where} cannot be opened by MLflow: {reason}") from None
    return client


class MlflowRun:
    """Records events of one run in MLflow; to be used as a ``with`` block.

    Args:
        where: A folder or an address.
        name: The name of this run.

    Raises:
        DataError: MLflow's store cannot be opened.
    """

    def __init__(self, where: str, name: str) -> None:
        self._client, self._trials = client_of(where), 0
        known = self._client.get_experiment_by_name(EXPERIMENT)
        place = None if "://" in where else (Path(where).resolve() / "artifacts").as_uri()
        self._experiment = known.experiment_id if known else self._client.create_experiment(EXPERIMENT, place)
        self.run_id: str = self._client.create_run(self._experiment, run_name=name).info.run_id
        self._status = "FAILED"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The run's own files are complete; a store that does not answer any more changes nothing about them.
        with suppress(Exception):
            self._client.set_terminated(self.run_id, self._status)

    def __call__(self, kind: str, values: dict[str, Any]) -> None:
        """Record an event; trials are written at once."""
        if kind == "started":
            self._client.set_tag(self.run_id, "command", values["command"])
        elif kind == "trial":
            self._trial(values)
        elif kind == "best":
            self._client.log_metric(self.run_id, f"best {values['metric']}", values["value"], step=self._trials)
        elif kind == "finished":
            self._finish(values)
        elif kind == "failed":
            self._client.set_tag(self.run_id, "why", values["why"][:LONGEST])

    def _trial(self, values: dict[str, Any]) -> None:
        self._trials += 1
        tags = {"mlflow.parentRunId": self.run_id, "role": str(values.get("role", "trial"))}
        run = self._client.create_run(self._experiment, tags=tags, run_name=values["name"]).info.run_id
        self._log(run, trial_numbers(values), {name: str(value) for name, value in values["settings"].items()})
        self._client.log_text(run, values["recipe"], "recipe.toml")
        self._client.set_terminated(run)
        self._client.log_metric(self.run_id, f"trial {values['metric']}", values["value"], step=self._trials)

    def _log(self, run: str, numbers: dict[str, float], texts: dict[str, str]) -> None:
        for name, text in texts.items():
            self._client.log_param(run, _key(name), text[:LONGEST])
        for name, number in numbers.items():
            self._client.log_metric(run, _key(name), number)

    def _finish(self, values: dict[str, Any]) -> None:
        from mlflow.entities import Metric

        result, run = values["result"], self.run_id
        self._log(run, {}, about(result))
        points = [Metric(_key(name), value, 0, 0) for name, value in metrics(result).items()]
        points += [Metric(_key(name), value, 0, step) for name, step, value in learning_curves(result)]
        for start in range(0, len(points), BATCH):
            self._client.log_batch(run, metrics=points[start : start + BATCH])
        self._client.log_text(run, values["recipe"], "recipe.toml")
        self._client.log_text(run, result.to_json(), "result.json")
        for name, figure in figures(result):
            self._client.log_figure(run, figure, f"figures/{name}.png")
        if result.report:
            self._client.log_artifact(run, result.report)
        if result.model:
            with tempfile.TemporaryDirectory() as folder:
                self._client.log_artifacts(run, str(save(Path(result.model), Path(folder) / "model")), "model")
        self._status = "FINISHED"


def _key(name: str) -> str:
    """A name that MLflow takes: other characters than letters, digits, ``_-. :/`` become ``_``."""
    return "".join(one if one.isalnum() or one in "_-. :/" else "_" for one in name)
