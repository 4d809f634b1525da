"""TabICL's network with its context, the training rows: how a checkpoint is read, and how both are saved as arrays."""

# Shape legend: N training rows, B batch, F columns, K classes, V views.

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, require

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

INSTALL = "reference=in_context needs the package tabicl; install it with pip install 'rarebird[foundation]'."
# Names of the arrays beside the network's, whose names begin with this.
NETWORK, CONFIG, TABLE, TARGET, DRAWN = "network.", "config", "table", "target", "drawn"
LARGEST_CONFIG, LARGEST_SIZE = 2**16, 4096
# Deviations at which a column is softly clipped; the probability of a class without a training row; the temperature of
# the published predictor.
CLIPPED, ABSENT, TEMPERATURE = 4.0, 1e-6, 0.9


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network of TabICL: its configuration and its tensors."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @cached_property
    def network(self) -> Any:
        """The network, which all parts share; see `network_of`."""
        return network_of(self)

    def __getstate__(self) -> dict[str, Any]:
        """Without the network, which another process builds anew."""
        return {"config": self.config, "tensors": self.tensors}


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


def fingerprint(path: Path) -> str:
    """SHA-256 of a checkpoint.

    Raises:
        DataError: There is no such file.
    """
    try:
        state = path.stat()
        return _fingerprint(path, state.st_size, state.st_mtime_ns)
    except OSError:
        raise DataError(f"There is no file {path}; reference.file names the file of TabICL's weights.") from None


def read(path: Path) -> Checkpoint:
    """Read a checkpoint; the last one is kept, because each part of a cross-fitting reads it.

    Raises:
        DataError: The file is absent, damaged, or no checkpoint of TabICL.
    """
    return _read(path, fingerprint(path))


@lru_cache(maxsize=4)
def _fingerprint(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _read(path: Path, fingerprint: str) -> Checkpoint:
    try:
        config, tensors = _safetensors(path) if path.suffix.lower() == ".safetensors" else _pickled(path)
        checkpoint = Checkpoint(checked_config(config), tensors)
        checkpoint.network  # noqa: B018  (refuses what does not fit)
    except pickle.UnpicklingError:
        raise DataError(f"{path} holds Python objects besides tensors, which could run code; it is not read.") from None
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"{path} is no checkpoint of TabICL that can be read: {reason}") from None
    return checkpoint


def _safetensors(path: Path) -> tuple[Any, dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads((file.metadata() or {}).get(CONFIG, "null"))
            return config, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None


def _pickled(path: Path) -> tuple[Any, dict[str, Tensor]]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    require(isinstance(content, dict) and {"config", "state_dict"} <= set(content), "it has config and state_dict")
    return content["config"], dict(content["state_dict"])


def checked_config(config: Any) -> dict[str, Any]:
    """A configuration of plain values in sensible sizes.

    Raises:
        ValueError: It is none.
    """
    require(isinstance(config, dict), "its metadata has the configuration as JSON", config=type(config).__name__)
    for name, value in config.items():
        is_plain = isinstance(value, str | bool | float) or (isinstance(value, int) and abs(value) <= 10**6)
        require(isinstance(name, str) and is_plain, "a configuration has plain values", name=str(name)[:40])
        is_size = isinstance(value, int) and not isinstance(value, bool) and name != "row_rope_base"
        require(not is_size or 0 <= value <= LARGEST_SIZE, f"0 <= size <= {LARGEST_SIZE}", name=name, value=value)
    return dict(config)


def network_of(checkpoint: Checkpoint) -> Any:
    """The network with the checkpoint's weights, built without memory before its sizes are compared.

    Raises:
        DataError: The package is not installed.
        ValueError: The tensors are not those of the configuration, or not finite.
    """
    try:
        from tabicl._model.tabicl import TabICL
    except ImportError:
        raise DataError(INSTALL) from None
    config = checkpoint.config | {"recompute": False}
    with torch.device("meta"):
        wanted = {name: part.shape for name, part in TabICL(**config).state_dict().items()}
    found = {name: part.shape for name, part in checkpoint.tensors.items()}
    different = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    require(not different, "the tensors are those of its configuration", differ=different[:3])
    bad = [name for name, part in checkpoint.tensors.items() if part.is_floating_point() and not part.isfinite().all()]
    require(not bad, "weights are finite", not_finite=bad[:3])
    network = TabICL(**config)
    network.load_state_dict(checkpoint.tensors)
    return network.eval().requires_grad_(False)


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
