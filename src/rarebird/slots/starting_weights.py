"""What a method of the slot `transfer` is given, and what it says of the weights that it gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from rarebird.core.checks import some
from rarebird.data.spec import InputSpec

if TYPE_CHECKING:
    from torch import Tensor

# Licences that forbid commercial use: CC BY-NC and its kin, or in words.
NON_COMMERCIAL = re.compile(r"\bnc\b|non-?\s?commercial|research[ -]only", re.IGNORECASE)
# With a smaller share of its tensors from the source, a network begins with little of it.
FEW = 0.5


@dataclass(frozen=True, eq=False)
class StartRows:
    """What a transfer may use beside the network.

    Attributes:
        inputs: The training rows of the part, as `prepare` gives them.
        spec: Shapes and scales of the inputs.
        classes: Class labels in the order of the logits; empty for regression.
        columns: Names of a table's columns in their order; empty for other kinds.
        seed: Of all random draws.
        deadline: When it must have ended, on the scale of `time.monotonic`; None: no limit.
        progress: Called with the share done, 0..1; if it returns True, what there is so far is used.
    """

    inputs: dict[str, Tensor]
    spec: InputSpec
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    seed: int = 0
    deadline: float | None = None
    progress: Callable[[float], bool] = lambda share: False


class StartingWeights(BaseModel):
    """Where a network's initial weights come from, and which they are; a model's folder keeps it.

    Attributes:
        source: The file or folder, or what was learned from.
        fingerprint: SHA-256 of the file; empty where there is none.
        loaded: Names of the network's tensors that have their values from the source.
        drawn: Names of its other tensors, without those of the head: newly drawn.
        unused: Names of tensors of the source that the network has no place for.
        license: Of the weights, as their source states it; None: it states none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    fingerprint: str = ""
    loaded: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    license: str | None = None

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return self.license is not None and NON_COMMERCIAL.search(self.license) is not None

    def sentences(self) -> list[str]:
        """Sentences for the user: what was and was not loaded, and the licence."""
        n, all_of_it = len(self.loaded), len(self.loaded) + len(self.drawn)
        said = [f"The network began with {n} of its {all_of_it} tensors from {self.source}; its head was newly drawn."]
        if self.drawn:
            said.append(f"Newly drawn as well: {some(self.drawn)}.")
        if self.unused:
            said.append(f"Not used of {self.source}: {some(self.unused)}.")
        if n < FEW * all_of_it:
            said.append(f"Less than half of the network comes from {self.source}: are these weights of this network?")
        if self.is_non_commercial:
            said.append(
                f"The licence of these weights ({self.license}) forbids commercial use, and so that of this model."
            )
        elif self.license is not None:
            said.append(f"The licence of these weights: {self.license}.")
        else:
            said.append(f"{self.source} states no licence; look where it comes from before you use the model.")
        return said
