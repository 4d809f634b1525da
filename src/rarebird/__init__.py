"""Deep learning for the data you wish you had more of: small, skewed or costly pictures, tables and time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rarebird.core.version import VERSION as __version__

if TYPE_CHECKING:
    from rarebird.automl.from_python import fit
    from rarebird.core.checks import DataError
    from rarebird.data.dataset import Dataset, Splits
    from rarebird.estimator import RarebirdClassifier, RarebirdRegressor
    from rarebird.evaluation.result import Result
    from rarebird.experiment.run import Outcome, run
    from rarebird.explanation.explain import explain
    from rarebird.model.model import Model, load
    from rarebird.readers.from_path import read
    from rarebird.readers.python import from_arrays
    from rarebird.recipe.defaults import default_recipe
    from rarebird.recipe.recipe import Recipe


# Names are looked up when they are first used, so that `import rarebird` stays instant.
_HOMES = {
    "DataError": "core.checks",
    "Dataset": "data.dataset",
    "Model": "model.model",
    "Outcome": "experiment.run",
    "RarebirdClassifier": "estimator",
    "RarebirdRegressor": "estimator",
    "Recipe": "recipe.recipe",
    "Result": "evaluation.result",
    "Splits": "data.dataset",
    "default_recipe": "recipe.defaults",
    "explain": "explanation.explain",
    "fit": "automl.from_python",
    "from_arrays": "readers.python",
    "load": "model.model",
    "read": "readers.from_path",
    "run": "experiment.run",
}
__all__ = [
    "DataError",
    "Dataset",
    "Model",
    "Outcome",
    "RarebirdClassifier",
    "RarebirdRegressor",
    "Recipe",
    "Result",
    "Splits",
    "__version__",
    "default_recipe",
    "explain",
    "fit",
    "from_arrays",
    "load",
    "read",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rarebird' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"rarebird.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
