"""Deep learning for the data you wish you had more of: small, skewed or costly pictures, tables and time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rarebird.artifact import Model, load
    from rarebird.checks import DataError
    from rarebird.data.dataset import Dataset, Splits
    from rarebird.defaults import default_recipe
    from rarebird.estimator import RarebirdClassifier, RarebirdRegressor
    from rarebird.experiment import Outcome, run
    from rarebird.readers import read
    from rarebird.readers.python import from_arrays
    from rarebird.recipe import Recipe
    from rarebird.result import Result

__version__ = "0.1.0"

# Names are looked up when they are first used, so that `import rarebird` stays instant.
_HOMES = {
    "DataError": "checks",
    "Dataset": "data.dataset",
    "Model": "artifact",
    "Outcome": "experiment",
    "RarebirdClassifier": "estimator",
    "RarebirdRegressor": "estimator",
    "Recipe": "recipe",
    "Result": "result",
    "Splits": "data.dataset",
    "default_recipe": "defaults",
    "from_arrays": "readers.python",
    "load": "artifact",
    "read": "readers",
    "run": "experiment",
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
