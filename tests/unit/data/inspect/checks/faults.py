"""Data sets with one fault each: the check that has to find it, a survey, a configuration, and what is told."""

import re
from collections.abc import Callable
from dataclasses import replace

from terrasweep.config.data import SplitConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.survey import IMAGE, Extreme, Extremes, Survey
from tests.unit.data.surveys import (
    SAMPLES,
    config,
    image,
    labels,
    survey,
    two_modalities,
    with_image,
    with_labels,
)


def oblong() -> Survey:
    def tiles(count: int) -> dict[str, object]:
        images = {IMAGE: image(count, shapes={"2x48x64": count})}
        return {"images": images, "labels": labels("segmentation", count, shapes={"48x64": count})}

    return survey(**{name: tiles(count) for name, count in SAMPLES.items()})


PIXELS = 40 * 64 * 64


BY_LISTS = SplitConfig(by="lists", train="train.txt", val="val.txt", test="test.txt")


EMPTY = {"samples": 0, "read": 0, "images": {}, "labels": labels("", 0)}


REGRESSION = {"minimum": -2.0, "maximum": 2.5, "mean": 0.1, "std": 0.9}


SPLITS = [
    ("empty-split", survey(train=EMPTY), config(), "data.root=/tiles: train has no samples"),
    ("empty-split", survey(val=EMPTY), config(), "data.root=/tiles: val has no samples"),
    (
        "empty-split",
        survey(val=EMPTY),
        config(data__split=SplitConfig(by="blocks", fractions=[0.9, 0.1, 0.0])),
        "data.split.fractions=[0.9, 0.1, 0.0]: val gets none of the 40 samples; raise its share, or lower "
        "data.split.block_tiles=2",
    ),
    ("empty-split", survey(), config(data__split=BY_LISTS), "data.split.test=test.txt: test has no samples"),
    (
        "neighbours",
        survey(test={"samples": 9, "read": 9}),
        config(data__cut=True, data__split=SplitConfig(by="fraction")),
        "data.split.by=fraction with data.cut=true: neighbouring tiles",
    ),
    (
        "neighbours",
        survey(test={"samples": 9, "read": 9}),
        config(data__cut="lazily", data__split=SplitConfig(by="fraction")),
        "data.split.by=fraction with data.cut=lazily: neighbouring tiles",
    ),
    ("empty-test", survey(), config(data__split=SplitConfig(by="fraction")), "test gets none of the 60 samples"),
    (
        "unreadable",
        survey(val={"read": 18, "unreadable": {"b.tif": "not a\nTIFF", "c.tif": "cut off"}}),
        config(),
        "2 samples of val can't be read, first b.tif: not a TIFF; mend",
    ),
    (
        "leak",
        survey(shared=[["train", f"{i}.tif", "val", f"{i + 9}.tif"] for i in range(5)]),
        config(),
        "5 images of train and val with the same pixels "
        "(train/0.tif = val/9.tif, train/1.tif = val/10.tif, train/2.tif = val/11.tif and 2 more)",
    ),
    (
        "leak-test",
        survey(test={"samples": 10}, shared=[["train", "a.tif", "test", "b.tif"]]),
        config(),
        "1 image of train and test with the same pixels (train/a.tif = test/b.tif)",
    ),
    (
        "small-train",
        survey(),
        config(train__batch_size=41),
        "train.batch_size=41: train has 40 samples only",
    ),
]


SHAPES = [
    (
        "shapes",
        with_image("train", shapes={"2x64x64": 39, "2x63x64": 1}),
        config(),
        "images have 2 shapes (2 x 64 x 64 in 59 samples, 2 x 63 x 64 in 1 sample), and a batch takes one; set "
        "data.resize_px",
    ),
    (
        "shapes",
        with_image("train", shapes={"2x64x64": 39, "3x64x64": 1}),
        config(data__resize_px=32),
        "give every file the same bands",
    ),
    (
        "shapes",
        with_image("train", shapes={"2x64x64": 39, "2x63x64": 1}),
        config(data__pixel_size=10),
        "set data.cut=lazily with data.tile_px, since data.resize_px would make pixels of two sizes again",
    ),
    (
        "resized-again",
        with_image("train", shapes={"2x64x64": 39, "2x32x32": 1}),
        replace(config(data__resize_px=64), data=replace(config().data, resize_px=64, pixel_size=10)),
        "data.resize_px=64 with data.pixel_size=10: images have 2 sizes (32 x 32, 64 x 64)",
    ),
    (
        "square",
        oblong(),
        config(),
        "tiles are 48 x 64 pixels",
    ),
    (
        "modality-sizes",
        survey(
            **{name: {"images": {"S2": image(n), "S1": image(n, shapes={"2x32x32": n})}} for name, n in SAMPLES.items()}
        ),
        two_modalities()[1],
        "modalities differ in pixels (S2 64 x 64, S1 32 x 32)",
    ),
    ("tile-size", survey(), config(data__tile_px=32), "data.tile_px=32: images have 64 x 64 pixels"),
    (
        "band-count",
        survey(),
        config(data__bands=["RED", "NIR", "SWIR"]),
        "data.bands=[RED, NIR, SWIR]: it names 3 bands, the files have 2",
    ),
]

IMAGES = [
    (
        "not-finite",
        with_image("val", not_finite=[0.25, 0.0], infinite=[0.25, 0.0], first_not_finite="b.tif"),
        config(data__no_data_replace=0.0),
        "pixels of val are infinite (25.0 % of a band; first in b.tif), and no setting replaces them",
    ),
    (
        "not-finite",
        with_image("val", not_finite=[0.0, 0.031], first_not_finite="q.tif"),
        config(),
        "pixels of val are NaN, infinite or no data (NIR 3.1 %; first in q.tif); fill them, or set "
        "data.no_data_replace=1700, the mean, or another value",
    ),
    (
        "mostly-no-data",
        with_image("train", not_finite=[0.6, 0.1]),
        config(data__no_data_replace=0.0),
        "data.no_data_replace=0: it stands for most of what train shows in RED 60.0 %",
    ),
    (
        "complex",
        survey(**{n: {"images": {"image": image(20, dtypes={"complex64": 20})}} for n in ("train", "val")}),
        config(),
        "complex numbers (complex64)",
    ),
    (
        "number-types",
        with_image("train", dtypes={"uint16": 30, "float32": 10}),
        config(),
        "2 number types (uint16 in 50 samples, float32 in 10 samples)",
    ),
    ("constant-band", with_image("train", stds=[300.0, 0.0]), config(), "NIR of train never change"),
    (
        "statistics",
        survey(),
        config(data__means=[0.1, 0.3], data__stds=[0.05, 0.1]),
        "data.means and stds: far off in 2 bands, first RED: given 0.1 and 0.05, measured 900 and 300, so that "
        "normalized values lie 17,998 stds from 0 and spread 6,000 instead of 1",
    ),
    (
        "statistics",
        survey(**{n: {"images": {"image": image(40, means=[0.1, 0.25], stds=[0.03, 0.07])}} for n in ("train", "val")}),
        config(data__means=[900.0, 2500.0], data__stds=[300.0, 700.0]),
        "measured 0.1 and 0.03",
    ),
    (
        "domain-shift",
        with_image("val", means=[1300.0, 2500.0]),
        config(),
        "means of val are more than 1 std of train away from train's (RED by +1.3 std)",
    ),
    (
        "in-memory",
        survey(train={"samples": 10**12}),
        config(),
        "data.in_memory=true: train and val take 61,035,156 GiB, and there is room for ",
    ),
]


def extremes(low: float = -2.0, high: float = 2.5, pixels: int = 4000) -> Extremes:
    """Of targets between -2 and 2.5, or of those and one value beyond them."""
    return Extremes(
        lowest=Extreme(value=low, pixels=pixels, beside=-2.0 if low < -2 else -1.9, first="a.tif"),
        highest=Extreme(value=high, pixels=pixels, beside=2.5 if high > 2.5 else 2.4, first="b.tif"),
        others=150_000,
        mean=0.1,
        std=0.9,
    )


NO_DATA = [
    (
        "undeclared-no-data",
        with_image("train", extremes=[extremes(), extremes(low=-9999.0)]),
        config(),
        "data.root=/tiles: 2.5 % of the pixels of train are -9999 (in NIR; first in a.tif), far from all others (the "
        "nearest is -2), and nothing marks it as no data: it would be learnt as a measurement; where it stands for "
        "nothing, set data.no_data=-9999 data.no_data_replace=0.162, and where it was measured, data.no_data=nan",
    ),
    (
        "undeclared-no-data-targets",
        with_labels("regression", "train", extremes=extremes(low=-9999.0), mean=-253.0, std=1580.0),
        config("regression", task__ignore_index=None),
        "data.root=/tiles: 2.5 % of the targets of train are -9999 (first in a.tif), far from all others (the nearest "
        "is -2): it would be learnt as a target; where it stands for nothing, set task.ignore_index=-9999",
    ),
    (
        "lone-value",
        with_image("val", extremes=[extremes(high=77.5), extremes()]),
        config(),
        "2.5 % of the pixels of val are 77.5 (in RED; first in b.tif), far from all others (the nearest is 2.5), and "
        "nothing marks it as no data: it may stand for nothing; where it stands for nothing, set data.no_data=77.5",
    ),
    (
        "lone-value-targets",
        with_labels("regression", "val", extremes=extremes(high=77.5)),
        config("regression", task__ignore_index=None),
        "2.5 % of the targets of val are 77.5 (first in b.tif), far from all others (the nearest is 2.5): it may stand",
    ),
]


LABELS = [
    ("no-labels", with_labels("segmentation", "val", counts={-1: 20}, counted=0), config(), "no label of val counts"),
    (
        "label-not-finite",
        with_labels("regression", "train", not_finite=3),
        config("regression"),
        "3 pixels of train with a label that is NaN or infinite",
    ),
    (
        "label-not-whole",
        with_labels("segmentation", "train", not_whole=1),
        config(),
        "1 pixel of train with a label that is no whole number",
    ),
    (
        "label-size",
        with_labels("segmentation", "train", shapes={"64x64": 38, "32x64": 2}),
        config(),
        "labels of 2 samples of train have 32 x 64 pixels, and images 64 x 64",
    ),
    (
        "mostly-ignored",
        with_labels("segmentation", "val", counts={-1: 9700, 0: 100, 1: 100, 2: 100}),
        config(),
        "task.ignore_index=-1: 97.0 % of the pixels of val are ignored",
    ),
    ("ignore-unused", survey(), config(task__ignore_index=255), "task.ignore_index=255: no pixel has this label"),
    (
        "constant-target",
        with_labels("regression", "train", minimum=7.5, maximum=7.5, mean=7.5, std=0.0),
        config("regression"),
        "every target of train is 7.5, so that there is nothing to learn",
    ),
    (
        "constant-target",
        with_labels("regression", "val", minimum=0.5, maximum=0.5, mean=0.5, std=0.0),
        config("regression"),
        "R² has no meaning",
    ),
    (
        "target-scale",
        survey(
            "regression",
            **{n: {"labels": labels("regression", 40, **REGRESSION | {"mean": 285.0})} for n in ("train", "val")},
        ),
        config("regression"),
        "targets of train have mean 285 and std 0.9",
    ),
    (
        "target-shift",
        with_labels("regression", "val", mean=1.9),
        config("regression"),
        "targets of val have mean 1.9, +2.0 std of train away from train's 0.1",
    ),
]


BALANCE = [
    (
        "class-rare",
        with_labels("segmentation", "train", counts={0: PIXELS // 2, 1: PIXELS // 2 - 1000, 2: 1000}),
        config(),
        "rare classes in train (2 (water) 0.61 % of the pixels; an even share is 33.3 %)",
    ),
    (
        "class-rarely-positive",
        survey(
            "multilabel",
            train={
                "samples": 400,
                "read": 400,
                "labels": labels("multilabel", 400, counts={0: 200, 1: 200, 2: 2}, counted=400),
            },
        ),
        config("multilabel"),
        "classes that few samples of train have (2 (water) 0.5 %)",
    ),
    (
        "class-always-positive",
        with_labels("multilabel", "train", counts={0: 20, 1: 40, 2: 10}),
        config("multilabel"),
        "1 class positive in every sample of train: 1 (crop)",
    ),
    (
        "class-weights",
        survey(),
        config(task__class_weights="auto"),
        "task.class_weights=auto: by the labels of train: 0 (bare) 0.7836, 1 (crop) 1.108, 2 (water) 1.108",
    ),
]

CLASSES = [
    (
        "class-many",
        survey(
            train={"labels": labels("segmentation", 40, counts=dict.fromkeys(range(90), 9))},
            num_classes=90,
            class_names=None,
        ),
        config(),
        "data.num_classes=null: masks of train have 90 labels from 0 to 89, as measured values",
    ),
    (
        "class-settings",
        survey(),
        config(task__class_weights=[1.0, 2.0]),
        "task.class_weights: it has 2 values for 3 classes",
    ),
    (
        "label-range",
        with_labels("segmentation", "train", counts={0: 9, 1: 9, 2: 9, 255: 5}, first_with={255: "odd.tif"}),
        config(),
        "data.num_classes=3: labels outside 0 to 2: 255 (first in train/odd.tif); set task.ignore_index=255 if it "
        "means no data, or raise data.num_classes to 256",
    ),
    (
        "label-range",
        with_labels("classification", "val", counts={0: 6, 1: 6, 2: 6, 3: 1, 4: 1}),
        config("classification"),
        "raise data.num_classes to 5, or mend the labels",
    ),
    (
        "class-gap",
        survey(
            train={"labels": labels("segmentation", 40, counts={0: 9, 1: 9, 255: 9}, first_with={255: "odd.tif"})},
            val={"labels": labels("segmentation", 20, counts={0: 9, 1: 9})},
            num_classes=256,
            class_names=None,
        ),
        config(),
        "by the largest label, 255 (first in train/odd.tif), there are 256 classes, but train has 3 of them; set "
        "task.ignore_index=255",
    ),
    (
        "single-class",
        survey(
            **{n: {"labels": labels("segmentation", 40, counts={0: 9, 1: 99}, counted=99)} for n in ("train", "val")},
            num_classes=2,
            class_names=None,
        ),
        config(task__ignore_index=0),
        "every label of train that counts is 1, so that there is nothing to learn",
    ),
    (
        "no-common-class",
        survey(
            train={"labels": labels("classification", 40, counts={0: 20, 1: 20})},
            val={"labels": labels("classification", 20, counts={2: 10, 3: 10})},
            num_classes=4,
            class_names=None,
        ),
        config("classification"),
        "val has none of train's classes (train: 0, 1; val: 2, 3)",
    ),
    (
        "single-class-val",
        with_labels("classification", "val", counts={2: 20}),
        config("classification"),
        "every label of val that counts is 2 (water)",
    ),
    (
        "class-not-in-train",
        with_labels("classification", "train", counts={0: 20, 1: 20}),
        config("classification"),
        "1 class of val never in train: 2 (water)",
    ),
    (
        "class-unused",
        survey("multilabel"),
        config("multilabel", data__num_classes=5),
        "data.num_classes=5: 2 classes never positive in train or val: 3, 4",
    ),
    (
        "class-unused",
        survey(
            **{n: {"labels": labels("segmentation", 40, counts={-1: 9, 1: 99, 2: 99}, no_data=[0.0])} for n in SAMPLES}
        ),
        config(),
        "data.num_classes=3: 1 class never in train or val: 0 (bare); the masks' headers mark 0 as no data, so that "
        "these pixels don't count: where they are a class, set data.labels.keep_no_data=true",
    ),
    (
        "single-class",
        survey(
            **{
                n: {"labels": labels("segmentation", 40, counts={-1: 9, 0: 99}, counted=99, no_data=[1.0])}
                for n in SAMPLES
            },
            num_classes=1,
            class_names=None,
        ),
        config(),
        "is 0, so that there is nothing to learn; the masks' headers mark 1 as no data",
    ),
    (
        "class-marked",
        survey(train={"labels": labels("segmentation", 40, no_data=[3.0])}),
        config(),
        "3 classes are in the masks; the masks' headers mark 3 as no data",
    ),
    (
        "class-order",
        replace(survey("classification"), class_names=["1", "10", "2"]),
        config("classification"),
        "classes are numbered 1, 10, 2, as an earlier version listed these data, so that its studies stay comparable; "
        "data.class_names=['1','2','10'] numbers them as they count",
    ),
]
FAULTS = [*SPLITS, *SHAPES, *IMAGES, *NO_DATA, *LABELS, *CLASSES, *BALANCE]


def assert_found_alone(rule: str, seen: Survey, given: TrialConfig, told: str) -> None:
    """The fault gives its own finding and no other, on one line that ends with a way out."""
    findings = find_problems(seen, given)
    assert [finding.rule for finding in findings] == [rule], findings
    line = findings[0].line
    assert told in line
    assert "\n" not in line
    assert re.search(r"[;:] [^;:]+$", line), "a way out"


def found_at(limit: float, made: Callable[[float], Survey], given: TrialConfig) -> dict[float, list[str]]:
    """Names of what is found a little below a limit and a little above it."""
    return {side: [f.rule for f in find_problems(made(limit * side), given)] for side in (0.98, 1.02)}
