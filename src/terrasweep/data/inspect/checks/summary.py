"""What a person wants to know about a data set at a glance, as plain values for strict JSON. Imports no torch."""

from __future__ import annotations

import math
from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.data.inspect.checks.case import Case, numbers_in, shapes_of
from terrasweep.data.inspect.survey import Survey


def summarize(survey: Survey, config: TrialConfig) -> dict[str, Any]:
    """The data set in numbers.

    Returns:
        ``place`` and ``task``; ``splits``: name, samples, how many were read, labels that count and the share of those
        that do not; ``images``, per modality: bands, dates, sizes in pixels and number types with their numbers of
        samples, and per band the mean and standard deviation that are given and those of each split; ``classes``:
        label, name and share per split (of the labels that count; for several labels per sample, of the samples);
        ``targets``, for regression: minimum, maximum, mean and standard deviation per split. What is not known is None.
    """
    case = Case(survey, config)
    return {
        "place": case.place,
        "task": case.task,
        "splits": [_split(case, name) for name in survey.splits],
        "images": [_images(case, modality) for modality in case.modalities],
        "classes": [] if case.task == "regression" else _classes(case),
        "targets": _targets(case) if case.task == "regression" else {},
    }


def _split(case: Case, name: str) -> dict[str, Any]:
    seen = case.split(name)
    total = sum(seen.labels.counts.values())
    ignored = seen.labels.counts.get(case.config.task.ignore_index, 0) if case.task == "segmentation" else 0  # type: ignore[arg-type]
    return {
        "name": name,
        "samples": seen.samples,
        "read": seen.read,
        "unreadable": len(seen.unreadable),
        "labels": seen.labels.counted,
        "ignored": ignored / total if total else 0.0,
    }


def _images(case: Case, modality: str) -> dict[str, Any]:
    sizes: dict[str, int] = {}
    for shape, count in shapes_of(case, modality).most_common():
        size = " x ".join(map(str, numbers_in(shape)[-2:]))
        sizes[size] = sizes.get(size, 0) + count
    dtypes: dict[str, int] = {}
    for _, image in case.images(modality):
        for dtype, count in image.dtypes.items():
            dtypes[dtype] = dtypes.get(dtype, 0) + count
    dates = case.config.data.frames_of(modality)
    return {"modality": modality, "sizes": sizes, "dates": dates, "dtypes": dtypes, "bands": _bands(case, modality)}


def _bands(case: Case, modality: str) -> list[dict[str, Any]]:
    images = dict(case.images(modality))
    number = max((len(image.means) for image in images.values()), default=0)
    given = case.given_statistics(modality)
    return [
        {
            "name": name,
            "given": _pair(given, place) if given else None,
            "seen": {split: _pair((image.means, image.stds), place) for split, image in images.items()},
            "not_finite": {s: i.not_finite[place] for s, i in images.items() if place < len(i.not_finite)},
        }
        for place, name in enumerate(case.band_names(modality, number))
    ]


def _pair(statistics: tuple[list[float], list[float]], place: int) -> list[float] | None:
    """Mean and standard deviation of a band; None where it has none."""
    values = [column[place] for column in statistics if place < len(column)]
    return values if len(values) == 2 and all(map(math.isfinite, values)) else None


def _classes(case: Case) -> list[dict[str, Any]]:
    counts = {name: case.class_counts(name) for name in case.survey.splits}
    names = case.config.data.class_names or case.survey.class_names or []
    seen = {label for found in counts.values() for label in found}
    labels = range(case.num_classes) if case.num_classes is not None else sorted(seen)
    return [
        {
            "label": label,
            "name": names[label] if label < len(names) else "",
            "shares": {split: _share(case, split, found, label) for split, found in counts.items()},
        }
        for label in labels
        if label != case.config.task.ignore_index
    ]


def _share(case: Case, split: str, counts: dict[int, int], label: int) -> float | None:
    whole = case.split(split).read if case.task == "multilabel" else sum(counts.values())
    return counts.get(label, 0) / whole if whole else None


def _targets(case: Case) -> dict[str, Any]:
    fields = ("minimum", "maximum", "mean", "std")
    return {
        name: {field: getattr(split.labels, field) for field in fields} for name, split in case.survey.splits.items()
    }
