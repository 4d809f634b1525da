"""Any picture network of timm by name: a body whose features a new head reads; its weights come from `transfer`.

Wightman, "PyTorch Image Models", 2019 (the library timm); Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer
Better?", CVPR 2019. Pictures are resized to the size that the body was made for, standardized as its own data config
says, and pass the body. Its features (mean over the last map, or the class token), the maxima of that map, and means,
maxima, minima and deviations of its inner maps (Evci, Dumoulin, Larochelle and Mozer, "Head2Toe", ICML 2022) enter one
linear layer: as signed square roots (Perronnin, Sanchez and Mensink, "Improving the Fisher Kernel for Large-Scale Image
Classification", ECCV 2010), standardized.

*Helps when* pictures are few and weights that were learned on many pictures are at hand: a head on frozen features
(``stages=linear_probe``) needs no more than some rows per class.

*Does not help when* there are no such weights: drawn anew, a body for 224 px learns less from a thousand rows than a
small residual network. Nor where pictures are tiny and plain (digits, sprites).

Cost: that of the body; at 224 px, 0.3 billion multiplications a picture for ``mobilenetv2_100``, 1.8 for ``resnet18``,
4 for ``resnet50``. A quarter of that at half the `size`.

NOTE[DIFF]: timm's own head sees the features as they are. Here they are standardized first: learned features differ in
scale by orders of magnitude. The maximum beside the mean shows a small defect, which hardly changes a mean, and so does
the minimum of an inner map, whose numbers have either sign in many bodies; inner maps and their deviations show
texture. Head2Toe chooses among the features of all layers by a group lasso; here all of a few levels enter, and a part
of w features is weighted by ``w ** -1/4``: half way between the same weight for each feature, where the last map's 1280
drown a level's 24, and the same weight for each part. Pooled features have long tails, in which a few rows decide;
their roots have shorter ones, of which the rest is cut at three deviations.

NOTE[DIFF]: no weights are ever fetched: the body is built without them. Other channels than three are fitted by timm's
own rule, the sum (one channel) or a repetition of the first convolution's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator
from torch import nn

from rarebird.methods.network import _timm_models as timm_models
from rarebird.methods.network._backbone_network import BackboneNetwork, PerChannel
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec

KINDS = ("image",)
# Arguments of timm that this method sets itself, or that would fetch or read weights.
OWN_ARGUMENTS = ("num_classes", "in_chans", "img_size", "features_only", "scriptable", "exportable", "cache_dir")
OF_WEIGHTS = ("pretrained", "checkpoint")
# Sides of smaller pictures, where the time does not suffice for the body's own.
SMALLER = (192, 160, 128, 96, 64)


class Backbone(Method):
    """Settings of a backbone.

    Attributes:
        model: timm's name of the body, such as ``resnet18`` or ``vit_small_patch16_224``.
        model_args: More arguments for timm, such as ``{pad_type = "same"}``.
        size: Side in pixels to which pictures are resized (a picture that is no square keeps its ratio and gets as
            many pixels); None: that of the body's data config.
        mean, std: Of the pixels that the weights were learned with, in 0..1, one number or one per channel; None: those
            of the body's data config.
        pooling: ``mean`` for timm's own features, ``mean_max`` for these and the maxima of the last map, ``levels`` for
            these and means and maxima of inner maps, ``roots`` for the roots of all of these, weighted by part,
            ``statistics`` for these and the roots of minima and deviations of inner maps, cut at three deviations.
        dropout: Rate before the head.
    """

    model: str = "mobilenetv2_100"
    model_args: dict[str, bool | int | float | str | tuple[bool | int | float | str, ...]] | None = None
    size: int | None = Field(default=None, ge=8, le=1024)
    mean: PerChannel | None = None
    std: PerChannel | None = None
    pooling: Annotated[timm_models.Pooling, Choice("mean", "mean_max", "levels", "roots", "statistics")] = "statistics"
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.0, ge=0, lt=1)

    @field_validator("model")
    @classmethod
    def _known(cls, model: str) -> str:
        timm_models.check_name(model)
        return model

    @field_validator("model_args")
    @classmethod
    def _allowed(cls, given: dict[str, Any] | None) -> dict[str, Any] | None:
        for name in given or {}:
            if name in OWN_ARGUMENTS or name.startswith(OF_WEIGHTS):
                raise ValueError(f"model_args cannot hold {name!r}, which follows from the data or from `transfer`.")
        return given

    @field_validator("std")
    @classmethod
    def _positive(cls, std: PerChannel | None) -> PerChannel | None:
        if std is not None and min(std if isinstance(std, tuple) else (std,), default=0.0) <= 0:
            raise ValueError(f"`std > 0` must hold, but got std={std!r}.")
        return std

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(model="test_resnet", size=32),
            cls(model="test_vit", size=32, mean=0.5, std=(0.5, 0.4, 0.3), dropout=0.1),
            cls(model="test_efficientnet", model_args={"pad_type": "same"}, size=48, pooling="mean"),
        ]

    @property
    def own_size(self) -> int:
        """Side in pixels of the pictures that the body sees: `size`, or that of its data config."""
        return self.size or int(timm_models.config(self.model)["input_size"][-1])

    def sizes(self) -> list[int]:
        """Sides to choose from where the time decides, the largest first: the body's own, and smaller ones unless it
        needs pictures of its own size."""
        own = self.own_size
        if timm_models.config(self.model).get("fixed_input_size"):
            return [own]
        return [own, *(side for side in SMALLER if side < own)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for pictures of `spec`'s channels and ratio of sides; it takes any sides.

        Raises:
            DataError: timm does not build the model with these arguments, or not for pictures of this size.
        """
        return BackboneNetwork(self, spec)
