"""Several recipes with weights, as a search writes them into `recipe.toml`: one ``[[members]]`` for each recipe.

Each member's networks are trained and calibrated by its own recipe. The ensemble averages their probabilities under the
natural prior, calibrates the mean, and fits one decision on held-out rows. The metric and the decision of a member's
recipe are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe, slot_type
from rarebird.recipe.text import assigned, plain_of, read_plain, toml_of
from rarebird.slots import methods


class Weighted(Recipe):
    """A recipe with its weight, relative to the weights of the other members."""

    weight: float = Field(default=1.0, gt=0)

    @classmethod
    def of(cls, recipe: Recipe, weight: float) -> Self:
        """A recipe with a weight."""
        return cls(**{name: getattr(recipe, name) for name in Recipe.model_fields}, weight=weight)

    @property
    def alone(self) -> Recipe:
        """The recipe without its weight."""
        return Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})


def _parse_member(value: Any) -> Any:
    return Weighted(**value) if isinstance(value, dict) else value


class Ensemble(BaseModel):
    """Several recipes, trained on the same rows, whose probabilities are averaged.

    Attributes:
        kind: ``image``, ``table`` or ``series``; all members have the same kind.
        seed: Seed of the splits; each member has its own seed for its networks and its folds.
        metric: The metric that the decision optimizes.
        prior: As in a recipe.
        folds, holdout: As in a recipe; they hold for all members.
        image_size: Side in pixels to which pictures are resized; None: chosen by the sizes of the pictures.
        calibration: Fitted to the mean of the members' probabilities.
        decision: Probabilities -> labels.
        members: The recipes with their weights.
        student: The recipe of the single network that the members are distilled to; None: the members are the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)

    kind: Literal["image", "table", "series"]
    seed: int = Field(default=0, ge=0)
    metric: str = "balanced_accuracy"
    prior: dict[str, float] | None = None
    folds: int | None = Field(default=None, ge=0)
    holdout: float | None = Field(default=None, gt=0, lt=1)
    image_size: int | None = Field(default=None, ge=8)
    calibration: tuple[slot_type("calibration"), ...] = ()  # type: ignore[valid-type]
    decision: slot_type("decision") = Field(default_factory=lambda: methods.build("decision", {"name": "balanced"}))  # type: ignore[valid-type]
    student: Annotated[
        Recipe | None, BeforeValidator(lambda value: Recipe(**value) if isinstance(value, dict) else value)
    ] = None
    members: tuple[Annotated[Weighted, BeforeValidator(_parse_member)], ...] = Field(min_length=1)

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise DataError(_error_sentence(error, type(self).model_fields)) from None
        other_kinds = sorted(
            {one.kind for one in (*self.members, *([self.student] if self.student else []))} - {self.kind}
        )
        if other_kinds:
            raise DataError(
                f"The recipe is for data of kind {self.kind!r}, but one of its members is for {other_kinds[0]!r}."
            )

    @classmethod
    def of(cls, members: Sequence[tuple[float, Recipe]], calibration: Sequence[str | dict[str, Any]] = ()) -> Self:
        """An ensemble of weighted recipes; run settings (seed, metric, folds ...) are taken from the first."""
        first = members[0][1]
        run_settings = {
            name: getattr(first, name)
            for name in ("kind", "seed", "metric", "prior", "folds", "holdout", "image_size", "decision")
        }
        return cls(
            **run_settings,
            calibration=tuple(calibration),
            members=[Weighted.of(recipe, weight) for weight, recipe in members],
        )

    def plain(self) -> dict[str, Any]:
        """The ensemble as plain values for TOML and JSON, without the fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)

    def updated(self, **changes: Any) -> Self:
        """The ensemble with some fields replaced; a field of recipes (steps, threads, folds ...) is replaced in each
        member.

        The seeds of members and student change by the same difference as the ensemble's seed. `calibration` and
        `decision` are the ensemble's, not those of the members.

        Raises:
            DataError: An unknown field, or a value that breaks a rule.
        """
        shared = set(Recipe.model_fields) - {"seed", "calibration", "decision"}
        own_changes = {
            name: value for name, value in changes.items() if name in type(self).model_fields or name not in shared
        }
        member_changes = {name: value for name, value in changes.items() if name in shared}
        seed_shift = changes.get("seed", self.seed) - self.seed
        members = changes.get("members") or [
            member.updated(**member_changes, seed=max(0, member.seed + seed_shift))
            if member_changes or seed_shift
            else member
            for member in self.members
        ]
        student = changes.get("student", self.student)
        # A student always has a single part, whatever the protocol of the members is.
        student_changes = {name: value for name, value in member_changes.items() if name not in ("folds", "holdout")}
        if student is not None and "student" not in changes and (student_changes or seed_shift):
            student = student.updated(**student_changes, seed=max(0, student.seed + seed_shift))
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**fields | own_changes | {"members": members, "student": student})

    def with_settings(self, settings: list[str]) -> Self:
        """The ensemble with ``--set`` assignments applied, such as ``decision=argmax``, ``members.0.loss.gamma=3``."""
        return type(self)(**assigned(self.plain(), settings, type(self).model_fields))

    def to_toml(self) -> str:
        """The ensemble as a TOML document."""
        return toml_of(self.plain())


AnyRecipe = Recipe | Ensemble


def of_plain(plain: dict[str, Any]) -> AnyRecipe:
    """A recipe from plain values, or an ensemble if they have members."""
    return Ensemble(**plain) if "members" in plain else Recipe(**plain)


def of_toml(text: str, origin: str = "the recipe") -> AnyRecipe:
    """A recipe or an ensemble from a TOML document."""
    return of_plain(plain_of(text, origin))


def read(path: Path) -> AnyRecipe:
    """A recipe or an ensemble from a TOML file.

    Raises:
        DataError: The file cannot be read, or holds no valid recipe.
    """
    return of_plain(read_plain(path))


def members(recipe: AnyRecipe) -> list[tuple[float, Recipe]]:
    """The recipes to train, with their weights; a single recipe has the weight 1."""
    return [(one.weight, one.alone) for one in recipe.members] if isinstance(recipe, Ensemble) else [(1.0, recipe)]


def _error_sentence(error: ValidationError, valid: dict[str, Any]) -> str:
    """One sentence for pydantic's first error, with the member that has it."""
    first = error.errors()[0]
    if first["type"] == "value_error" and first["loc"][:1] == ("members",):
        return f"members.{first['loc'][1]}: {first['ctx']['error']}"
    return methods.sentence(error, "recipe", valid)
