"""What a user may have meant by a key that no recipe has: a setting of a method, a method, or another name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rarebird.core.checks import nearest
from rarebird.slots import methods

# Names that other tools give to a key of the recipe.
OTHER_NAMES = {
    "accumulate_grad_batches": "accumulation",
    "amp": "precision",
    "arch": "network",
    "architecture": "network",
    "augment": "augmentation",
    "backbone": "network",
    "batch": "batch_size",
    "bf16": "precision",
    "bs": "batch_size",
    "criterion": "loss",
    "cv": "folds",
    "fp16": "precision",
    "fsdp": "sharded",
    "gradient_accumulation": "accumulation",
    "gradient_accumulation_steps": "accumulation",
    "gradient_checkpointing": "activation_checkpointing",
    "image": "image_size",
    "img_size": "image_size",
    "lr": "learning_rate",
    "max_epochs": "epochs",
    "model": "network",
    "n_epochs": "epochs",
    "n_folds": "folds",
    "n_splits": "folds",
    "num_epochs": "epochs",
    "objective": "loss",
    "optim": "optimizer",
    "optimiser": "optimizer",
    "qat": "stages",
    "random_state": "seed",
    "sampler": "batch_sampling",
    "scheduler": "schedule",
    "size": "image_size",
    "threshold": "decision",
    "tta": "test_time_views",
    "wd": "weight_decay",
}


def suggestion(key: str, plain: Mapping[str, Any], valid: Iterable[str]) -> str:
    """The end of a message about an unknown key of a recipe.

    Args:
        key: What the user wrote.
        plain: The recipe's plain values.
        valid: The keys that there are.
    """
    meant = meaning(key, plain, valid)
    return nearest(key, valid) if meant is None else f"did you mean {meant!r}?"


def meaning(key: str, plain: Mapping[str, Any], valid: Iterable[str]) -> str | None:
    """What a key stands for: ``dropout`` -> ``network.dropout``, ``focal`` -> ``loss=focal``, ``lr`` ->
    ``optimizer.learning_rate``; None if it is not known."""
    word = key.lower().replace("-", "_")
    word = OTHER_NAMES.get(word, word)
    if word in valid:
        return word
    for slot in methods.SLOTS:
        name = _method_name(plain.get(slot))
        if name is not None and word in methods.load(slot, name).model_fields:
            return f"{slot}.{word}"
    return next((f"{slot}={word}" for slot in methods.SLOTS if word in methods.names(slot)), None)


def _method_name(value: Any) -> str | None:
    """The name of the method that fills a slot; None for an empty one, a list or an unknown name."""
    name = value.get("name") if isinstance(value, Mapping) else value
    return name if isinstance(name, str) and any(name in methods.names(slot) for slot in methods.SLOTS) else None
