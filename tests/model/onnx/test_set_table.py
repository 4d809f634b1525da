"""A loader's prediction sets are the model's: on the same rows, for any coverage, from what JSON holds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rarebird.model.conformal import prediction_sets
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.onnx import set_table as tables
from rarebird.model.onnx.loaders.outputs import named, sets
from rarebird.model.onnx.set_table import set_table

CLASSES = ["a", "b", "c", "d"]
SHARES = (0.9, 0.07, 0.02, 0.01)


def rows(n: int, seed: int, coarse: bool) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and codes; coarse ones are often equal, as trees make them."""
    rng = np.random.default_rng(seed)
    y = rng.choice(4, size=n, p=SHARES)
    logits = rng.normal(size=(n, 4)) + np.eye(4)[y] + np.log(SHARES)
    logits = np.round(logits, 1) if coarse else logits
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), y


def held_out(coarse: bool, **more: Any) -> HeldOutRows:
    p, y = rows(400, 0, coarse)
    given = {"weight": np.ones(400)} | more
    return HeldOutRows(p, y, **given)


def about(held: HeldOutRows) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps({"classes": CLASSES, "sets": set_table(held)}))
    return found


SETTINGS: dict[str, dict[str, Any]] = {
    "alone": {},
    "members": {"member": np.arange(400) % 3},
    "groups": {"group": np.arange(400) // 3},
    "weights": {"weight": np.where(np.arange(400) % 5 == 0, 0.0, 1.5)},
    "no weights": {"weight": np.zeros(400)},
}


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("setting", SETTINGS)
def test_sets_are_those_of_the_model(setting: str, coarse: bool) -> None:
    """Classes of 4 to 360 rows: by their own rows, together, and always in the set, as the coverage asks."""
    held = held_out(coarse, **SETTINGS[setting])
    each = [rows(500, seed, coarse)[0] for seed in range(1, 4 if "member" in SETTINGS[setting] else 2)]
    if coarse:
        each[0][:400] = held.outputs
    described, bases = about(held), set()
    for coverage in (0.3, 0.8, 0.9, 0.95, 0.99):
        own = prediction_sets(held, each, coverage)
        found = sets(described, np.stack(each, axis=1).astype(np.float32), coverage)
        assert found == [[CLASSES[code] for code in np.flatnonzero(row)] for row in own.members]
        bases |= set(own.basis)
    assert len(bases) >= (1 if setting == "no weights" else 2)


def test_merged_rows_only_enlarge_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    held, each = held_out(False), rows(500, 1, False)[0]
    monkeypatch.setattr(tables, "MOST_VALUES", 15)
    described = about(held)
    assert max(len(values) for own in described["sets"]["held_out"] for values, _ in own) == 15
    own, larger = prediction_sets(held, [each], 0.8).members, 0
    for row, found in zip(own, sets(described, each[:, None], 0.8), strict=True):
        assert {CLASSES[code] for code in np.flatnonzero(row)} <= set(found)
        larger += len(found) - int(row.sum())
    assert larger > 0


def test_a_coverage_that_cannot_be_promised_is_refused() -> None:
    found = {"probabilities": rows(3, 1, False)[0], "label": np.zeros(3, int)}
    for described, coverage in ((about(held_out(False)), 1.0), ({"classes": CLASSES}, 0.9)):
        with pytest.raises(ValueError, match="A coverage is between 0 and 1"):
            named(described, dict(found), coverage)
    assert named({"classes": CLASSES}, dict(found), None)["label"].tolist() == ["a"] * 3
