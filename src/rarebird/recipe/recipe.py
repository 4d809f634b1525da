"""Recipe <-> TOML: every choice of one training run as one frozen value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from rarebird.core.checks import DataError, nearest
from rarebird.recipe.stage_plans import Stage, plan
from rarebird.recipe.text import assigned, plain_of, read_plain, toml_of
from rarebird.slots import methods
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int


def slot_type(slot: str) -> Any:
    """The type of a field that holds one method of `slot`."""
    return Annotated[
        Method,
        BeforeValidator(lambda value: methods.of(slot, value)),
        PlainSerializer(lambda method: method.settings()),
    ]


def _method(slot: str, name: str, **settings: Any) -> Any:
    return Field(default_factory=lambda: methods.build(slot, {"name": name, **settings}), validate_default=False)


class Recipe(BaseModel):
    """Every choice of one training run.

    A slot holds one method, or a list where order matters. `steps`, `batch_size`, `precision`, `channels_last`,
    `threads` and the protocol (`folds`, `holdout`) may be open (None, or ``auto`` for the precision). The run fills
    them in and records them, so that the recorded recipe repeats the run exactly.

    Attributes:
        kind: ``image``, ``table`` or ``series``.
        seed: Seed of all random streams.
        metric: The metric that decision and selection optimize.
        prior: Class -> its frequency where the model is used, if the training rows have others (case-control); classes
            that are not named share the rest. Probabilities, decision and figures are for these. None: the natural
            prior.
        batch_size: Rows per step.
        accumulation: Parts in which a batch is computed, one after the other; their gradients add up to that of the
            batch. The memory of the features is that of one part. Batch normalization takes each part's statistics.
        activation_checkpointing: Blocks of the network are computed a second time in the backward pass, so that their
            features need no memory until then.
        sharded: Of several devices, each keeps a part of the weights, gradients and optimizer states (FSDP2).
        steps: Optimizer steps of each network; None: as many as the budget allows.
        relaid: Per network, the changes (step, new number of steps) where the machine was slower or faster than
            measured, or the training ended early; recorded for a replay.
        epochs: Most passes over the training rows before resampling, also where a budget allows more. Where batch
            sampling or resampling repeats rows, the limit is divided by the root of how often the most repeated rows
            come in a pass. None: no limit.
        folds: Parts of the cross-fitting, 0 for a hold-out; None: decided by the number of rows.
        holdout: Share of the training rows held out where `folds` is 0; None: decided by the number of rows.
        precision: ``float32``, ``bfloat16``, ``float16`` (on GPUs, with loss scaling), or ``auto``: float32 or a half
            precision, whichever a short measurement finds faster.
        channels_last: Memory layout of pictures; None: measured.
        threads: CPU threads of torch while training; None: measured, or without a measurement one thread for tables and
            all threads for other kinds.
        image_size: Side in pixels to which pictures are resized; None: chosen by the sizes of the pictures.
        test_time_views: The number of augmented views of a row whose predictions are averaged with that of the row.
        transfer: The method that gives the network its initial weights; None: they are newly drawn.
        external: The method that lets rows of other sources join the training rows; None: own rows alone.
        synthesis: The generator whose synthetic rows fill rare classes before the resampling; None: real rows alone.
        reference: The method that is trained in the network's place; None: the network. With a reference, the slots
            that act within a network's training are not used.
        head: The method that solves the network's head in closed form, where its features are frozen; None: the network
            is trained by steps. With it, the slots that act within a training by steps are not used.
        stages: Parts of the training, or the name of a plan in `rarebird.recipe.stage_plans`.
        same_start: The networks of all folds begin with the same weights, so that they can be merged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
    run_fields: ClassVar[tuple[str, ...]] = (
        "steps",
        "batch_size",
        "precision",
        "channels_last",
        "threads",
        "folds",
        "holdout",
        "image_size",
    )

    kind: Literal["image", "table", "series"]
    seed: int = Field(default=0, ge=0)
    metric: str = "balanced_accuracy"
    prior: dict[str, float] | None = None
    batch_size: Annotated[int, Int(16, 512, log=True)] = Field(default=128, ge=1)
    accumulation: int = Field(default=1, ge=1, le=1024)
    activation_checkpointing: bool = False
    sharded: bool = False
    steps: int | None = Field(default=None, ge=1)
    relaid: tuple[tuple[tuple[int, int], ...], ...] = ()
    epochs: Annotated[float | None, Float(5, 200, log=True)] = Field(default=None, gt=0)
    folds: int | None = Field(default=None, ge=0)
    holdout: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    channels_last: bool | None = None
    threads: int | None = Field(default=None, ge=1)
    image_size: int | None = Field(default=None, ge=8)
    test_time_views: int = Field(default=0, ge=0, le=64)
    same_start: bool = False

    network: slot_type("network")  # type: ignore[valid-type]
    transfer: slot_type("transfer") | None = None  # type: ignore[valid-type]
    reference: slot_type("reference") | None = None  # type: ignore[valid-type]
    head: slot_type("head") | None = None  # type: ignore[valid-type]
    external: slot_type("external") | None = None  # type: ignore[valid-type]
    loss: slot_type("loss") = _method("loss", "cross_entropy")  # type: ignore[valid-type]
    synthesis: slot_type("synthesis") | None = None  # type: ignore[valid-type]
    resampling: slot_type("resampling") | None = None  # type: ignore[valid-type]
    batch_sampling: slot_type("batch_sampling") = _method("batch_sampling", "shuffled")  # type: ignore[valid-type]
    augmentation: tuple[slot_type("augmentation"), ...] = ()  # type: ignore[valid-type]
    regularization: tuple[slot_type("regularization"), ...] = ()  # type: ignore[valid-type]
    optimizer: slot_type("optimizer") = _method("optimizer", "adamw")  # type: ignore[valid-type]
    schedule: slot_type("schedule") = _method("schedule", "cosine")  # type: ignore[valid-type]
    calibration: tuple[slot_type("calibration"), ...] = ()  # type: ignore[valid-type]
    decision: slot_type("decision") = _method("decision", "balanced")  # type: ignore[valid-type]
    stages: Annotated[tuple[Stage, ...], BeforeValidator(plan)] = Field(default=(Stage(),), min_length=1)

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise DataError(methods.sentence(error, "recipe", type(self).model_fields)) from None
        for slot, method in self.methods():
            if self.kind not in methods.kinds(slot, type(method).name):
                name, fitting = type(method).name, methods.names(slot, self.kind)
                raise DataError(f"{slot} {name!r} does not serve data of kind {self.kind!r}; {nearest(name, fitting)}")

    def methods(self) -> list[tuple[str, Method]]:
        """The filled slots in the order of `SLOTS`: (slot, method), one entry per method of a list."""
        filled: list[tuple[str, Method]] = []
        for slot in methods.SLOTS:
            value = getattr(self, slot)
            values = value if isinstance(value, tuple) else () if value is None else (value,)
            filled += [(slot, method) for method in values]
        return filled

    def plain(self) -> dict[str, Any]:
        """The recipe as plain values for TOML and JSON, without the fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)

    def updated(self, **changes: Any) -> Self:
        """The recipe with some fields replaced, validated again."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)

    def reopened(self) -> Self:
        """The recipe with open steps, those of a pretraining included, as for another network or another time."""
        transfer: Any = self.transfer
        if "steps" in getattr(type(transfer), "model_fields", ()):
            transfer = transfer.model_copy(update={"steps": None})
        return self.updated(steps=None, relaid=(), transfer=transfer)

    def with_settings(self, settings: list[str]) -> Self:
        """The recipe with ``--set`` assignments applied in order, such as ``loss=focal``, ``loss.gamma=3`` or
        ``augmentation=[rotate,noise]``.

        Raises:
            DataError: A key is unknown (the message has the nearest valid name), or a value breaks a rule.
        """
        return type(self)(**assigned(self.plain(), settings, Recipe.model_fields))

    def to_toml(self) -> str:
        """The recipe as a TOML document; `from_toml` gives it back equal."""
        return toml_of(self.plain())

    @classmethod
    def from_toml(cls, text: str, origin: str = "the recipe") -> Self:
        """A recipe from a TOML document.

        Raises:
            DataError: The document is not TOML, has an unknown key, or a value that breaks a rule.
        """
        return cls(**plain_of(text, origin))

    @classmethod
    def read(cls, path: Path) -> Self:
        """A recipe from a TOML file."""
        return cls(**read_plain(path))
