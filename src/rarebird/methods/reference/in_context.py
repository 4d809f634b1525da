"""A pretrained transformer that reads the training rows as its context, and learns nothing: TabICL.

Qu, Holzmüller, Varoquaux and Le Morvan, "TabICL: A Tabular Foundation Model for In-Context Learning on Large Data",
ICML 2025 (BSD 3-Clause). It was trained on millions of made-up tables; for a new row it attends to the labelled ones. A
prediction is the mean over `rounds` views of the table, each with its columns in another order and its classes under
other codes.

*Helps when* a table is small: up to some thousand rows it is often better than anything that is trained on them.

*Does not help when* rows or columns are more than it was made for (it is refused then), or predictions must be fast or
the model small.

Cost: no training; each prediction passes through a network of some ten million weights with all training rows as its
context. **The model's files hold the training rows**: whoever has the model has the data.

NOTE[DIFF]: columns are standardized by the training rows, and softly clipped at four deviations; the original also
transforms every other view to normal columns. Categories enter by their codes. Sample weights count for nothing, as a
context has none. Classes without a training row get the smallest probability.

NOTE: nothing is fetched. `file` names a checkpoint of this machine: the published ``.ckpt``, of which only tensors and
the configuration are read, or the same as safetensors with the configuration as JSON in its metadata (``config``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
import torch
from pydantic import Field

from rarebird.core.checks import DataError
from rarebird.methods.reference import _tabicl, _tabicl_checkpoint
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs, RoundProgress

KINDS = ("table",)
NOTE = "The model's files hold its training rows, which each prediction reads: whoever has the model has the data."


class InContext(Method):
    """The checkpoint, and what it is used for.

    Attributes:
        file: The checkpoint, ``.ckpt`` or ``.safetensors``.
        rounds: Views of the table; the recipe's `steps` replace it once they are planned.
        most_rows, most_columns: Beyond these the table is refused: what the checkpoint was made for, as published.
        fingerprint: SHA-256 of the file; a run records it.
    """

    file: str | None = None
    rounds: Annotated[int, Int(1, 8)] = Field(default=4, ge=1, le=64)
    most_rows: int = Field(default=20_000, ge=1)
    most_columns: int = Field(default=100, ge=1)
    fingerprint: str | None = None

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(file="tabicl.safetensors", rounds=2)]

    def recorded(self) -> Self:
        """The settings with the fingerprint of the checkpoint.

        Raises:
            DataError: There is no such file, or another one than at the time of the recorded fingerprint.
        """
        found = _tabicl_checkpoint.fingerprint(self._path())
        if self.fingerprint not in (None, found):
            raise DataError(
                f"{self.file} is not the checkpoint that the recipe was trained with; give that file with --set "
                "reference.file=FILE, or leave the recorded one out with --set reference.fingerprint=none."
            )
        return self.model_copy(update={"fingerprint": found})

    def notes(self) -> list[str]:
        """What the user must know of the model."""
        return [NOTE]

    def fit(
        self,
        x: Inputs,
        y: Tensor,
        weight: Tensor,
        spec: InputSpec,
        *,
        rounds: int,
        seed: int,
        threads: int,
        progress: RoundProgress = lambda share: False,
    ) -> nn.Module:
        """The checkpoint's network with the training rows as its context.

        Raises:
            DataError: The checkpoint cannot be read, or is for another task, fewer classes or a smaller table.
        """
        n, columns = len(y), spec.n_numbers + len(spec.cardinalities)
        for what, given, most, setting in (
            ("rows", n, self.most_rows, "most_rows"),
            ("columns", columns, self.most_columns, "most_columns"),
        ):
            if given > most:
                raise DataError(
                    f"reference=in_context reads at most {most:,} training {what}, but there are {given:,}; take "
                    f"another reference, or allow more with --set reference.{setting}={given}."
                )
        checkpoint = _tabicl_checkpoint.read(self._path())
        target = y[:, 0] if spec.task == "regression" else y.argmax(dim=1)
        context = _tabicl.Context(
            table=_tabicl.table_of(x), target=target.to(torch.float32), seed=seed % 2**31, rounds=rounds
        )
        module = _tabicl.InContextModule(checkpoint, context, spec)
        for done in range(rounds):
            if progress((done + 1) / rounds):
                break
        return module.eval()

    def from_arrays(self, arrays: Mapping[str, np.ndarray], spec: InputSpec) -> nn.Module:
        """The module from the arrays of a model's folder.

        Raises:
            ValueError: They are not a checkpoint and its rows.
        """
        return _tabicl.from_arrays(arrays, spec).eval()

    def _path(self) -> Path:
        if self.file is None:
            raise DataError(
                "Which checkpoint? Name the file of TabICL's weights with --set reference.file=FILE; nothing is "
                "fetched here."
            )
        return Path(self.file)
