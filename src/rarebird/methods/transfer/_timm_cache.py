"""Weights that timm has already fetched to this machine; nothing is fetched here."""

from __future__ import annotations

from pathlib import Path

NAMES = ("model.safetensors", "pytorch_model.bin")


def weights_of(model: str) -> tuple[Path, str | None] | None:
    """The file of a model's own weights in the hub's cache or in torch's, and their licence; None if neither has it."""
    import timm
    import torch
    from huggingface_hub import try_to_load_from_cache

    cache = cache_of_hub()
    config = timm.get_pretrained_cfg(model)
    if config is None:
        return None
    if config.hf_hub_id:
        for name in (config.hf_hub_filename, *NAMES):
            found = try_to_load_from_cache(config.hf_hub_id, name, cache_dir=cache) if name else None
            if isinstance(found, str):
                return Path(found), config.license
    if isinstance(config.url, str) and config.url:
        path = Path(torch.hub.get_dir()) / "checkpoints" / config.url.rpartition("/")[2]
        if path.is_file():
            return path, config.license
    return None


def cache_of_hub() -> Path:
    """The folder into which the hub's library fetches models."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
