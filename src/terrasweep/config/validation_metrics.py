"""Which validation metrics each task logs, so that one can be an objective. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrasweep.config.schema import TrialConfig
from terrasweep.measure.accuracy import ACCURACY, METRIC_PREFIX
from terrasweep.measure.catalog import MEASUREMENTS, NUMERIC_MEASUREMENTS, POSSIBLE_OBJECTIVES
from terrasweep.results.wording import nearest


@dataclass(frozen=True, kw_only=True)
class ValidationMetrics:
    """The metrics of a task, by TerraTorch's names."""

    overall: tuple[str, ...]
    """One number each."""
    per_class: tuple[str, ...] = ()
    """One number per class: ``IoU`` gives ``IoU_water``, or ``IoU_1`` where classes have no names."""


VALIDATION_METRICS: dict[str, ValidationMetrics] = {
    "segmentation": ValidationMetrics(
        overall=("loss", "mIoU", "mIoU_Micro", "F1_Score", "Accuracy", "Pixel_Accuracy", "Boundary_mIoU"),
        per_class=("IoU", "Class_Accuracy"),
    ),
    "classification": ValidationMetrics(
        overall=("loss", "Accuracy", "Accuracy_Micro", "F1_Score", "Precision", "Recall"),
        per_class=("Class_Accuracy", "Class_F1"),
    ),
    "multilabel": ValidationMetrics(
        overall=(
            *("loss", "mAP", "Multilabel_Accuracy", "Multilabel_Accuracy_Micro", "Multilabel_F1_Score"),
            *("Multilabel_Precision", "Multilabel_Recall", "Multilabel_AUROC"),
        ),
        per_class=("Class_Accuracy", "Class_F1"),
    ),
    "regression": ValidationMetrics(overall=("loss", "RMSE", "MSE", "MAE", "R2_Score")),
}
"""Task to its metrics: TerraTorch's, and what :mod:`terrasweep.training.tasks` adds."""


def find_unknown_objectives(config: TrialConfig, classes: Sequence[str]) -> Iterator[str]:
    """One line per objective that no trial of this task measures.

    Args:
        config: With the objectives and the task.
        classes: Names of the classes, or their numbers; empty where nobody knows them yet, and then any class will do.
    """
    metrics = VALIDATION_METRICS.get(config.task.name, ValidationMetrics(overall=()))
    known = [f"{METRIC_PREFIX}{name}" for name in metrics.overall if name != config.task.accuracy]
    known += [f"{METRIC_PREFIX}{name}_{label}" for name in metrics.per_class for label in classes]
    any_class = () if classes else tuple(f"{METRIC_PREFIX}{name}_" for name in metrics.per_class)
    for name in (objective.name for objective in config.study.objectives):
        if name == f"{METRIC_PREFIX}{config.task.accuracy}":
            yield f"study.objectives: {name!r} is what task={config.task.name} calls its accuracy; use {ACCURACY.name}"
        elif name in MEASUREMENTS and (measured := MEASUREMENTS[name].predicts):
            yield f"study.objectives: {name!r} is predicted, and not measured; use {measured}"
        elif name in NUMERIC_MEASUREMENTS and name not in POSSIBLE_OBJECTIVES:
            yield f"study.objectives: {name!r} is measured after the search, and can't guide it; use {ACCURACY.name}"
        elif name not in (*POSSIBLE_OBJECTIVES, *known) and not (any_class and name.startswith(any_class)):
            # A metric's neighbours are metrics: their prefix alone makes two of them alike.
            names = known if name.startswith(METRIC_PREFIX) else POSSIBLE_OBJECTIVES
            yield f"study.objectives: unknown objective {name!r}; {nearest(name, names)}"


def validation_metrics_table() -> str:
    """What each task's trials log, as a Markdown table of objectives' names."""

    def cell(names: Sequence[str], ending: str = "") -> str:
        return ", ".join(f"`{METRIC_PREFIX}{name}{ending}`" for name in names)

    rows = [
        f"| `{task}` | {cell(metrics.overall)} | {cell(metrics.per_class, '_CLASS')} |"
        for task, metrics in VALIDATION_METRICS.items()
    ]
    return "\n".join(["| `task=` | overall | per class |", "| --- | --- | --- |", *rows])
