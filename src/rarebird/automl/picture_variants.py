"""More recipes for pictures that begin from nothing: another augmentation of the default network, for a search with
much time.

They come after the default recipe has had its share of the time, in budgets of more than two minutes, and only while
there is time for two more trainings as long as the default's: one for the variant, one for other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.recipe.recipe import Recipe

# Seconds of training time above which a search tries them: a budget of more than two minutes.
LONG = 125.0
# Trainings as long as the default's that must fit, and the most of its seconds that a variant may take.
SPARE, LONGER = 2.0, 1.3


def variants(base: Recipe) -> list[PortfolioEntry]:
    """The entries in their order, by evidence on the development sets (`benchmarks/picture_portfolio.py`, NOTES.md)."""
    trivial = base.with_settings(["augmentation=[trivial_augment]"])
    return [PortfolioEntry("residual network, trivial augment", trivial)]


def affordable(base: Recipe, race: Race) -> Iterator[PortfolioEntry]:
    """The variants for which there is time; none for other data than pictures.

    Args:
        base: The default recipe.
        race: It has the candidates that were trained so far.
    """
    default = next((one for one in race.finished if one.role == "default"), None)
    if base.kind != "image" or default is None or not LONG < race.deadline - race.begun < np.inf:
        return
    for entry in variants(base):
        left = race.time_left()
        if SPARE * default.seconds < left:
            yield replace(entry, share=min(1.0, LONGER * default.seconds / left))
