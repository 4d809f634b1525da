"""Files of tensors: safetensors, and torch's own files read without running any code of theirs."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rarebird.core.checks import DataError

SAFETENSORS, PICKLED = (".safetensors",), (".pth", ".pt", ".bin", ".ckpt", ".tar")
# Where training scripts put the weights beside optimizer and epoch, the averaged ones first.
NESTED = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict", "module")
# What a data-parallel or compiled network puts in front of each name.
PREFIXES = ("module.", "_orig_mod.")
LARGEST_JSON = 2**22


@dataclass(frozen=True, eq=False)
class TensorFile:
    """The content of a file of tensors.

    Attributes:
        tensors: Name -> values; all finite.
        fingerprint: SHA-256 of the file.
        license: As the file's own metadata or a ``config.json`` beside it state it; None: neither does.
    """

    tensors: Mapping[str, Tensor]
    fingerprint: str
    license: str | None


def read(path: Path) -> TensorFile:
    """Read a file of tensors; the last one is kept, because each part of a cross-fitting begins with it.

    Raises:
        DataError: The file is absent, of another format, truncated, holds objects besides tensors, or numbers that are
            not finite.
    """
    file = _read(path, *_state_of(path))
    return replace(file, license=file.license or _license_beside(path))


def fingerprint(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        DataError: There is no such file.
    """
    return _fingerprint(path, *_state_of(path))


def _state_of(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        raise DataError(f"There is no file {path}; transfer.file names the file of the weights.") from None
    if not path.is_file():
        raise DataError(f"{path} is a folder; transfer.file names the file of the weights in it.")
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=8)
def _fingerprint(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _read(path: Path, size: int, changed: int) -> TensorFile:
    suffix = path.suffix.lower()
    if suffix not in SAFETENSORS + PICKLED:
        known = ", ".join(SAFETENSORS + PICKLED)
        raise DataError(f"{path} is no file of weights by its name, which must end with one of {known}.")
    tensors, license = _safetensors(path) if suffix in SAFETENSORS else (_pickled(path), None)
    if not tensors:
        raise DataError(f"{path} holds no tensors.")
    bad = next((name for name, part in tensors.items() if part.is_floating_point() and not part.isfinite().all()), None)
    if bad is not None:
        raise DataError(f"The tensor {bad!r} of {path} holds numbers that are infinite or NaN; the file is damaged.")
    return TensorFile(tensors, _fingerprint(path, size, changed), license)


def _safetensors(path: Path) -> tuple[dict[str, Tensor], str | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get("license")
            return {_bare(name): file.get_tensor(name) for name in file.keys()}, said  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is no whole safetensors file: {_first_line(error)}") from None


def _pickled(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # With `weights_only`, torch refuses every object that is no tensor, before it is made.
        raise DataError(
            f"{path} holds Python objects besides tensors, which could run code, or is no file of torch; only tensors "
            "are read: save its state_dict() as safetensors."
        ) from None
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no whole file of torch: {_first_line(error)}") from None
    while isinstance(content, dict) and (inner := next((key for key in NESTED if _is_nested(content, key)), None)):
        content = content[inner]
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no tensors by name, but a {type(content).__name__}.")
    return {_bare(str(name)): part.detach() for name, part in content.items() if isinstance(part, Tensor)}


def _is_nested(content: dict[Any, Any], key: str) -> bool:
    return isinstance(content.get(key), dict) and not any(isinstance(part, Tensor) for part in content.values())


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _license_beside(path: Path) -> str | None:
    """The licence in the ``config.json`` that hubs put beside a model's weights."""
    beside = path.with_name("config.json")
    try:
        if beside.stat().st_size > LARGEST_JSON:
            return None
        content = json.loads(beside.read_text(encoding="utf-8"))
        said = content.get("license") or content.get("pretrained_cfg", {}).get("license")
    except (OSError, ValueError, AttributeError):
        return None
    return said if isinstance(said, str) else None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
