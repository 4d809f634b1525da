"""The stages of a recipe's training, and named plans from the literature, which are lists of stages."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rarebird.core.checks import nearest
from rarebird.slots import methods

OVERRIDABLE = ("loss", "batch_sampling", "optimizer", "schedule", "augmentation")


class Stage(BaseModel):
    """A part of the training: its share of the steps, the layers that it trains, and methods of its own.

    Attributes:
        share: Share of the steps, relative to the shares of the other stages.
        trainable: ``all``, ``head`` for only the network's last layer, ``adapters`` for this layer and low-rank
            additions to the body's linear layers, or the share of the layers, counted from the head, that is trained.
        rank: Of these additions; None: 8.
        class_weight: Weights of the classes, for any loss: balanced, the root of that, or by the effective number of
            rows (Cui et al., CVPR 2019).
        reset_head: Whether the last layer begins with newly drawn weights.
        layer_decay: Rates fall towards the input: each layer's rate is that of the layer behind it times this number
            (Bao et al., "BEiT", ICLR 2022). 1: one rate for all layers.
        frozen_statistics: Batch normalization keeps the statistics that it has at the beginning of the stage: those of
            pretrained weights are of a million pictures, those of a small batch are noise.
        normalize_head: If the training ends in this stage, each class's weights in the head are divided by their norm
            to this power at the end; None: they are not.
        quantization_aware: Weights and activations are rounded as an int8 file rounds them, so that the weights learn
            to be rounded; batch normalization keeps its statistics. The trained network itself stays in float32, and
            loses less when ``rarebird compress --steps quantize`` makes it int8.
        overrides: Slot -> method settings that replace the recipe's during this stage, for instance
            ``{"loss": {"name": "weighted"}}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=1.0, gt=0)
    trainable: Literal["all", "head", "adapters"] | float = "all"
    rank: int | None = Field(default=None, ge=1, le=1024)
    class_weight: Literal["balanced", "inverse_square_root", "effective_number"] | None = None
    reset_head: bool = False
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    frozen_statistics: bool = False
    normalize_head: float | None = Field(default=None, ge=0, le=2)
    quantization_aware: bool = False
    overrides: dict[str, Any] = {}

    @field_validator("trainable")
    @classmethod
    def _share(cls, trainable: str | float) -> str | float:
        if not isinstance(trainable, str) and not 0 < trainable <= 1:
            raise ValueError(
                "trainable is all, head, adapters, or a share of the layers above 0 and at most 1, but got "
                f"{trainable!r}."
            )
        return trainable

    @field_validator("overrides")
    @classmethod
    def _methods(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        """Build every override, so that a misspelt method or a bad setting is refused before training begins."""
        plain: dict[str, Any] = {}
        for slot, value in overrides.items():
            if slot not in OVERRIDABLE:
                raise ValueError(f"a stage cannot override {slot!r}; {nearest(slot, OVERRIDABLE)}")
            built = [
                methods.of(slot, part).settings() for part in (value if isinstance(value, list | tuple) else [value])
            ]
            plain[slot] = built if isinstance(value, list | tuple) else built[0]
        return plain


_BALANCED: dict[str, Any] = {"batch_sampling": "class_balanced"}
# Name -> stages, with their source.
PLANS: dict[str, tuple[dict[str, Any], ...]] = {
    # Deferred re-weighting: Cao et al., "Learning imbalanced datasets with label-distribution-aware margin loss",
    # NeurIPS 2019. The representation is learned from the rows as they are; the weights act when the learning rate is
    # low.
    "deferred": ({"share": 0.8}, {"share": 0.2, "class_weight": "effective_number"}),
    # Classifier re-training: Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR
    # 2020.
    "crt": ({"share": 0.75}, {"share": 0.25, "trainable": "head", "reset_head": True, "overrides": _BALANCED}),
    # The tau-normalized classifier of the same paper; nothing is trained a second time.
    "tau_normalized": ({"normalize_head": 1.0},),
    # The body stays as it was transferred, and only the head learns: "linear evaluation" of Zhang, Isola and Efros,
    # "Colorful image colorization", ECCV 2016. With head=ridge it is solved.
    "linear_probe": ({"trainable": "head"},),
    # All layers at one rate, as without a plan: for a comparison with the others.
    "full": ({},),
    # First the head alone, then all layers, at rates that fall towards the input: the head's first, large gradients
    # would spoil what the body knows. Kumar et al., "Fine-tuning can distort pretrained features and underperform
    # out-of-distribution", ICLR 2022; Clark et al., "ELECTRA", ICLR 2020, for the rates. Batch statistics are those of
    # the pretraining, as in detection, where batches are small, too (He et al., "Deep residual learning", CVPR 2016).
    "layer_decay": (
        {"share": 0.2, "trainable": "head"},
        {"share": 0.8, "layer_decay": 0.75, "frozen_statistics": True},
    ),
    # First the head alone, then also low-rank additions to the frozen linear layers of a transformer: few weights to
    # learn from few rows. Hu et al., "LoRA", ICLR 2022.
    "adapters": ({"share": 0.2, "trainable": "head"}, {"share": 0.8, "trainable": "adapters"}),
    # Gradual unfreezing: Howard and Ruder, "Universal language model fine-tuning for text classification", ACL 2018,
    # with their discriminative rates: 1 / 2.6 from one group of layers to the next, as a decay per layer.
    # For networks whose first layers are trained already.
    "gradual_unfreezing": (
        {"share": 0.2, "trainable": "head"},
        {"share": 0.2, "trainable": 0.34, "layer_decay": 0.8, "frozen_statistics": True},
        {"share": 0.2, "trainable": 0.67, "layer_decay": 0.8, "frozen_statistics": True},
        {"share": 0.4, "layer_decay": 0.8, "frozen_statistics": True},
    ),
    # Quantization-aware training at the low rates of the end: Jacob et al., "Quantization and training of neural
    # networks for efficient integer-arithmetic-only inference", CVPR 2018.
    "quantization_aware": ({"share": 0.8}, {"share": 0.2, "quantization_aware": True}),
    # SMOTE among the network's features: DeVries and Taylor, "Dataset augmentation in feature space", ICLR workshops
    # 2017.
    "feature_smote": (
        {"share": 0.75},
        {"share": 0.25, "trainable": "head", "overrides": {**_BALANCED, "augmentation": ["feature_smote"]}},
    ),
}


def plan(value: object) -> object:
    """The stages of a named plan; any other value is returned unchanged."""
    if isinstance(value, list) and len(value) == 1:
        # A command line's assignment to a list.
        value = value[0] if isinstance(value[0], str) else value
    if not isinstance(value, str):
        return value
    if value not in PLANS:
        raise ValueError(f"there is no plan of stages {value!r}; {nearest(value, PLANS)}")
    return PLANS[value]
