"""What the gate found about a generator's new rows, class by class: values for reports and JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class GateFigure(BaseModel):
    """A figure of new rows, beside what as many held-out real rows give.

    Attributes:
        name: A key, such as ``tree_area``.
        value: For new rows.
        low, high: Range of 95 % for real rows.
        p_value: How often real rows give a figure as bad or worse.
        fails: Whether it is worse than real rows give, significantly and by more than is tolerated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    low: float
    high: float
    p_value: float
    fails: bool = False


class Usefulness(BaseModel):
    """What a classifier of the class learns from new rows, on held-out real rows; each difference with 95 %.

    Attributes:
        real: Average precision after real training rows.
        both: After these and new ones.
        synthetic: After new rows of the class in place of the real ones, and the real rows of other classes.
        low, high: Interval of ``both - real``.
        precision: At which recall is compared: where real rows find half of the class.
        recall_real, recall_both: Recall at this precision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    real: float
    both: float
    synthetic: float
    low: float
    high: float
    precision: float
    recall_real: float
    recall_both: float


class ClassVerdict(BaseModel):
    """The verdict on the new rows of a class.

    Attributes:
        label: The class.
        rows: Held-out real rows, and as many new ones, that were compared.
        passes: Whether new rows of this class may be used.
        reason: Why, in a sentence.
        figures: All figures.
        usefulness: None where too few rows are held out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    rows: int
    passes: bool
    reason: str
    figures: tuple[GateFigure, ...] = ()
    usefulness: Usefulness | None = None


class GateVerdict(BaseModel):
    """The verdict on a generator.

    Attributes:
        method: Its name.
        parts: Parts of the training rows; each was held out by a generator that learned from the others.
        classes: One verdict per class that was asked for.
        seconds: That the verdict took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    parts: int
    classes: tuple[ClassVerdict, ...]
    seconds: float = 0.0

    @property
    def passing(self) -> tuple[str, ...]:
        """The classes of which new rows may be used."""
        return tuple(one.label for one in self.classes if one.passes)
