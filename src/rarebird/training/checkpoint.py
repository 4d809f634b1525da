"""Checkpoints: all that a training needs to go on as if it had never been ended, in files that cannot run code.

Each rank writes its own file (its random draws and, with `swa`, its last batches are its own); a training goes on from
the last step of which every rank has one. A file holds tensors (safetensors) and, as its metadata, the rest (JSON).
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.training import distributed

# Seconds between two checkpoints, and how much longer than it takes to write one this is at least.
SECONDS, WRITINGS = 60.0, 50.0
PLAIN = "plain"


@dataclass
class Checkpoint:
    """The checkpoints of one training.

    Attributes:
        folder: Where they are.
        name: The training among those of the folder.
    """

    folder: Path
    name: str
    _written: float = field(default_factory=time.monotonic)
    _seconds: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for another one; for the first rank, whose answer is every rank's."""
        return time.monotonic() - self._written >= max(SECONDS, WRITINGS * self._seconds)

    def write(self, step: int, tree: dict[str, Any]) -> None:
        """Write the state after a step: numbers, texts, tensors and arrays, in dictionaries and lists."""
        start = time.monotonic()
        tensors: dict[str, Tensor] = {}
        plain = json.dumps(_flat(tree, tensors))
        with whole_file(self._path(step)) as building:
            save_file(tensors, building, metadata={PLAIN: plain})
        # The one before stays, as another rank may not have written this one.
        for old in self._steps()[:-2]:
            self._path(old).unlink(missing_ok=True)
        self._written = time.monotonic()
        self._seconds = self._written - start

    def read(self) -> dict[str, Any] | None:
        """The last state that every rank has; None if there is none.

        Raises:
            DataError: The file is damaged.
        """
        common = set.intersection(*map(set, distributed.from_all(self._steps())))
        if not common:
            return None
        path = self._path(max(common))
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                tree: dict[str, Any] = _tree(json.loads(file.metadata()[PLAIN]), tensors)
                return tree
        except Exception as error:
            raise DataError(f"The checkpoint {path} cannot be read ({error}); start anew with --force.") from None

    def _path(self, step: int) -> Path:
        return self.folder / f"{self.name}_step_{step}_rank_{distributed.rank()}.safetensors"

    def _steps(self) -> list[int]:
        pattern = re.compile(rf"{re.escape(self.name)}_step_(\d+)_rank_{distributed.rank()}\.safetensors")
        names = [entry.name for entry in self.folder.iterdir()] if self.folder.is_dir() else []
        return sorted(int(found[1]) for name in names if (found := pattern.fullmatch(name)))


def _flat(part: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree for JSON, each tensor as the name under which it is in `tensors`."""
    if isinstance(part, dict):
        return {"dict": [[key, _flat(value, tensors)] for key, value in part.items()]}
    if isinstance(part, list | tuple):
        return [_flat(value, tensors) for value in part]
    if isinstance(part, np.ndarray):
        return {"array": _flat(torch.from_numpy(part), tensors)["tensor"]}
    if isinstance(part, Tensor):
        name = str(len(tensors))
        tensors[name] = part.detach().cpu().contiguous().clone()
        return {"tensor": name}
    return part


def _tree(part: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `_flat`; tuples become lists."""
    if isinstance(part, list):
        return [_tree(value, tensors) for value in part]
    if not isinstance(part, dict):
        return part
    if "tensor" in part:
        return tensors[part["tensor"]]
    if "array" in part:
        return tensors[part["array"]].numpy()
    return {key: _tree(value, tensors) for key, value in part["dict"]}
