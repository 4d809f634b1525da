"""What is explained is what the model ships, for each kind, and for ensembles, calibrations and views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.data.dataset import Dataset
from rarebird.explanation.explain import Effort, Explainer
from rarebird.explanation.shipped import ShippedOutput, output_of
from tests.explanation import planted

MLP = {"name": "mlp", "width": 8, "depth": 1}
CASES: dict[str, tuple[Dataset, dict[str, Any]]] = {
    "table": (planted.table(), {"network": MLP, "loss": "weighted", "calibration": ["prior_correction", "isotonic"]}),
    "trees": (planted.table(), {"reference": "boosted_trees", "network": MLP}),
    "pictures with views": (
        planted.pictures(),
        {"network": {"name": "cnn", "width": 4, "dense": 8}, "augmentation": ["translate"], "test_time_views": 2},
    ),
    "series of unequal lengths": (planted.series(), {"network": {"name": "cnn", "width": 4, "dense": 8}}),
    "regression": (planted.regression(), {"network": MLP}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_explained_output_is_the_shipped_one(name: str) -> None:
    data, recipe = CASES[name]
    model = planted.model_of(data, **recipe)
    some = data.take(np.arange(5))
    codes = np.zeros(5, dtype=np.int64) if not model.classes else some.codes
    outputs = model.outputs(some)
    for kind in ("log_odds", "probability") if model.classes else ("value",):
        shipped = ShippedOutput(model, kind)
        found = shipped.of_inputs(shipped.inputs(some), shipped.codes(codes))
        np.testing.assert_allclose(found, output_of(outputs, codes, kind), rtol=1e-5, atol=1e-5)
    explainer = Explainer(model, data, effort=Effort(background=2, steps=8, most_steps=16))
    amounts = explainer.explain(some, codes, explainer.main_method())
    np.testing.assert_allclose(amounts.explained, output_of(outputs, codes, amounts.output), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(amounts.errors, 0, atol=0.1 * np.ptp(amounts.explained) + 0.1)
