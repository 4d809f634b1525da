"""A fitted model as an MLflow model of the flavor `python_function`: ``mlflow models serve`` answers with it.

The folder holds the model's own files and the name of this module, which loads them; nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarebird.core.version import VERSION
from rarebird.model.model import Model, load


class ServedModel:
    """What MLflow calls.

    Args:
        model: The fitted model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The label and the probability of each class for each row, or the value.

        Args:
            model_input: A frame; for series and pictures an array, as ``{"inputs": [...]}`` gives it to a server.
            params: Not used.
        """
        if isinstance(model_input, dict) and len(model_input) == 1:
            model_input = next(iter(model_input.values()))
        rows = model_input if isinstance(model_input, pd.DataFrame) else np.asarray(model_input)
        if not self.model.classes:
            return pd.DataFrame({"value": self.model.predict(rows)})
        found = pd.DataFrame({"label": self.model.predict(rows)})
        shares = self.model.predict_proba(rows)
        columns = {f"probability_{label}": shares[:, code] for code, label in enumerate(self.model.classes)}
        return pd.concat([found, pd.DataFrame(columns)], axis=1)


def save(model: Path, folder: Path) -> Path:
    """Write the MLflow model of a saved model's folder.

    Args:
        model: The folder of a saved model.
        folder: A new folder.

    Returns:
        The new folder.
    """
    import mlflow.pyfunc

    packages = [f"rarebird=={VERSION}"]
    mlflow.pyfunc.save_model(str(folder), loader_module=__name__, data_path=str(model), pip_requirements=packages)
    return folder


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> ServedModel:
    """MLflow's entry point: the model in the folder `path`."""
    return ServedModel(load(Path(path)))
