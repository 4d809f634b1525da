"""SMOTE, and then take out both ends of every Tomek link, made rows among them.

Batista, Bazzan and Monard, "Balancing Training Data for Automated Annotation of Keywords: a Case Study" (Brazilian
Workshop on Bioinformatics 2003); compared in Batista, Prati and Monard, "A Study of the Behavior of Several Methods for
Balancing Machine Learning Training Data" (SIGKDD Explorations 2004). SMOTE also fills what is not the rare class's own;
where a made row and a common one are each other's nearest, both go (see `smote` and `tomek_links`).

Tables only: a line between two pictures is no picture, and neighbors in raw pixels say little.

*Helps when* `smote` helps, and classes overlap: it thins the border on both sides.
*Does not help when* columns are many for the rows, or rare rows stand scattered: what is made there is mostly taken out
again, and real rare rows with it.
*Cost:* that of `smote`, and the nearest neighbor of each row, made ones included.

NOTE[DIFF]: distances are of standardized numbers; a class that would lose all of its rows keeps them.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._selection import Classes
from rarebird.methods.resampling.smote import Smote
from rarebird.methods.resampling.tomek_links import TomekLinks
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

KINDS = ("table",)


class SmoteTomek(Method):
    """Settings.

    Attributes:
        ratio: Rows that SMOTE brings each class to, at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, of which SMOTE draws one.
        classes: Which classes give rows: ``all``, ``not_minority`` (all but the smallest after SMOTE) or ``majority``.
    """

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    classes: Annotated[Classes, Choice("all", "not_minority", "majority")] = "all"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way, and real rare rows spared."""
        return [cls(), cls(ratio=0.5, neighbors=3, classes="majority")]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that are left, those that were there first."""
        filled = Smote(ratio=self.ratio, neighbors=self.neighbors)(train, rng)
        return TomekLinks(classes=self.classes)(filled, rng)
