"""Label smoothing: targets of 1 and 0 are softened, so that logits do not grow without limit.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for computer vision", CVPR 2016: ``y
<- (1 - smoothing) * y + smoothing / n_classes``; on when it helps, and how it harms distillation: Müller, Kornblith and
Hinton, NeurIPS 2019.

*Helps when* some labels are wrong, or the network is overconfident on rows that it memorized.

*Does not help when* classes are very rare: at 0.1 and ten classes, a class with 1 % of the rows gets as much of its
total target from rows of other classes as from its own. Nor with `mixup`, which softens targets already.

Cost: nothing.

NOTE: the probabilities that the network learns are smoothed, too; no factor per class gives the true ones back, so that
`class_scale_bias` takes the place of `prior_correction`. It works with any loss, and on targets that augmentation has
mixed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.slots.hooks import Hook
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class LabelSmoothing(Method):
    """How much labels are smoothed.

    Attributes:
        smoothing: Share of a target that is spread evenly over all classes, including the row's own.
    """

    strength_field: ClassVar[str] = "smoothing"

    smoothing: Annotated[float, Float(0, 0.3)] = Field(default=0.1, ge=0, lt=1)

    @property
    def bends_prior(self) -> bool:
        """Whether the prior of the logits is unknown: smoothed probabilities are no factor per class away from the true
        ones."""
        return self.smoothing > 0

    def attach(self, network: nn.Module) -> Hook:
        """The hook that softens each batch's targets.

        Raises:
            DataError: The network predicts a value, not classes.
        """
        if getattr(getattr(network, "head", None), "out_features", None) == 1:
            raise DataError("label_smoothing is for classes, but the target is a number; remove it.")
        return _Soften(self.smoothing)


def smoothed(y: Tensor, smoothing: float) -> Tensor:
    """``(batch, n_classes)`` soft targets with a share of each spread evenly over the classes; sums do not change."""
    return (1 - smoothing) * y + smoothing / y.shape[1]


class _Soften(Hook):
    """Smooths the targets of each batch."""

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing

    def targets(self, y: Tensor) -> Tensor:
        return smoothed(y, self.smoothing)
