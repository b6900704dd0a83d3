"""The child's side of an export: a trial's model as plain TerraTorch, checked against the model it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from torch import nn

from terrasweep import terratorch_backbones
from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.losses import in_terratorch
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.open import public
from terrasweep.data.open.exported_datamodule import augmentation_left_out, exported_arguments, refuse_dates_apart
from terrasweep.data.open.folders import datamodule_arguments, open_data
from terrasweep.data.open.split_data import OpenData
from terrasweep.export.parent import CHECKPOINT, CONFIG
from terrasweep.machine.arithmetic import set_arithmetic
from terrasweep.machine.paths import WEIGHTS
from terrasweep.measure.accuracy import METRIC_PREFIX
from terrasweep.models.backbones.feature_layout import Layout
from terrasweep.models.backbones.prepared import OWN
from terrasweep.models.factory_arguments import model_arguments
from terrasweep.models.trained_weights import ADAPTER, restore
from terrasweep.models.transforms.merge import merge
from terrasweep.process.child import Report
from terrasweep.results.errors import Crashed
from terrasweep.results.wording import significant
from terrasweep.training.length import training_steps
from terrasweep.training.tasks import TASKS, measured_task, task_arguments
from terrasweep.trial.evaluate_in_child import as_evaluated, evaluated_accuracy, evaluation_device

TOLERANCE = 1e-3
"""Relative L2 difference of the outputs, in 32-bit arithmetic, above which an export is wrong. Rounding makes 1e-6 in
four blocks. int8 layers also round their inputs, which the exported ones do not: their difference is only said."""
_HEADER = """\
# The model of {title} as plain TerraTorch; weights.ckpt beside this file holds its weights.
# The paths below are absolute: change them where the tiles or this folder move.
"""


def write_exported(report: Report, config: TrialConfig, trial: Path, draft: Path, final: Path, title: str) -> None:
    """Write a trial's model as ``config.yaml`` and ``weights.ckpt``, which the ``terratorch`` command runs.

    Reports ``difference``, the relative L2 difference of its outputs on a validation batch from those of the trial's
    model, both in 32-bit arithmetic, and ``accuracy``, its own on the validation split in ``precision``: that of the
    trial, but for fp16 on a CPU.

    Args:
        report: Takes both.
        config: The trial's configuration.
        trial: The folder with its weights.
        draft: Takes the files.
        final: Where they will be; the configuration says so.
        title: What the configuration says that it is.

    Raises:
        TerrasweepError: Data or weights are not what they were, or the outputs differ.
    """
    pl.seed_everything(config.train.seed, verbose=False)
    device = evaluation_device(config)
    data = open_data(config)
    refuse_dates_apart(config, next(iter(data.module.val_dataloader()))["image"])
    images = data.validation_batch(device)["image"]
    set_arithmetic("highest")
    restored = restore(trial, _in_32_bits(config), device)
    model: Any = restored.module
    expected = _outputs(model, images)
    adapter = trial / WEIGHTS / ADAPTER
    merge(model.encoder, adapter if adapter.is_dir() else None, restored.touched.get("split", []))
    text = yaml.safe_dump(settings(config, data, restored.layout, final), sort_keys=False, width=120)
    task = _plain_task(config, yaml.safe_load(text)["model"], model.state_dict()).to(device)
    _compare(report, config, expected, _outputs(task.model, images))
    evaluated = as_evaluated(config, device)
    report(precision=evaluated.precision.name)
    set_arithmetic(evaluated.precision.matmul)
    accuracy, _ = evaluated_accuracy(evaluated, restored, task, data, device, METRIC_PREFIX)
    report(accuracy=accuracy)
    (draft / CONFIG).write_text(_header(config, title) + text)
    torch.save(_checkpoint(task, training_steps(config, data)), draft / CHECKPOINT)


def _header(config: TrialConfig, title: str) -> str:
    left_out = filter(None, (in_terratorch(config.task).left_out, augmentation_left_out(config)))
    return "".join([_HEADER.format(title=title), *(f"# {line}\n" for line in left_out)])


def settings(config: TrialConfig, data: OpenData, layout: Layout, final: Path) -> dict[str, Any]:
    """TerraTorch's configuration of a trial: what Lightning's command line takes, as plain values.

    Args:
        config: The trial.
        data: Its data.
        layout: Of its backbone's features.
        final: The folder that the configuration will lie in.
    """
    arguments = model_arguments(config, data.num_classes, layout)
    # All weights come from the checkpoint.
    model = {"model_factory": "EncoderDecoderFactory", "model_args": arguments | {"backbone_pretrained": False}}
    own = (
        {"custom_modules_path": str(Path(terratorch_backbones.__file__).parent)} if config.backbone.name in OWN else {}
    )
    return {
        "seed_everything": config.train.seed,
        "trainer": {
            "accelerator": "auto",
            "devices": 1,
            "precision": config.precision.lightning,
            "logger": False,
            "enable_checkpointing": False,
            "default_root_dir": str(final),
        },
        "model": {
            "class_path": f"terratorch.tasks.{TASKS[config.task.name].__name__}",
            "init_args": model | task_arguments(config, data) | _loss_arguments(config),
        },
        "data": _datamodule(config, data),
        # TerraTorch would copy the configuration to where it is run.
        "deploy_config_file": False,
        **own,
    }


def _loss_arguments(config: TrialConfig) -> dict[str, Any]:
    """Those by which TerraTorch's own task has another loss than the trial, or the same by another name."""
    said = in_terratorch(config.task)
    weights = {} if config.task.name == "regression" else {"class_weights": said.class_weights}
    return {"loss": said.loss, **weights}


def _datamodule(config: TrialConfig, data: OpenData) -> dict[str, Any]:
    """The datamodule and its arguments; without test tiles the validation split is tested and predicted."""
    if config.data.datamodule is not None:
        return {"class_path": config.data.datamodule, "init_args": public.built_with(config)}
    arguments = exported_arguments(datamodule_arguments(config, data.num_classes, stored.read_listing(config)), config)
    if "test_split" not in arguments:
        arguments |= {k.replace("val_", "test_", 1): v for k, v in arguments.items() if k.startswith("val_")}
    arguments |= {"num_workers": config.data.workers, "predict_data_root": _predicted(config, arguments)}
    return {"class_path": "terratorch.datamodules.GenericMultiModalDataModule", "init_args": arguments}


def _predicted(config: TrialConfig, arguments: dict[str, Any]) -> dict[str, str]:
    """The folders of images to predict. TerraTorch looks into no folders below: of class folders it is the first."""
    names = Path(arguments["test_split"]).read_text().split("\n")
    below = Path(names[0]).parent if config.task.name == "classification" else ""
    return {modality: str(Path(root) / below) for modality, root in arguments["test_data_root"].items()}


def _plain_task(config: TrialConfig, section: dict[str, Any], state: dict[str, torch.Tensor]) -> Any:
    """The task that TerraTorch makes of the written configuration, with the weights in it; each name has to fit.

    It is that task behind what a trial adds to it, since TerraTorch alone has not every metric.
    """
    task = measured_task(replace(config, offload=OffloadConfig(name="none")))(**section["init_args"])
    task.model.load_state_dict(state)
    return task.eval()


def _in_32_bits(config: TrialConfig) -> TrialConfig:
    return replace(config, quantization=replace(config.quantization, compute_dtype="fp32"))


@torch.no_grad()
def _outputs(model: nn.Module, images: torch.Tensor | dict[str, torch.Tensor]) -> torch.Tensor:
    outputs: torch.Tensor = model(images).output.float()
    return outputs


def _compare(report: Report, config: TrialConfig, expected: torch.Tensor, actual: torch.Tensor) -> None:
    difference = float((actual - expected).norm() / expected.norm())
    report(difference=difference)
    if not difference <= TOLERANCE and config.quantization.name != "int8":
        raise Crashed(
            f"the exported model's outputs differ from the trial's by {significant(difference, 2)} (relative), "
            f"more than {TOLERANCE:g}; this is a defect of terrasweep, please report it"
        )


def _checkpoint(task: pl.LightningModule, steps: int) -> dict[str, Any]:
    """What Lightning loads for an evaluation."""
    return {
        "state_dict": {name: tensor.cpu() for name, tensor in task.state_dict().items()},
        "pytorch-lightning_version": pl.__version__,
        "epoch": 0,
        "global_step": steps,
    }
