"""What a method of the slot `transfer` is given, and what it says of the weights that it gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from rarebird.core.checks import some
from rarebird.data.spec import InputSpec

if TYPE_CHECKING:
    from torch import nn

# Licences that forbid commercial use: CC BY-NC and its kin, or in words.
NON_COMMERCIAL = re.compile(r"\bnc\b|non-?\s?commercial|research[ -]only", re.IGNORECASE)
# With a smaller share of its tensors from the source, a network begins with little of it.
FEW = 0.5


@dataclass(frozen=True, eq=False)
class StartRows:
    """What a transfer may use beside the network.

    Attributes:
        spec: Shapes and scales of the inputs.
        classes: Class labels in the order of the logits; empty for regression.
        columns: Names of a table's columns in their order; empty for other kinds.
    """

    spec: InputSpec
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class StartingWeights(BaseModel):
    """Where a network's initial weights come from, and which they are; a model's folder keeps it.

    Attributes:
        source: The file or folder, or what was learned from.
        fingerprint: SHA-256 of the file; empty where there is none.
        loaded: Names of the network's tensors that have their values from the source.
        drawn: Names of its other tensors, without those of the head: newly drawn.
        unused: Names of tensors of the source that the network has no place for.
        license: Of the weights, as their source states it; None: it states none.
        objective: What was learned without labels; empty where weights were read.
        rows: Unlabeled rows from which the network learned so; 0: from its own training rows.
        steps: Steps of that pretraining that were taken, and that were planned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    fingerprint: str = ""
    loaded: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    license: str | None = None
    objective: str = ""
    rows: int = 0
    steps: tuple[int, int] = (0, 0)

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return self.license is not None and NON_COMMERCIAL.search(self.license) is not None

    def sentences(self) -> list[str]:
        """Sentences for the user: what was and was not loaded, and the licence; or what was learned without labels."""
        if self.objective:
            return self._sentences_on_pretraining()
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

    def _sentences_on_pretraining(self) -> list[str]:
        taken, planned = self.steps
        whence = f"{self.rows:,} rows of {self.source}, without labels" if self.rows else "its training rows alone"
        how = f"{self.objective}, {taken:,} steps"
        said = [f"The network first learned from {whence} ({how}); its head was newly drawn."]
        if taken < planned:
            said.append(f"This was ended at step {taken:,} of {planned:,}; a repeat of the run takes them all.")
        return said


@runtime_checkable
class GivenWeights(Protocol):
    """A transfer that puts weights of a file or model into the network, and says which ones."""

    def start(self, network: nn.Module, rows: StartRows) -> StartingWeights: ...


@runtime_checkable
class LearnedWeights(Protocol):
    """A transfer whose weights are learned without labels, by `rarebird.training.pretraining`.

    `task` builds a module ``forward(x: Inputs, view, generator) -> loss ()`` around the network's `features (batch,
    width)`, with layers of its own; ``view(x)`` is a random view by the augmentations that `views` lists. It is trained
    for `steps`, or for `epochs` passes over the rows and at most the share `share` of the time.
    """

    steps: int | None
    epochs: float
    share: float
    batch_size: int
    learning_rate: float

    def views(self, spec: InputSpec) -> list[dict[str, Any]]: ...

    def task(self, network: nn.Module, width: int, spec: InputSpec) -> nn.Module: ...

    def chosen_objective(self, kind: str) -> str: ...
