"""Label smoothing: targets of 1 and 0 are softened, so that the network is not driven to ever larger logits.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for computer vision", CVPR 2016: ``y
<- (1 - smoothing) * y + smoothing / n_classes``; when it helps, and what it takes from distillation, Müller, Kornblith
and Hinton, NeurIPS 2019.

*Helps when* labels are partly wrong, or the network is sure of everything it has learned by heart.

*Does not help when* classes are very rare: at 0.1 and ten classes, one of a hundredth of the rows gets as much of its
target from other classes' rows as from its own. Nor with `mixup`, which softens targets already.

Cost: nothing.

NOTE the probabilities that the network learns are smoothed too; calibration (`temperature`) sharpens them again. It
acts whatever the loss, and on targets that augmentation has mixed.
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
    """How much is taken from the labels.

    Attributes:
        smoothing: Share of a target that is spread evenly over all classes, the row's own included.
    """

    strength_field: ClassVar[str] = "smoothing"

    smoothing: Annotated[float, Float(0, 0.3)] = Field(default=0.1, ge=0, lt=1)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that softens each batch's targets.

        Raises:
            DataError: The network predicts a value, not classes.
        """
        if getattr(getattr(network, "head", None), "out_features", None) == 1:
            raise DataError("label_smoothing softens classes, but the target holds numbers; take it out.")
        return _Soften(self.smoothing)


def smoothed(y: Tensor, smoothing: float) -> Tensor:
    """``(batch, n_classes)`` soft targets, part of each spread evenly; rows that sum to 1 still do."""
    return (1 - smoothing) * y + smoothing / y.shape[1]


class _Soften(Hook):
    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing

    def targets(self, y: Tensor) -> Tensor:
        return smoothed(y, self.smoothing)
