"""What augmentations with a strength share: at strength 0, or for a share of 0 of the rows, no row changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from rarebird.methods.augmentation._rows import unchanged
from rarebird.slots.methods import Method

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics


class WithStrength(Method):
    """Settings of an augmentation that is off where one of them is 0; a subclass builds it in `bound`.

    Attributes:
        off_at_zero: Names of the settings that turn the augmentation off at 0; `neutral` sets the first one to 0.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("strength", "p")

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(**{cls.off_at_zero[0]: 0})

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches; `unchanged` where a setting turns it off."""
        if any(getattr(self, name) == 0 for name in self.off_at_zero):
            return unchanged
        return self.bound(statistics)

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches; it is asked for only where no setting of `off_at_zero` is 0."""
        raise NotImplementedError
