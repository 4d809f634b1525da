"""The result of a run: scores with intervals, rows per class, history, timings and versions, as one value for JSON."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from rarebird.evaluation.cost import Cost
from rarebird.evaluation.coverage_result import IntervalScore, SetScore
from rarebird.evaluation.cut_offs import CutOffCounts
from rarebird.evaluation.decision_result import DecisionScore, DecisionSummary
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.search_history import SearchHistory, Tried
from rarebird.slots.external_rows import SourceReport
from rarebird.slots.gate_verdict import GateVerdict


class ClassScore(BaseModel):
    """One class's row in the table of scores.

    `calibration_error` is the misplaced probability per row of the class (`metrics.calibration.class_calibration`), and
    `calibration_p_value` that of the test whether its stated probabilities are right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    support: int
    recall: Estimate
    precision: Estimate
    f1: Estimate
    note: str = ""
    calibration_error: Estimate = Estimate(value=None)
    calibration_p_value: float | None = None


class Scores(BaseModel):
    """Scores of a model on rows that it never saw.

    Attributes:
        metrics: Name -> figure with interval.
        per_class: One row per class, also for classes without a test row; empty for regression.
        confusion: ``n_classes x n_classes`` counts, true classes in rows.
        curves: Name -> coordinates for figures (``reliability``, ``class_reliability``, ``precision_recall``, ``roc``,
            ``residuals``; on validation rows also ``uncalibrated``, the first two before calibration).
        cut_offs: Counts of labels while the cut-off of a class moves; empty for regression.
        classwise_calibration_error: Mean of the classes' calibration errors; None for regression.
        most_probable: Share of the rows whose label is their most probable class; None for regression.
        sets, intervals: How often prediction sets, or intervals, contain the truth, and how large they are; None where
            that is not known.
        decision: What the labels cost, keep of promises, and leave to a person; None where the decision knows nothing
            of these.
    """

    model_config = ConfigDict(extra="forbid")

    metrics: dict[str, Estimate]
    per_class: list[ClassScore] = []
    confusion: list[list[int]] = []
    curves: dict[str, Any] = {}
    cut_offs: tuple[CutOffCounts, ...] = ()
    classwise_calibration_error: Estimate | None = None
    most_probable: float | None = None
    decision: DecisionScore | None = None
    sets: SetScore | None = None
    intervals: IntervalScore | None = None


class ClassShift(BaseModel):
    """Whether the test rows of a class differ from its training rows (`evaluation.shift`).

    Attributes:
        label: The class; empty for all rows of a regression.
        p_value: Of the two-sample test, corrected over the classes.
        auc: How well a simple classifier tells the two apart: 0.5 is not at all, 1 always.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    p_value: float
    auc: float


class ExternalEffect(BaseModel):
    """Whether rows of other sources help: one recipe without and with them, on the same parts with the same seed.

    Attributes:
        recipe: Its name in reports.
        loss_without, loss_with: Held-out loss, the criterion of the search.
        difference: The mean paired difference; below 0 the rows help.
        low, high: Its 95 % interval over rows (groups).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    loss_without: float
    loss_with: float
    difference: float
    low: float
    high: float


class ExternalRows(BaseModel):
    """Rows of other sources in a run.

    Attributes:
        used: Whether the model learned from them.
        sources: What was found about each source, from the training rows of the first part.
        shift: Source -> whether its rows differ from the training rows, class by class.
        effect: Whether they help; None where no recipe was trained both ways.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    used: bool
    sources: tuple[SourceReport, ...]
    shift: dict[str, tuple[ClassShift, ...]] = {}
    effect: ExternalEffect | None = None


class SyntheticRows(BaseModel):
    """Rows of generators in a run.

    Attributes:
        used: Whether the model learned from them.
        verdicts: Of the gate on each generator, the used or best one first.
        effect: Whether they help; None where no recipe was trained both ways.
        page: Whether a page beside the report shows new rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    used: bool
    verdicts: tuple[GateVerdict, ...]
    effect: ExternalEffect | None = None
    page: bool = False


class StepsTaken(BaseModel):
    """How much of its planned training a network got.

    Attributes:
        steps: Optimizer steps (rounds of a reference) that were taken.
        full_steps: Those that its recipe allows without a limit of time or steps.
        epochs: Passes over the training rows that these are; None for a reference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int
    full_steps: int
    epochs: float | None = None


class Result(BaseModel):
    """The result of one run, written as `result.json`.

    Attributes:
        cut_off: For two classes, the probability of the positive class from which on it is the label.
        decision: What its labels serve and promise; None for regression.
        steps: How much of its planned training the recipe with the largest weight got; None if that is not known.
        shift: For given test rows, whether those of each class differ from its training rows; empty otherwise.
        external: Rows of other sources; None if there were none.
        synthesis: Rows of generators; None if none were tried.
        protocol: A sentence on how the training rows were split.
        test: Scores on the test rows; None for a run without test rows.
        validation: Scores on the out-of-fold or hold-out rows.
        history: One entry per evaluation while training: ``fold, step, learning_rate, train_loss, ...``.
        timings: Seconds of each part of the run.
        notes: Sentences that the user should read, in order.
        verdict: The main results in full sentences, the most important first; empty until the run is written.
        tried: The recipes that a search tried, the best first; empty without a search.
        search: The trials of a search as they finished; None without a search.
        seconds: Wall-clock time of the run.
        cost: What it took of processors, money and energy; None until the run is written.
        model, report: Where they were written; empty if they were not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    task: str
    name: str
    n_train: int
    n_test: int
    classes: list[str]
    class_counts: dict[str, int]
    positive: str | None = None
    metric: str
    cut_off: float | None = None
    decision: DecisionSummary | None = None
    steps: StepsTaken | None = None
    shift: tuple[ClassShift, ...] = ()
    external: ExternalRows | None = None
    synthesis: SyntheticRows | None = None
    protocol: str
    test: Scores | None
    validation: Scores | None
    history: list[dict[str, float]]
    timings: dict[str, float] = {}
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    search: SearchHistory | None = None
    seconds: float = 0.0
    cost: Cost | None = None
    model: str = ""
    report: str = ""

    def with_notes(self, *notes: str) -> Result:
        """The result with more sentences for the user."""
        return self.model_copy(update={"notes": (*self.notes, *notes)})

    def for_machines(self) -> dict[str, Any]:
        """The object that ``fit --json`` prints: a description of the data, and the scores on the test rows."""
        scores = self.test or self.validation
        assert scores is not None
        return {
            **self.model_dump(
                include={
                    "kind",
                    "task",
                    "n_train",
                    "n_test",
                    "classes",
                    "class_counts",
                    "positive",
                    "cut_off",
                    "decision",
                    "external",
                    "synthesis",
                    "seconds",
                    "cost",
                    "model",
                    "report",
                    "notes",
                    "verdict",
                }
            ),
            **scores_for_machines(scores),
        }

    def to_json(self) -> str:
        """The whole result as an indented document."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def scores_for_machines(scores: Scores) -> dict[str, Any]:
    """``metrics`` and ``per_class``, whose rows have the key `class`, for ``--json``."""
    rows = [{"class": row.label, **row.model_dump(exclude={"label"})} for row in scores.per_class]
    metrics = {name: estimate.model_dump() for name, estimate in scores.metrics.items()}
    more: dict[str, BaseModel | None] = {"classwise_calibration_error": scores.classwise_calibration_error}
    more |= {"decision_scores": scores.decision, "sets": scores.sets, "intervals": scores.intervals}
    known = {name: part.model_dump() for name, part in more.items() if part is not None}
    return {"metrics": metrics, "per_class": rows, **known}
