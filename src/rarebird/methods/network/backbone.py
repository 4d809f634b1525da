"""Any picture network of timm by name: a body whose features a new head reads; its weights come from `transfer`.

Wightman, "PyTorch Image Models", 2019 (the library timm); Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer
Better?", CVPR 2019. Pictures are resized to the size that the body was made for, standardized as its own data config
says, and pass the body. Its features (mean over the last map, or the class token), the maxima of that map, and means
and maxima of its inner maps (Evci, Dumoulin, Larochelle and Mozer, "Head2Toe", ICML 2022) enter one linear layer: as
signed square roots (Perronnin, Sanchez and Mensink, "Improving the Fisher Kernel for Large-Scale Image Classification",
ECCV 2010), standardized.

*Helps when* pictures are few and weights that were learned on many pictures are at hand: a head on frozen features
(``stages=linear_probe``) needs no more than some rows per class.

*Does not help when* there are no such weights: drawn anew, a body for 224 px learns less from a thousand rows than a
small residual network. Nor where pictures are tiny and plain (digits, sprites).

Cost: that of the body; at 224 px, 0.3 billion multiplications a picture for ``mobilenetv2_100``, 1.8 for ``resnet18``,
4 for ``resnet50``. A quarter of that at half the `size`.

NOTE[DIFF]: timm's own head sees the features as they are. Here they are standardized first: learned features differ in
scale by orders of magnitude. The maximum beside the mean shows a small defect, which hardly changes a mean, and inner
maps show texture. Head2Toe chooses among the features of all layers by a group lasso; here all of a few levels enter,
and a part of w features is weighted by ``w ** -1/4``: half way between the same weight for each feature, where the last
map's 1280 drown a level's 24, and the same weight for each part. Pooled features have long tails, in which a few rows
decide; their roots have shorter ones.

NOTE[DIFF]: no weights are ever fetched: the body is built without them. Other channels than three are fitted by timm's
own rule, the sum (one channel) or a repetition of the first convolution's weights.
"""

# Shape legend: B batch, C channels, H W sides, N tokens, D width of the features, M channels of the last map.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.network import _timm_models as timm_models
from rarebird.methods.network._channel_trace import traced_groups
from rarebird.methods.network._channels import ChannelGroup
from rarebird.methods.network._layers import HeadedNetwork, Resize, Standardize
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image",)
# Arguments of timm that this method sets itself, or that would fetch or read weights.
OWN_ARGUMENTS = ("num_classes", "in_chans", "img_size", "features_only", "scriptable", "exportable", "cache_dir")
OF_WEIGHTS = ("pretrained", "checkpoint")
# Sides of smaller pictures, where the time does not suffice for the body's own.
SMALLER = (192, 160, 128, 96, 64)
# Added before a root is taken, so that its slope at 0 is finite where the body learns; and the power of a part's width
# by which its features are weighted.
NEAR_ZERO, WIDTH_POWER = 1e-3, -0.25
PerChannel = float | tuple[float, ...]


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
            these and means and maxima of inner maps, ``roots`` for the roots of all of these, weighted by part.
        dropout: Rate before the head.
    """

    model: str = "mobilenetv2_100"
    model_args: dict[str, bool | int | float | str | tuple[bool | int | float | str, ...]] | None = None
    size: int | None = Field(default=None, ge=8, le=1024)
    mean: PerChannel | None = None
    std: PerChannel | None = None
    pooling: Annotated[timm_models.Pooling, Choice("mean", "mean_max", "levels", "roots")] = "roots"
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


class BackboneNetwork(HeadedNetwork):
    """Resize, standardize, body, pooling, standardized features, head.

    ``embed(x)`` is the part that a frozen body needs once per row: ``{"embedded": (B, D)}``. In training the network
    needs two rows or more, as every batch normalization does.

    Attributes:
        cells_per_row: Numbers in one picture as the body sees it, in three channels at least: the maps behind the
            first convolution, which take the memory, do not depend on the channels.
    """

    def __init__(self, settings: Backbone, spec: InputSpec) -> None:
        super().__init__()
        self.settings, self.channels = settings, spec.channels
        config = timm_models.config(settings.model)
        sides = _sides(spec, settings.own_size, bool(config.get("fixed_input_size")))
        self.sides = sides
        self.cells_per_row = max(spec.channels, 3) * sides[0] * sides[1]
        args = json.dumps(settings.model_args)
        layout = timm_models.layout(settings.model, args, spec.channels, sides, settings.pooling)
        self.levels = layout.levels
        self.body = timm_models.create(settings.model, settings.model_args or {}, spec.channels, sides)
        self.resize = Resize(*sides)
        self.standardize = Standardize(
            *(timm_models.per_channel(config[name] if own is None else own, spec.channels, name)
              for name, own in (("mean", settings.mean), ("std", settings.std)))
        )  # fmt: skip
        self.scale = nn.BatchNorm1d(layout.width, affine=False)
        # It follows from the settings, so that it is not saved.
        self.emphasis: Tensor | None
        self.register_buffer("emphasis", emphasis(layout.widths) if self.takes_roots else None, persistent=False)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(layout.width, spec.n_outputs)

    @torch.no_grad()
    def embed(self, x: Inputs) -> Inputs:
        """The pooled features of the body in evaluation mode."""
        if "embedded" in x:
            return x
        was_training = self.body.training
        self.body.eval()
        pooled = self._pooled(x)
        self.body.train(was_training)
        return {"embedded": pooled.float()}

    def features(self, x: Inputs) -> Tensor:
        pooled = x["embedded"] if "embedded" in x else self._pooled(x)
        scaled: Tensor = self.dropout(self.scale(pooled))
        return scaled if self.emphasis is None else scaled * self.emphasis

    @property
    def takes_roots(self) -> bool:
        """Whether features are signed square roots, weighted by part."""
        return self.settings.pooling == "roots"

    def _pooled(self, x: Inputs) -> Tensor:
        pixels = self.standardize(self.resize(x["pixels"]))
        parts = timm_models.pooled(self.body, pixels, self.settings.pooling, self.levels)
        joined = torch.cat(parts, dim=1)
        return signed_root(joined) if self.takes_roots else joined

    def channel_groups(self) -> list[ChannelGroup]:
        """The channels of the body that can be removed together, those that reach the pooled features included.

        Raises:
            DataError: They cannot be followed through the body.
        """
        try:
            return traced_groups(self, {"pixels": torch.empty(1, self.channels, *self.sides)})
        except Exception as error:  # whatever a model's layers raise
            raise DataError(
                f"The channels of the backbone {self.settings.model!r} cannot be followed "
                f"({timm_models.first_line(error)}); give --prune weights."
            ) from None

    @property
    def feature_map(self) -> str:
        """The body's last stage of maps; empty of a body of tokens."""
        name = timm_models.last_map(self.body)
        return f"body.{name}" if name else ""

    def load_body(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """Load tensors into the body as timm loads its own weights: the head is left out, and the first convolution is
        fitted to the channels.

        Returns:
            The names of this network's tensors that have their values from `tensors`.

        Raises:
            Exception: Whatever torch or timm raise where the tensors do not fit.
        """
        settings = self.settings
        loaded = timm_models.load(
            self.body, tensors, settings.model, settings.model_args or {}, self.channels, self.sides
        )
        return [f"body.{name}" for name in loaded]

    @torch.no_grad()
    def fit_scale(self, embedded: Tensor, counts: Tensor) -> None:
        """Standardize features by the mean and deviation of these rows, ``(n, D)``, each counting ``counts (n,)``."""
        share = (counts / counts.sum()).to(embedded)[:, None]
        mean = (share * embedded).sum(dim=0)
        assert self.scale.running_mean is not None
        assert self.scale.running_var is not None
        self.scale.running_mean.copy_(mean)
        self.scale.running_var.copy_((share * (embedded - mean).square()).sum(dim=0))


def signed_root(features: Tensor) -> Tensor:
    """``sign(x) sqrt(|x|)``, rounded near 0."""
    sizes: Tensor = (features.abs() + NEAR_ZERO).sqrt() - NEAR_ZERO**0.5
    return features.sign() * sizes


def emphasis(widths: Sequence[int]) -> Tensor:
    """``(D,)`` the weight of each feature by the width of its part; their mean square is 1."""
    weights = torch.cat([torch.full((width,), width**WIDTH_POWER) for width in widths])
    return weights / weights.square().mean().sqrt()


def _sides(spec: InputSpec, size: int, square: bool) -> tuple[int, int]:
    """Height and width: about ``size ** 2`` pixels at the pictures' own ratio, or a square for bodies that need it."""
    if square:
        return size, size
    ratio = (spec.height / spec.width) ** 0.5
    return max(1, round(size * ratio)), max(1, round(size / ratio))
