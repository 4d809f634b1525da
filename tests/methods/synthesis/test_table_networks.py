"""Networks that make a table's rows learn which class has which values and categories, and how columns depend on each
other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.slots import methods
from tests.methods.synthesis.made_classes import clusters, ellipses

SETTINGS: dict[str, dict[str, Any]] = {
    "vae": {"steps": 400, "batch_size": 64, "code": 8, "width": 16},
    "gan": {"steps": 400, "batch_size": 64, "code": 8, "width": 16, "learning_rate": 1e-3},
    "diffusion": {"steps": 200, "batch_size": 64, "width": 16, "dropout": 0.0},
}
every_network = pytest.mark.parametrize("name", SETTINGS)


def fitted(name: str, rows: Any, **changes: Any) -> Any:
    method: Any = methods.build("synthesis", {"name": name, **SETTINGS[name], **changes})
    return method.fit(rows, Compute(), np.random.default_rng(0))


@every_network
def test_values_and_categories_are_those_of_the_class(name: str) -> None:
    generator = fitted(name, clusters((150, 60)))
    for code in (0, 1):
        frame = generator.sample(code, 300, np.random.default_rng(1)).raw()
        right = frame["side"] == "right"
        assert 0.2 < right.mean() < 0.8
        assert (np.abs(frame["y"] - 10 * code - 1.5) < 4).mean() > 0.75
        assert (np.abs(frame["x"] - 10 * right) < 4).mean() > 0.7


@pytest.mark.parametrize("name", ["vae", "diffusion"])
def test_columns_depend_on_each_other_as_they_do_in_the_class(name: str) -> None:
    generator = fitted(name, ellipses())
    found = [
        generator.sample(code, 400, np.random.default_rng(1)).raw()[["first", "second"]].corr("spearman").iloc[0, 1]
        for code in (0, 1)
    ]
    assert found[0] > 0.5
    assert found[1] < -0.5


@every_network
def test_weights_of_other_settings_are_refused(name: str) -> None:
    rows = clusters((30, 12))
    generator = fitted(name, rows, steps=2)
    other: Any = methods.build("synthesis", {"name": name, **SETTINGS[name], "width": 8})
    with pytest.raises(DataError, match="the weights do not fit its settings"):
        other.restored(rows, generator.sampler.state(), generator.sampler.arrays())
