"""Recipe <-> TOML: every choice of one training run as one frozen value."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from rarebird import methods
from rarebird.checks import DataError, nearest
from rarebird.methods import Method
from rarebird.ranges import Float, Int
from rarebird.stages import Stage, plan


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

    A slot holds one method, or a list where order matters. `steps`, `batch_size`, `precision`, `channels_last`, `threads` and the protocol
    (`folds`, `holdout`) are laid out by the run where they are None, and recorded, so that the recorded recipe repeats the run exactly.

    Attributes:
        kind: ``image``, ``table`` or ``series``.
        seed: Seed of every stream.
        metric: What decisions and selection serve.
        batch_size: Rows per step.
        steps: Optimizer steps of each network; None: as many as the budget allows.
        relaid: Per network, the changes (step, new total) made where the machine was slower than measured; recorded for a replay.
        epochs: Passes over the natural training rows at most, where a budget would allow more; fewer where batch sampling or resampling
            repeats rows, by the root of how often the most repeated ones come in a pass; None: no limit.
        folds: Parts of the cross-fitting, 0 for a hold-out; None: decided by the number of rows.
        holdout: Share of the training rows held out where `folds` is 0; None: decided by the number of rows.
        precision: ``float32``, ``bfloat16``, or ``auto``: whichever a short measurement finds faster.
        channels_last: Memory layout of pictures; None: measured.
        threads: CPU threads of torch while training; None: measured, or one for tables and all for others where nothing is measured.
        image_size: Working side of pictures in pixels; None: decided by the pictures' own sizes.
        test_time_views: Augmented views of a row whose predictions are averaged beside the row's own; 0: none.
        reference: What is trained in the network's place; the slots that act within the network's training then play no part.
        stages: Parts of the training, or the name of a plan in `rarebird.stages`.
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
    batch_size: Annotated[int, Int(16, 512, log=True)] = Field(default=128, ge=1)
    steps: int | None = Field(default=None, ge=1)
    relaid: tuple[tuple[tuple[int, int], ...], ...] = ()
    epochs: Annotated[float | None, Float(5, 200, log=True)] = Field(default=None, gt=0)
    folds: int | None = Field(default=None, ge=0)
    holdout: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: bool | None = None
    threads: int | None = Field(default=None, ge=1)
    image_size: int | None = Field(default=None, ge=8)
    test_time_views: int = Field(default=0, ge=0, le=64)

    network: slot_type("network")  # type: ignore[valid-type]
    reference: slot_type("reference") | None = None  # type: ignore[valid-type]
    loss: slot_type("loss") = _method("loss", "cross_entropy")  # type: ignore[valid-type]
    resampling: slot_type("resampling") | None = None  # type: ignore[valid-type]
    synthesis: slot_type("synthesis") | None = None  # type: ignore[valid-type]
    external: slot_type("external") | None = None  # type: ignore[valid-type]
    batch_sampling: slot_type("batch_sampling") = _method("batch_sampling", "shuffled")  # type: ignore[valid-type]
    augmentation: tuple[slot_type("augmentation"), ...] = ()  # type: ignore[valid-type]
    transfer: slot_type("transfer") | None = None  # type: ignore[valid-type]
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
                serving = methods.names(slot, self.kind)
                raise DataError(
                    f"{slot} {type(method).name!r} does not serve data of kind {self.kind!r}; {nearest(type(method).name, serving)}"
                )

    def methods(self) -> list[tuple[str, Method]]:
        """The filled slots, in the order of the data's way: (slot, method), one entry per method of a list."""
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
        """A recipe with some fields replaced, validated anew."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)

    def with_settings(self, settings: list[str]) -> Self:
        """The recipe with ``--set`` assignments applied in order, ``loss=focal``, ``loss.gamma=3``, ``augmentation=[rotate,noise]``.

        Raises:
            DataError: An unknown key (the message has the nearest valid name) or a value that breaks a rule.
        """
        return type(self)(**assigned(self.plain(), settings))

    def to_toml(self) -> str:
        """The recipe as a TOML document; `from_toml` gives it back equal."""
        return toml_of(self.plain())

    @classmethod
    def from_toml(cls, text: str, origin: str = "the recipe") -> Self:
        """A recipe from a TOML document.

        Raises:
            DataError: The document is no TOML, has an unknown key, or a value that breaks a rule.
        """
        return cls(**plain_of(text, origin))

    @classmethod
    def read(cls, path: Path) -> Self:
        """A recipe from a TOML file."""
        return cls(**read_plain(path))


def toml_of(plain: Mapping[str, Any]) -> str:
    """Plain values as a TOML document: single values first, then a section for each table or list of tables."""
    scalars = {key: value for key, value in plain.items() if not isinstance(value, dict) and not _is_tables(value)}
    lines = [f"{key} = {_toml(value)}" for key, value in scalars.items()]
    for key, value in plain.items():
        for entry in [value] if isinstance(value, dict) else value if _is_tables(value) else []:
            lines += ["", f"[{key}]" if isinstance(value, dict) else f"[[{key}]]"]
            lines += [f"{name} = {_toml(setting)}" for name, setting in entry.items()]
    return "\n".join(lines) + "\n"


def plain_of(text: str, origin: str) -> dict[str, Any]:
    """A TOML document's values, not yet checked.

    Raises:
        DataError: The document is no TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{origin} is no valid TOML: {error}.") from None


def read_plain(path: Path) -> dict[str, Any]:
    """The values of a recipe file, not yet checked: what a search takes ranges from."""
    try:
        return plain_of(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The recipe {path} cannot be read: {error}.") from None


def assigned(plain: dict[str, Any], settings: Sequence[str], valid: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A recipe's plain values with ``--set`` assignments applied in order; `valid` are the keys there may be, a recipe's by default.

    Raises:
        DataError: A setting that is no assignment, or an unknown key (the message has the nearest valid name).
    """
    plain = copy.deepcopy(plain)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise DataError(f"--set takes KEY=VALUE, but got {setting!r}.")
        _assign(plain, key.strip(), _parse(text.strip()), Recipe.model_fields if valid is None else valid)
    return plain


def _assign(plain: dict[str, Any], key: str, value: Any, valid: Mapping[str, Any]) -> None:
    """Put `value` at the dotted `key`; a slot given by name alone starts from that method's defaults."""
    head, _, rest = key.partition(".")
    if head not in valid:
        raise DataError(f"The recipe has no key {head!r}; {nearest(head, valid)}")
    if not rest:
        listed = isinstance(plain.get(head), list) and not isinstance(value, list)
        plain[head] = ([] if value is None else [value]) if listed else value
        return
    first, _, tail = rest.partition(".")
    holder = plain.get(head)
    if isinstance(holder, list):
        # A method of a list is addressed by its place or by its name: augmentation.0.degrees, augmentation.rotate.degrees.
        place = next((i for i, entry in enumerate(holder) if first in (str(i), _name(entry))), None)
        if place is None or not tail:
            raise DataError(
                f"{key!r} addresses no entry of {head}; {nearest(first, [_name(entry) or str(i) for i, entry in enumerate(holder)])}"
            )
        holder[place] = {"name": holder[place]} if isinstance(holder[place], str) else dict(holder[place])
        _put(holder[place], tail, value)
        return
    if isinstance(holder, str):
        holder = plain[head] = {"name": holder}
    if not isinstance(holder, dict):
        raise DataError(f"{head} holds no method, so {key!r} cannot be set; set {head}=NAME first.")
    _put(holder, rest, value)


def _put(holder: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at the dotted `key`, going down where a table stands: ``class_weight.猫`` changes one label's weight."""
    head, _, rest = key.partition(".")
    inner = holder.get(head)
    if rest and isinstance(inner, dict | str):
        holder[head] = {"name": inner} if isinstance(inner, str) else dict(inner)
        _put(holder[head], rest, value)
    else:
        holder[key] = value


def _name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else str(entry)


def _parse(text: str) -> Any:
    """A value of ``--set``: TOML where it parses; bare words are text, also within ``[a,b]`` and ``{a=b}``."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    if text.startswith("[") and text.endswith("]"):
        return [_parse(part.strip()) for part in _split(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = (part.partition("=" if "=" in part else ":") for part in _split(text[1:-1]))
        return {key.strip().strip("\"'"): _parse(value.strip()) for key, _, value in pairs}
    if text.lower() in ("none", "null", ""):
        return None
    return text


def _split(text: str) -> list[str]:
    """Parts between the commas that stand in no bracket."""
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [part for part in [*parts, current] if part.strip()]


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(str(key))} = {_toml(entry)}" for key, entry in value.items() if entry is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{value:.1f}"
    return _text(value) if isinstance(value, str) else repr(value)


def _key(key: str) -> str:
    """A TOML key, bare where it may be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(value: str) -> str:
    """A TOML basic string. JSON escapes all that TOML wants escaped, except for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
