"""Checkpoints of TabICL: read without running code of theirs, and checked before a network is built."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rarebird.core.checks import DataError, require

INSTALL = "reference=in_context needs the package tabicl; install it with pip install 'rarebird[foundation]'."
# Where a safetensors file has the configuration, in its metadata; the largest number in it.
CONFIG, LARGEST_SIZE = "config", 4096


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
