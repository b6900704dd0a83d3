"""Surveys of small data sets without a fault, to be changed in one place, and configurations that fit them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.schema import TaskConfig, TrialConfig
from terrasweep.config.train import TrainConfig
from terrasweep.data.inspect.survey import IMAGE, ImageSurvey, LabelSurvey, SplitSurvey, Survey

BANDS = ["RED", "NIR"]
CLASSES = ["bare", "crop", "water"]
SAMPLES = {"train": 40, "val": 20}


def image(samples: int, **changes: Any) -> ImageSurvey:
    fields: dict[str, Any] = {
        "shapes": {"2x64x64": samples},
        "dtypes": {"uint16": samples},
        "means": [900.0, 2500.0],
        "stds": [300.0, 700.0],
        "minima": [10.0, 30.0],
        "maxima": [4000.0, 6000.0],
        "not_finite": [0.0, 0.0],
    }
    return ImageSurvey(**fields | changes)


def labels(task: str, samples: int, **changes: Any) -> LabelSurvey:
    pixels = samples * 64 * 64
    counts = {
        "segmentation": {0: pixels // 2, 1: pixels // 4, 2: pixels // 4},
        "classification": {0: samples // 2, 1: samples // 4, 2: samples // 4},
        "multilabel": {0: samples // 2, 1: samples // 2, 2: samples // 4},
    }.get(task, {})
    fields: dict[str, Any] = {
        "counts": counts,
        "first_with": {label: f"{label}.tif" for label in counts},
        "shapes": {
            {"segmentation": "64x64", "regression": "64x64", "multilabel": "3"}.get(task, ""): samples,
        },
        "counted": pixels if task in ("segmentation", "regression") else samples,
    }
    if task == "regression":
        fields |= {"minimum": -2.0, "maximum": 2.5, "mean": 0.1, "std": 0.9}
    return LabelSurvey(**fields | changes)


def split(task: str, count: int, **changes: Any) -> SplitSurvey:
    fields: dict[str, Any] = {
        "samples": count,
        "read": count,
        "images": {IMAGE: image(count)},
        "labels": labels(task, count),
    }
    return SplitSurvey(**fields | changes)


def survey(task: str = "segmentation", /, **changes: Any) -> Survey:
    """A clean survey; a change of one of its splits is given as ``train={...}``, a field of :func:`split`."""
    splits = {name: split(task, samples, **changes.pop(name, {})) for name, samples in SAMPLES.items()}
    if test := changes.pop("test", None):
        splits["test"] = split(task, 10, **test)
    regression = task == "regression"
    fields: dict[str, Any] = {
        "splits": splits,
        "bands": {IMAGE: BANDS},
        "class_names": None if regression else CLASSES,
        "num_classes": None if regression else len(CLASSES),
        "tile_px": 64,
    }
    return Survey(**fields | changes)


def config(task: str = "segmentation", **changes: Any) -> TrialConfig:
    """A configuration that fits; changes by dotted key with ``__`` for the dot: ``data__bands=[...]``."""
    fitting = TrialConfig(
        task=TaskConfig(name=task),
        data=DataConfig(name=f"{task}_folder", root="/tiles"),
        train=TrainConfig(batch_size=8),
    )
    for key, value in changes.items():
        section, name = key.split("__")
        fitting = replace(fitting, **{section: replace(getattr(fitting, section), **{name: value})})
    return fitting


def with_labels(task: str, name: str, **changes: Any) -> Survey:
    """A survey whose labels in one split are changed."""
    return survey(task, **{name: {"labels": labels(task, SAMPLES[name], **changes)}})


def with_image(name: str, **changes: Any) -> Survey:
    """A survey whose images in one split are changed."""
    return survey(**{name: {"images": {IMAGE: image(SAMPLES[name], **changes)}}})


def two_modalities(**changes: Any) -> tuple[Survey, TrialConfig]:
    """Optical and radar images; the radar's in train are changed."""
    splits = {
        name: {"images": {"S2": image(n), "S1": image(n, **(changes if name == "train" else {}))}}
        for name, n in SAMPLES.items()
    }
    modalities = {
        "S2": ModalityConfig(folder="s2", bands=BANDS),
        "S1": ModalityConfig(folder="s1", bands=["VV", "VH"]),
    }
    return survey(bands={"S2": BANDS, "S1": ["VV", "VH"]}, **splits), config(data__modalities=modalities)
