"""Which pretrained weights a search of pictures may use: those that the user names, or those that timm has already
fetched to this machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.recipe import fine_tuning
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.fine_tuning import BACKBONE
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.methods import Method

CHECKPOINT, IN_CONTEXT = "checkpoint", "in_context"
# Side to which a network that begins from nothing reduces its pictures.
SIDE_FROM_SCRATCH = 96
# How the hub's cache names a model of timm's.
CACHED = "models--timm--"
NO_WEIGHTS = (
    "No pretrained weights were used; where pictures are few, they help more than anything else. --set "
    "transfer.file=FILE names a file with the weights of a network of timm."
)


@dataclass(frozen=True)
class Pretrained:
    """A network and where its weights come from."""

    network: Method
    transfer: Method


def pretrained(base: Recipe) -> Pretrained | None:
    """The weights that a search may use; None for other data than pictures, and where none are named and timm has
    fetched none.

    Args:
        base: With the user's settings applied: its `transfer` names the weights, and its network is their backbone. If
            it is none, the file's name, or the ``config.json`` beside it, says which backbone it is for.

    Raises:
        DataError: It cannot be seen for which network a named file is.
    """
    if base.kind != "image":
        return None
    if base.transfer is None:
        model = _cached_model()
        if model is None:
            return None
        return Pretrained(
            methods.build("network", {"name": BACKBONE, "model": model}),
            methods.build("transfer", {"name": CHECKPOINT}),
        )
    if type(base.network).name == BACKBONE:
        return Pretrained(base.network, base.transfer)
    file: str | None = getattr(base.transfer, "file", None)
    found = None if file is None else _model_of(Path(file))
    if found is None:
        raise DataError(
            f"For which network of timm are the weights {file or ''}? Say it with --set "
            "network={name=backbone,model=NAME}."
        )
    return Pretrained(methods.build("network", {"name": BACKBONE, **found}), base.transfer)


def without_weights(base: Recipe, train: Dataset) -> Recipe:
    """The base without given weights, their backbone and the settings of its fine-tuning, and without a named
    checkpoint: the default recipe, which begins from nothing. Where pictures were read in the size of a backbone, its
    network sees them smaller, as it would without weights."""
    if base.reference is not None and type(base.reference).name == IN_CONTEXT:
        base = base.updated(reference=None)
    if base.kind != "image":
        return base
    if base.transfer is not None:
        default = default_recipe(train)
        base = base.updated(**{name: getattr(default, name) for name in ("network", *fine_tuning.FIELDS)})
    network = base.network
    if "size" in type(network).model_fields and max(train.source.array.shape[2:]) > SIDE_FROM_SCRATCH:  # type: ignore[union-attr]
        network = network.model_copy(update={"size": SIDE_FROM_SCRATCH})
    return base.updated(network=network, transfer=None)


def is_same_for_all_seeds(recipe: Recipe) -> bool:
    """Whether another seed gives the same model: a solved head on given weights."""
    return recipe.head is not None and recipe.transfer is not None


def names_weights(settings: tuple[str, ...]) -> bool:
    """Whether assignments name nothing but the weights of a file, and perhaps their backbone, or the checkpoint of a
    reference that reads its training rows as its context."""
    pairs = {key.strip(): value.strip() for key, _, value in (setting.partition("=") for setting in settings)}
    if pairs and all(key.partition(".")[0] == "reference" for key in pairs):
        return IN_CONTEXT in pairs.get("reference", "") or "reference.file" in pairs
    transfer = [key for key in pairs if key.partition(".")[0] == "transfer"]
    network = [key for key in pairs if key.partition(".")[0] == "network"]
    if len(transfer) + len(network) < len(pairs) or not transfer:
        return False
    kinds = {key: pairs.get(key, "") for key in ("transfer", "network")}
    is_checkpoint = CHECKPOINT in kinds["transfer"] or ("transfer" not in pairs and "transfer.file" in pairs)
    return is_checkpoint and (not network or BACKBONE in kinds["network"])


def _model_of(file: Path) -> dict[str, Any] | None:
    """The settings of the backbone that a file is for: by the hub's ``config.json`` beside it, or by its name."""
    import timm

    known = timm.list_models()
    try:
        beside = json.loads(file.with_name("config.json").read_text(encoding="utf-8"))
        architecture, config = beside["architecture"], beside.get("pretrained_cfg", {})
        if architecture in known:
            scales = {name: tuple(config[name]) for name in ("mean", "std") if name in config}
            given = {"model_args": beside["model_args"]} if beside.get("model_args") else {}
            return {"model": architecture, **scales, **given}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    fitting = [name for name in known if file.stem.startswith(name)]
    return {"model": max(fitting, key=len)} if fitting else None


def _cached_model() -> str | None:
    """timm's name of the model with the smallest weights in the hub's cache; None where it holds none."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    sizes = {
        folder.name.removeprefix(CACHED): min(file.stat().st_size for file in files)
        for folder in (cache.glob(f"{CACHED}*") if cache.is_dir() else ())
        if (files := [*folder.glob("snapshots/*/model.safetensors"), *folder.glob("snapshots/*/pytorch_model.bin")])
    }
    if not sizes:
        return None
    import timm

    known = {*timm.list_pretrained(), *timm.list_models()}
    return min((name for name in sizes if name in known), key=lambda name: sizes[name], default=None)
