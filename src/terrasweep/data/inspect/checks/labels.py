"""Checks of the labels: those of every task, and those of regression targets. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.data.find.sample_list import PIXEL_TASKS
from terrasweep.data.inspect.checks.case import ERROR, WARNING, Case, Check, numbers_in, shape_text
from terrasweep.data.inspect.checks.no_data import spoils_targets
from terrasweep.results.wording import counted, listed, percent, rounded

MOSTLY_IGNORED = 0.9
"""Share of ignored pixels in a split from which on a warning is given."""
TARGET_SPREAD = (0.1, 10.0)
"""Standard deviations of regression targets that a loss and a learning rate of common size go with."""
TARGET_MEAN = 10.0
"""Largest such mean."""
TARGET_SHIFT = 1.0
"""Distance between the targets' means in train and val, in train's standard deviations, that is too far."""


def _none(case: Case) -> Iterator[str]:
    for split, seen in case.survey.splits.items():
        if case.has_images(split) and seen.labels.counted == 0:
            ignored = case.config.task.ignore_index
            reason = f"all of them are task.ignore_index={ignored}" if ignored is not None else "there are none"
            yield (
                f"{case.place}: no label of {split} counts{case.partly(split)}, {reason}; correct the labels or "
                "task.ignore_index"
            )


def _not_finite(case: Case) -> Iterator[str]:
    for split, seen in case.survey.splits.items():
        if seen.labels.not_finite:
            yield (
                f"{case.place}: {case.amount(seen.labels.not_finite)} of {split} with a label that is NaN or infinite; "
                "write numbers there, or a value that task.ignore_index names"
            )


def _not_whole(case: Case) -> Iterator[str]:
    for split, seen in case.survey.splits.items():
        if seen.labels.not_whole:
            yield (
                f"{case.place}: {case.amount(seen.labels.not_whole)} of {split} with a label that is no whole number, "
                f"and task={case.task} has numbered classes; mend the labels, or use task=regression"
            )


def _sizes(case: Case) -> Iterator[str]:
    if case.task not in PIXEL_TASKS or not case.modalities or case.config.data.resize_px is not None:
        return
    for split, seen in case.survey.splits.items():
        image = seen.images.get(case.modalities[0])
        sizes = {numbers_in(shape)[-2:] for shape in image.shapes} if image else set()
        others = [shape for shape in seen.labels.shapes if numbers_in(shape)[-2:] not in sizes]
        if sizes and others:
            of_images = listed(" x ".join(map(str, size)) for size in sorted(sizes))
            found = listed(shape_text(shape) for shape in others)
            samples = counted(sum(seen.labels.shapes[shape] for shape in others), "sample")
            yield (
                f"{case.place}: labels of {samples} of {split} have {found} pixels, and images {of_images}; give each "
                "image a label of its own size, or set data.resize_px"
            )


def _mostly_ignored(case: Case) -> Iterator[str]:
    ignored = case.config.task.ignore_index
    if case.task != "segmentation" or ignored is None:
        return
    for split, seen in case.survey.splits.items():
        total = sum(seen.labels.counts.values())
        share = seen.labels.counts.get(ignored, 0) / total if total else 0.0
        if MOSTLY_IGNORED < share < 1:
            yield (
                f"task.ignore_index={ignored}: {percent(share)} of the pixels of {split} are ignored, so that few "
                "teach or count; leave out tiles without labels, or see that this label means no data"
            )


def _ignore_unused(case: Case) -> Iterator[str]:
    ignored = case.config.task.ignore_index
    if case.task != "segmentation" or ignored is None or ignored == -1:  # -1 is the default, and asks for nothing.
        return
    if not any(ignored in seen.labels.counts for seen in case.survey.splits.values()):
        yield (
            f"task.ignore_index={ignored}: no pixel has this label{case.partly('train')}; correct it, or drop it where "
            "every label counts"
        )


def _constant_target(case: Case) -> Iterator[str]:
    for split in ("train", "val"):
        labels = case.split(split).labels
        if case.task == "regression" and labels.minimum is not None and labels.minimum == labels.maximum:
            reason = "there is nothing to learn" if split == "train" else "R² has no meaning"
            yield (
                f"{case.place}: every target of {split} is {rounded(labels.minimum)}{case.partly(split)}, so that "
                f"{reason}; correct the targets"
            )


def _target_scale(case: Case) -> Iterator[str]:
    labels = case.split("train").labels
    mean, std = labels.mean, labels.std
    if case.task != "regression" or mean is None or not std or spoils_targets(case):
        return
    if abs(mean) > TARGET_MEAN or not TARGET_SPREAD[0] <= std <= TARGET_SPREAD[1]:
        yield (
            f"{case.place}: targets of train have mean {rounded(mean)} and std {rounded(std)}, far from 0 and 1, so "
            f"that the loss is of another size than train.lr={case.config.train.lr:g} expects; write them as (target - "
            f"{rounded(mean)}) / {rounded(std)}, or adapt train.lr"
        )


def _target_shift(case: Case) -> Iterator[str]:
    train, val = case.split("train").labels, case.split("val").labels
    if case.task != "regression" or train.mean is None or val.mean is None or not train.std or spoils_targets(case):
        return
    shift = (val.mean - train.mean) / train.std
    if abs(shift) > TARGET_SHIFT:
        yield (
            f"{case.place}: targets of val have mean {rounded(val.mean)}, {shift:+.1f} std of train away from train's "
            f"{rounded(train.mean)}; see that both splits have all kinds"
        )


LABEL_CHECKS = (
    Check("no-labels", ERROR, _none),
    Check("label-not-finite", ERROR, _not_finite),
    Check("label-not-whole", ERROR, _not_whole),
    Check("label-size", ERROR, _sizes),
    Check("mostly-ignored", WARNING, _mostly_ignored),
    Check("ignore-unused", WARNING, _ignore_unused),
)
TARGET_CHECKS = (
    Check("constant-target", ERROR, _constant_target),
    Check("target-scale", WARNING, _target_scale),
    Check("target-shift", WARNING, _target_shift),
)
