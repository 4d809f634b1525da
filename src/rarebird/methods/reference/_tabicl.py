"""TabICL's network with its context, the training rows: how it predicts, and how both are saved as arrays."""

# Shape legend: N training rows, B batch, F columns, K classes, V views.

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, require
from rarebird.methods.reference._tabicl_checkpoint import Checkpoint, checked_config

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

# Names of the arrays beside the network's, whose names begin with this.
NETWORK, CONFIG, TABLE, TARGET, DRAWN = "network.", "config", "table", "target", "drawn"
LARGEST_CONFIG = 2**16
# Deviations at which a column is softly clipped; the probability of a class without a training row; the temperature of
# the published predictor.
CLIPPED, ABSENT, TEMPERATURE = 4.0, 1e-6, 0.9


@dataclass(frozen=True, eq=False)
class Context:
    """The training rows as the network reads them.

    Attributes:
        table: ``(N, F)`` numbers, and codes of categories.
        target: ``(N,)`` class codes, or standardized values.
        seed: Draws the order of columns of each view.
        rounds: Views.
    """

    table: Tensor
    target: Tensor
    seed: int
    rounds: int


def table_of(x: Inputs) -> Tensor:
    """``(n, F)`` float32: the numbers, missing ones as the mean, and the codes of the categories."""
    return torch.cat([x["numbers"].float(), x["categories"].float()], dim=1)


class InContextModule(nn.Module):
    """The network and its context in place of a trained one: ``forward(x: Inputs) -> logits (B, n_outputs)``.

    Raises:
        DataError: The checkpoint is for another task or for fewer classes.
    """

    def __init__(self, checkpoint: Checkpoint, context: Context, spec: InputSpec) -> None:
        super().__init__()
        self.checkpoint, self.context, self.spec = checkpoint, context, spec
        self._check_task()
        checkpoint.network  # noqa: B018  (refuses what does not fit)
        mean, std = context.table.mean(dim=0), context.table.std(dim=0, correction=0)
        self._mean, self._std = mean, torch.where(std > 1e-6, std, 1.0)
        self._present, self._codes = torch.unique(context.target, return_inverse=True)
        self._caches: list[Any] = []

    def _check_task(self) -> None:
        most = self.checkpoint.config.get("max_classes", 10)
        if (self.spec.task == "regression") != (most == 0):
            made = "numbers" if most == 0 else "classes"
            raise DataError(f"The checkpoint of reference=in_context predicts {made}, which the target is not.")
        if most and self.spec.n_outputs > most:
            raise DataError(
                f"The checkpoint of reference=in_context knows at most {most} classes, but there are "
                f"{self.spec.n_outputs}; take another reference."
            )

    @torch.inference_mode()
    def forward(self, x: Inputs) -> Tensor:
        """The logarithm of the mean probabilities over the views; the mean of the predicted quantiles."""
        table = self._scaled(table_of(x).cpu())
        views = [self._view(table, place) for place in range(self.context.rounds)]
        mean = torch.stack(views).mean(dim=0)
        if self.spec.task == "regression":
            return mean.float()
        probability = torch.full((len(table), self.spec.n_outputs), ABSENT)
        probability[:, self._present.long()] = mean.float().clamp(min=ABSENT)
        return (probability / probability.sum(dim=1, keepdim=True)).log().to(x["numbers"].device)

    def _view(self, table: Tensor, place: int) -> Tensor:
        """``(B, K)`` probabilities of the present classes, or ``(B, 1)`` values, of one view of the table."""
        columns, shift = self._drawn(place)
        network, config = self.checkpoint.network, _config()
        if len(self._caches) <= place:
            classes = self.spec.task == "classification"
            target = (self._codes + shift) % len(self._present) if classes else self.context.target
            network.forward_with_cache(
                X_train=self._scaled(self.context.table)[None, :, columns],
                y_train=target.float()[None],
                store_cache=True,
                inference_config=config,
            )
            self._caches.append(network._cache)
            network.clear_cache()
        found: Tensor = network.forward_with_cache(
            X_test=table[None, :, columns],
            cache=self._caches[place],
            store_cache=False,
            inference_config=config,
        )[0]
        network.clear_cache()
        if self.spec.task == "regression":
            return found.mean(dim=1, keepdim=True)
        shares = (found[:, : len(self._present)] / TEMPERATURE).softmax(dim=1)
        return shares.roll(-shift, dims=1)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was computed for the training rows, which another process computes anew."""
        return {**self.__dict__, "_caches": []}

    def _drawn(self, place: int) -> tuple[Tensor, int]:
        """The order of the columns and the shift of the codes in a view; the first one has all as they are."""
        n = self.context.table.shape[1]
        if place == 0:
            return torch.arange(n), 0
        generator = torch.Generator().manual_seed(self.context.seed + place)
        return torch.randperm(n, generator=generator), place % max(len(self._present), 1)

    def _scaled(self, table: Tensor) -> Tensor:
        scaled = (table - self._mean) / self._std
        beyond = (scaled.abs() - CLIPPED).clamp(min=0)
        return scaled.clamp(-CLIPPED, CLIPPED) + scaled.sign() * torch.log1p(beyond)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Checkpoint and training rows."""
        text = json.dumps(self.checkpoint.config).encode()
        # Copies: no two tensors of a file may share their memory, and all parts share the network.
        network = {f"{NETWORK}{name}": part.numpy().copy() for name, part in self.checkpoint.tensors.items()}
        return network | {
            CONFIG: np.frombuffer(text, np.uint8).copy(),
            TABLE: self.context.table.numpy(),
            TARGET: self.context.target.numpy(),
            DRAWN: np.array([self.context.seed, self.context.rounds], np.int64),
        }


def from_arrays(arrays: Mapping[str, np.ndarray], spec: InputSpec) -> InContextModule:
    """The module from the arrays of a model's folder, checked: they may come from anywhere.

    Raises:
        ValueError: They are not a checkpoint and its rows.
    """
    require({CONFIG, TABLE, TARGET, DRAWN} <= set(arrays), "it has configuration and rows", names=sorted(arrays)[:4])
    require(arrays[CONFIG].dtype == np.uint8 and arrays[CONFIG].size <= LARGEST_CONFIG, "the configuration is JSON")
    config = checked_config(json.loads(arrays[CONFIG].tobytes()))
    table, target, drawn = arrays[TABLE], arrays[TARGET], arrays[DRAWN]
    columns = spec.n_numbers + len(spec.cardinalities)
    fits = table.ndim == 2 and table.shape[1] == columns and target.shape == table.shape[:1] and len(table) > 0
    require(fits and table.dtype == target.dtype == np.float32, "the rows have the model's columns", columns=columns)
    require(bool(np.isfinite(table).all() and np.isfinite(target).all()), "numbers are finite")
    require(drawn.shape == (2,) and drawn.dtype == np.int64 and 1 <= drawn[1] <= 64, "1 <= views <= 64")
    if spec.task == "classification":
        codes = bool((target == np.floor(target)).all()) and target.min() >= 0 and target.max() < spec.n_outputs
        require(codes, "labels are codes of classes", classes=spec.n_outputs)
    named = {name: torch.from_numpy(part) for name, part in arrays.items() if name.startswith(NETWORK)}
    tensors = {name.removeprefix(NETWORK): part for name, part in named.items()}
    context = Context(torch.from_numpy(table), torch.from_numpy(target), int(drawn[0]), int(drawn[1]))
    return InContextModule(Checkpoint(config, tensors), context, spec)


def _config() -> Any:
    """How the package computes: on the CPU, in float32, without files of its own."""
    from tabicl import InferenceConfig

    config = InferenceConfig()
    plain = {"device": "cpu", "use_amp": False, "use_fa3": False, "verbose": False}
    config.update_from_dict({"COL_CONFIG": {**plain, "offload": False}, "ROW_CONFIG": plain, "ICL_CONFIG": plain})
    return config
