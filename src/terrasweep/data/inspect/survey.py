"""What was seen of a data set: plain numbers, which the checks judge and the statistics come from. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

IMAGE = "image"
"""Name of the only modality of a data set with one image per sample."""


@dataclass(frozen=True, kw_only=True)
class Extreme:
    """The lowest or the highest of many numbers."""

    value: float
    pixels: int
    """How many have exactly this value."""
    beside: float | None
    """The value next to it; None where there is no other."""
    first: str
    """The first sample that has it."""


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """Both ends of many numbers, and what all those between them are like."""

    lowest: Extreme
    highest: Extreme
    others: int
    """Numbers that are neither the lowest nor the highest value."""
    mean: float
    """Of the others, as is the following; 0 where there are none."""
    std: float


@dataclass(frozen=True, kw_only=True)
class ImageSurvey:
    """One modality in one split, over the samples that were read. Pixels that are not finite count in shares alone."""

    shapes: dict[str, int] = field(default_factory=dict)
    """``bands x height x width`` to the number of samples."""
    dtypes: dict[str, int] = field(default_factory=dict)
    means: list[float] = field(default_factory=list)
    """Per band, in the files' units, as are the next three."""
    stds: list[float] = field(default_factory=list)
    minima: list[float] = field(default_factory=list)
    maxima: list[float] = field(default_factory=list)
    not_finite: list[float] = field(default_factory=list)
    """Per band, the share of pixels that are NaN, infinite or marked as no data."""
    infinite: list[float] = field(default_factory=list)
    """Per band, the share of pixels that are infinite, which nothing replaces."""
    first_not_finite: str | None = None
    """The first sample with such a pixel."""
    extremes: list[Extremes | None] = field(default_factory=list)
    """Per band, of the finite pixels; None where there are none. Empty in surveys from before it was counted."""


@dataclass(frozen=True, kw_only=True)
class LabelSurvey:
    """The labels of one split, over the samples that were read."""

    counts: dict[int, int] = field(default_factory=dict)
    """Label to pixels (segmentation), samples (classification) or positive samples (multilabel, by class number)."""
    first_with: dict[int, str] = field(default_factory=dict)
    """Label to the first sample that has it."""
    shapes: dict[str, int] = field(default_factory=dict)
    minimum: float | None = None
    """Of regression targets without the ignored ones, as are the next three."""
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    counted: int = 0
    """Labels that count: pixels, or values of samples."""
    not_finite: int = 0
    """Labels that are NaN or infinite."""
    not_whole: int = 0
    """Labels of classes that are no whole numbers."""
    extremes: Extremes | None = None
    """Of regression targets without the ignored ones."""
    no_data: list[float] = field(default_factory=list)
    """Values that the masks' headers mark as no data."""


@dataclass(frozen=True, kw_only=True)
class SplitSurvey:
    """One split."""

    samples: int
    read: int
    """How many of them were read."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Name to reason."""
    images: dict[str, ImageSurvey] = field(default_factory=dict)
    """By modality."""
    labels: LabelSurvey = field(default_factory=LabelSurvey)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A data set as it was seen."""

    splits: dict[str, SplitSurvey]
    """``train``, ``val`` and, where there is one, ``test``."""
    bands: dict[str, list[str]] = field(default_factory=dict)
    """By modality; given, or by the files."""
    class_names: list[str] | None = None
    num_classes: int | None = None
    tile_px: int | None = None
    shared: list[list[str]] = field(default_factory=list)
    """Images with the same pixels in two splits: ``[split, name, other split, other name]``."""
    remarks: list[dict[str, str]] = field(default_factory=list)
    """What the files' headers tell: ``rule``, ``level`` and ``line`` of each."""

    def to_json(self) -> str:
        """As text; :meth:`from_json` gives it back unchanged."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Survey:
        """The survey of a text that :meth:`to_json` wrote."""
        fields = json.loads(text)
        return Survey(**fields | {"splits": {name: _split(split) for name, split in fields["splits"].items()}})


def _split(fields: dict[str, Any]) -> SplitSurvey:
    images = {name: _image(image) for name, image in fields["images"].items()}
    labels = fields["labels"]
    numbered = {key: {int(k): v for k, v in labels[key].items()} for key in ("counts", "first_with")}
    ends = {"extremes": _extremes(labels.get("extremes"))}
    return SplitSurvey(**fields | {"images": images, "labels": LabelSurvey(**labels | numbered | ends)})


def _image(fields: dict[str, Any]) -> ImageSurvey:
    return ImageSurvey(**fields | {"extremes": [_extremes(band) for band in fields.get("extremes", [])]})


def _extremes(fields: dict[str, Any] | None) -> Extremes | None:
    if fields is None:
        return None
    return Extremes(**fields | {end: Extreme(**fields[end]) for end in ("lowest", "highest")})
