"""TerraTorch's tasks as a trial runs them: what each kind lacks, and the task around a built model."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from terratorch.tasks import (
    ClassificationTask,
    MultiLabelClassificationTask,
    PixelwiseRegressionTask,
    SemanticSegmentationTask,
)

from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.split_data import OpenData
from terrasweep.models.assemble import BuiltModel
from terrasweep.results.errors import InvalidConfig
from terrasweep.training.length import training_steps
from terrasweep.training.losses_and_metrics import (
    NOTHING_IGNORED,
    LabelCrossEntropy,
    MeanAveragePrecision,
    RootMeanSquare,
)
from terrasweep.training.measured_task import MeasuredTask

TASKS: dict[str, type[pl.LightningModule]] = {
    "segmentation": SemanticSegmentationTask,
    "classification": ClassificationTask,
    "multilabel": MultiLabelClassificationTask,
    "regression": PixelwiseRegressionTask,
}


class MeasuredSegmentation(MeasuredTask):
    """Of a class that is neither labelled nor predicted there is no IoU; TerraTorch's would be 0."""

    def configure_metrics(self) -> None:
        """TerraTorch's metrics."""
        super().configure_metrics()
        self.val_metrics["IoU"].metric.zero_division = float("nan")  # type: ignore[attr-defined]


class MeasuredMultilabel(MeasuredTask):
    """With the mean average precision, and a cross-entropy that knows class weights and ignored labels."""

    def configure_metrics(self) -> None:
        """TerraTorch's metrics, and ``mAP``."""
        super().configure_metrics()
        parameters = self.hparams  # type: ignore[attr-defined]
        labels, ignored = parameters["model_args"]["num_classes"], parameters["ignore_index"]
        precision = MeanAveragePrecision(num_labels=labels, average=None, ignore_index=ignored)
        self.val_metrics.add_metrics({"mAP": precision})  # type: ignore[attr-defined]

    def configure_losses(self) -> None:
        """TerraTorch's losses, but for ``bce``."""
        parameters = self.hparams  # type: ignore[attr-defined]
        if parameters["loss"] == "bce":
            self.criterion = LabelCrossEntropy(parameters["class_weights"], parameters["ignore_index"])
        else:
            super().configure_losses()


class MeasuredRegression(MeasuredTask):
    """With the root of the mean squared error as ``rmse``."""

    def configure_losses(self) -> None:
        """TerraTorch's losses; of its ``rmse`` it would take the root twice."""
        super().configure_losses()
        parameters = self.hparams  # type: ignore[attr-defined]
        if parameters["loss"] == "rmse":
            self.criterion = RootMeanSquare(parameters["ignore_index"])


_MEASURED: dict[str, type[MeasuredTask]] = {
    "segmentation": MeasuredSegmentation,
    "multilabel": MeasuredMultilabel,
    "regression": MeasuredRegression,
}


def measured_task(config: TrialConfig, steps: int = 0) -> type[Any]:
    """The class that trains and evaluates a trial: TerraTorch's, behind what a trial adds to it.

    Args:
        config: The trial.
        steps: Optimizer steps in all; a task that only evaluates needs none.
    """
    base = TASKS[config.task.name]
    before = _MEASURED.get(config.task.name, MeasuredTask)
    return type(f"Measured{base.__name__}", (before, base), {"trial": config, "steps": steps})


def build_task(config: TrialConfig, model: BuiltModel, data: OpenData) -> Any:
    """TerraTorch's task around a built model.

    Raises:
        InvalidConfig: There is one class alone, or there are not as many class weights as classes.
    """
    task, weights = config.task.name, config.task.class_weights
    if data.num_classes < 2 and task != "regression":
        raise InvalidConfig(f"task={task}: the data have one class, and there is nothing to tell apart")
    if weights is not None and len(weights) != data.num_classes:
        raise InvalidConfig(
            f"task.class_weights has {len(weights)} values, and the data have {data.num_classes} classes; "
            "give one weight per class"
        )
    arguments = {"model_args": {"num_classes": data.num_classes}, **task_arguments(config, data)}
    return measured_task(config, training_steps(config, data))(model=model.module, **arguments)


def task_arguments(config: TrialConfig, data: OpenData) -> dict[str, Any]:
    """The arguments of TerraTorch's task beside its model, as plain values."""
    task = config.task
    ignored = NOTHING_IGNORED if task.loss in ("ce", "dice_ce") and task.ignore_index is None else task.ignore_index
    arguments: dict[str, Any] = {"loss": task.loss, "ignore_index": ignored, "plot_on_val": False}
    if task.name != "regression":
        arguments |= {"class_weights": task.class_weights, "class_names": data.class_names}
    return arguments
