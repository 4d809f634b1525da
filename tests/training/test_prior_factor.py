"""The prior factor of a training by hand: each slot that bends the prior, alone and together, and what leaves it
unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.recipe.stage_plans import Stage
from rarebird.slots.protocols import TargetStatistics
from rarebird.training.prior_factor import resampling_factor, stage_prior_factor
from tests.training.made_rows import recipe

COUNTS = np.array([80.0, 18.0, 2.0])
TARGETS = TargetStatistics(COUNTS, ("a", "b", "c"))
# By how much resampling multiplied the counts.
RESAMPLED = np.array([1.0, 2.0, 5.0])
# (changes of the recipe, of its stage) -> the factor that the training adds, up to its scale.
BENDING: list[tuple[dict[str, Any], dict[str, Any], np.ndarray]] = [
    ({}, {}, np.ones(3)),
    ({"loss": "weighted"}, {}, 1 / COUNTS),
    ({"loss": {"name": "weighted", "scheme": "inverse_square_root"}}, {}, COUNTS**-0.5),
    ({"batch_sampling": "class_balanced"}, {}, 1 / COUNTS),
    ({"batch_sampling": "square_root"}, {}, COUNTS**-0.5),
    ({}, {"class_weight": "balanced"}, 1 / COUNTS),
    ({}, {"class_weight": "effective_number"}, 1 / (1 - 0.999**COUNTS)),
    ({"loss": "weighted"}, {"overrides": {"loss": "cross_entropy"}}, np.ones(3)),
    ({"batch_sampling": "square_root"}, {"overrides": {"loss": "weighted"}}, COUNTS**-1.5),
    ({"batch_sampling": "square_root", "loss": "weighted"}, {"class_weight": "inverse_square_root"}, 1 / COUNTS**2),
]


@pytest.mark.parametrize(("of_recipe", "of_stage", "bent"), BENDING)
def test_factors_of_all_slots_multiply(of_recipe: dict[str, Any], of_stage: dict[str, Any], bent: np.ndarray) -> None:
    found = stage_prior_factor(recipe(**of_recipe), Stage(**of_stage), TARGETS, RESAMPLED)
    expected = RESAMPLED * bent
    np.testing.assert_allclose(found, expected / expected.sum())


@pytest.mark.parametrize(
    ("of_recipe", "of_stage"),
    [
        ({"loss": "focal"}, {}),
        ({}, {"overrides": {"loss": "focal"}}),
        ({"batch_sampling": "by_loss"}, {}),
        ({"augmentation": ["remix"]}, {}),
        ({"augmentation": ["cell_noise", "remix"]}, {}),
        ({}, {"overrides": {"augmentation": ["remix"]}}),
        ({"regularization": [{"name": "label_smoothing", "smoothing": 0.1}]}, {}),
        ({}, {"normalize_head": 1.0}),
        ({}, {"normalize_head": 0.0}),
    ],
)
def test_what_answers_to_no_prior_leaves_it_unknown(of_recipe: dict[str, Any], of_stage: dict[str, Any]) -> None:
    assert stage_prior_factor(recipe(**of_recipe), Stage(**of_stage), TARGETS, RESAMPLED) is None


def test_regression_has_no_prior() -> None:
    assert stage_prior_factor(recipe(), Stage(), TargetStatistics(values=np.arange(9.0)), None) is None


def test_an_augmentation_that_keeps_the_prior_changes_nothing() -> None:
    found = stage_prior_factor(recipe(augmentation=["cell_noise"]), Stage(), TARGETS, RESAMPLED)
    np.testing.assert_allclose(found, RESAMPLED / 8)


def test_resampling_multiplies_the_counts_of_the_classes_that_have_rows_before_and_after() -> None:
    before, after = np.array([80.0, 10.0, 0.0, 4.0, 0.0, 0.8]), np.array([20.0, 30.0, 6.0, 0.0, 0.0, 0.2])
    np.testing.assert_allclose(resampling_factor(before, after), [0.25, 3, 1, 1, 1, 0.25])
