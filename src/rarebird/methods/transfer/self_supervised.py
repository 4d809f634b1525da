"""Initial weights that are learned without labels: from a pool of unlabeled rows, or from the training rows themselves.

The network's body learns a task that needs no labels, and then, as after any transfer, the labelled rows. Pictures and
series: two augmented views of a row shall have the same features, and features of different rows shall differ: `vicreg`
(Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning", ICLR
2022) asks for a spread and no correlation of the features over a batch, `simclr` (Chen, Kornblith, Norouzi and Hinton,
"A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020) for a smaller distance to the own
view than to all others. Tables: `masked`: some cells are exchanged with those of other rows, and the body predicts
which ones and what they were (Yoon, Zhang, Jordon and van der Schaar, "VIME", NeurIPS 2020; Rubachev, Alekberov,
Gorishniy and Babenko, "Revisiting Pretraining Objectives for Tabular Deep Learning", 2022, find this self-prediction as
good as contrastive learning).

*Helps when* labels are dear and rows are not: some hundred labelled rows and thousands without a label, of the same
kind.

*Does not help when* nearly all rows have labels, or when what the views change (place, size, brightness, tempo) is what
tells the classes apart.

Cost: a step takes as long as one of training on twice the batch. Of a budget, pretraining takes the share `share`; with
a pool of pictures or series one pretraining serves all parts of a cross-fitting, as none of them judges it. Without a
pool, each part learns from its own training rows alone, as it does with a table.

NOTE[DIFF]: AdamW with a warm-up and a cosine in place of LARS; projections of 512 numbers (the papers': 8192 and 128).
Pictures are never flipped, and colors change only where there are three channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from rarebird.core.checks import DataError
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from torch import nn

    from rarebird.data.spec import InputSpec

KINDS = ("image", "table", "series")
Objective = Literal["vicreg", "simclr", "masked"]
USUAL: dict[str, Objective] = {"image": "vicreg", "series": "vicreg", "table": "masked"}
_PICTURES = (
    {"name": "crop", "min_area": 0.3},
    {"name": "rotate", "degrees": 15},
    {"name": "brightness", "strength": 0.4},
    {"name": "contrast", "strength": 0.4},
    {"name": "blur", "p": 0.3},
)
_COLORS = ({"name": "saturation", "strength": 0.5}, {"name": "hue", "strength": 0.1})
_SERIES = (
    {"name": "window_crop", "min_share": 0.6},
    {"name": "magnitude_scale", "strength": 0.3},
    {"name": "magnitude_warp", "strength": 0.2},
    {"name": "time_warp"},
    {"name": "jitter", "strength": 0.3},
)


class SelfSupervised(Method):
    """How the body learns without labels.

    Attributes:
        objective: `vicreg` or `simclr` (pictures, series), `masked` (tables); None: the usual one of the kind.
        epochs: Passes over the rows; with a budget, at most these, as far as its share allows.
        share: Of the time for training, what pretraining may take.
        batch_size: Rows of a step.
        learning_rate: The highest, of AdamW.
        rate: For `masked`, the probability of each cell to be exchanged.
        steps: Steps that were taken; a run records them, so that a replay takes the same.
        fingerprint: Of the pool of unlabeled rows; a run records it.
    """

    objective: Objective | None = None
    epochs: Annotated[float, Float(5, 200, log=True)] = Field(default=60.0, gt=0)
    share: float = Field(default=0.5, gt=0, lt=1)
    batch_size: int = Field(default=128, ge=4)
    learning_rate: Annotated[float, Float(3e-4, 5e-3, log=True)] = Field(default=2e-3, gt=0)
    rate: Annotated[float, Float(0.1, 0.6)] = Field(default=0.3, gt=0, lt=1)
    steps: int | None = Field(default=None, ge=1)
    fingerprint: str | None = None

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(epochs=2, batch_size=32, share=0.3)]

    def recorded(self, network: Method) -> Self:
        """The settings as they are: what is learned is recorded by whoever plans it."""
        return self

    def chosen_objective(self, kind: str) -> str:
        """The objective for a kind of data: the given one, or the usual."""
        return self.objective or USUAL[kind]

    def views(self, spec: InputSpec) -> list[dict[str, Any]]:
        """The settings of the augmentations that make a view of a row, in their order; none for a table."""
        if spec.kind == "table":
            return []
        if spec.kind == "series":
            return list(_SERIES)
        return [*_PICTURES, *(_COLORS if spec.channels == 3 else ())]

    def task(self, network: nn.Module, width: int, spec: InputSpec) -> nn.Module:
        """The task that the body learns: ``forward(x: Inputs, view, generator) -> loss``, with layers of its own.

        Args:
            network: Its `features` are what learns.
            width: Of its features.
            spec: Shapes of the inputs.

        Raises:
            DataError: The objective is for another kind of data.
        """
        from rarebird.methods.transfer import _masked_cells, _two_views

        objective = self.chosen_objective(spec.kind)
        if (objective == "masked") != (spec.kind == "table"):
            fitting = "masked" if spec.kind == "table" else "vicreg or simclr"
            raise DataError(
                f"transfer.objective={objective} is for data of another kind; for {spec.kind} data take {fitting}."
            )
        if objective == "masked":
            return _masked_cells.MaskedCells(network, width, spec, self.rate)
        return _two_views.TwoViews(network, width, objective)
