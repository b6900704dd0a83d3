"""One pass over a data set: reads samples as a trial would, and counts what the checks and the statistics need."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from terrasweep.data.find.sample_list import MASK, PIXEL_TASKS
from terrasweep.data.in_parts import InParts
from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.survey import IMAGE, ImageSurvey, LabelSurvey, SplitSurvey
from terrasweep.results.errors import first_line, raise_out_of_memory

_PART = 32
"""Samples whose counts are kept together."""
Sample = dict[str, Any]
Read = Callable[[int], Sample]
"""Gives the sample of an index: ``image`` (an array, or one per modality), ``mask`` or ``label``, and by modality the
``dtypes`` that files store and the values (``no_data``) that they mark, where they are known."""


def scan_split(
    read: Read, names: list[str], task: str, ignore: int | None, limit: int | None, parts: InParts | None = None
) -> Seen:
    """Read a split.

    Args:
        read: Gives a sample; what it raises is noted, and the sample counts as unreadable.
        names: Of all samples.
        task: Decides what the labels are.
        ignore: Label that does not count.
        limit: Read at most so many samples, drawn by a fixed seed; None: all.
        parts: How many samples are read.

    Raises:
        DeviceOutOfMemory, HostOutOfMemory: A sample doesn't fit; that says nothing about its file.
    """
    chosen = np.arange(len(names))
    if limit is not None and limit < len(names):
        chosen = np.sort(np.random.default_rng(0).choice(len(names), limit, replace=False))

    def look(some: Sequence[tuple[int, str]]) -> Seen:
        return _scan(read, some, Seen(samples=0, labels=_Labels(task, ignore)))

    samples = [(index, names[index]) for index in chosen.tolist()]
    seen = Seen(samples=len(names), labels=_Labels(task, ignore))
    for later in (parts or InParts()).over("Reading samples", samples, look, size=_PART):
        seen.merge(later)
    return seen


def _scan(read: Read, samples: Sequence[tuple[int, str]], seen: Seen) -> Seen:
    for index, name in samples:
        try:
            sample = read(index)
        except Exception as error:  # noqa: BLE001 - a reader of the user's raises what it likes
            raise_out_of_memory(error)
            seen.unreadable[name] = first_line(error)
            continue
        seen.add(name, sample)
    return seen


def find_shared(splits: dict[str, Seen]) -> list[list[str]]:
    """Samples of two splits with the same pixels: ``[split, name, other split, other name]``."""
    first: dict[bytes, tuple[str, str]] = {}
    shared = []
    for split, seen in splits.items():
        for digest, name in seen.digests.items():
            if digest in first and first[digest][0] != split:
                shared.append([*first[digest], split, name])
            first.setdefault(digest, (split, name))
    return shared


@dataclass
class Seen:
    """What was counted so far in a split."""

    samples: int
    labels: _Labels
    read: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    images: dict[str, _Images] = field(default_factory=dict)
    digests: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, sample: Sample) -> None:
        """Count a sample."""
        self.read += 1
        image = sample["image"]
        images = image if isinstance(image, dict) else {IMAGE: image}
        digest, varied = hashlib.blake2b(digest_size=16), False
        for modality, values in images.items():
            pixels = np.asarray(values)
            stored = sample.get("dtypes", {}).get(modality, str(pixels.dtype))
            self.images.setdefault(modality, _Images()).add(name, pixels, stored)
            digest.update(np.ascontiguousarray(pixels).data)
            finite = pixels[np.isfinite(pixels)]
            varied = varied or bool(finite.size and (finite != finite[0]).any())
        if varied:  # Empty tiles are all alike.
            self.digests.setdefault(digest.digest(), name)
        self.labels.add(name, np.asarray(sample["mask"] if "mask" in sample else sample["label"]))
        self.labels.mark(sample.get("no_data", {}).get(MASK))

    def merge(self, later: Seen) -> None:
        """Add what was counted in samples that come after these."""
        self.read += later.read
        self.unreadable |= later.unreadable
        for modality, images in later.images.items():
            if modality in self.images:
                self.images[modality].merge(images)
            else:
                self.images[modality] = images
        for digest, name in later.digests.items():
            self.digests.setdefault(digest, name)
        self.labels.merge(later.labels)

    def survey(self) -> SplitSurvey:
        """The counts as a record."""
        return SplitSurvey(
            samples=self.samples,
            read=self.read,
            unreadable=self.unreadable,
            images={name: images.survey() for name, images in self.images.items()},
            labels=self.labels.survey(),
        )


class _Images:
    """Running sums per band."""

    def __init__(self) -> None:
        self._shapes: Counter[str] = Counter()
        self._dtypes: Counter[str] = Counter()
        self._bands = 0
        self._first_not_finite: str | None = None

    def add(self, name: str, pixels: np.ndarray, stored: str) -> None:
        self._shapes["x".join(map(str, pixels.shape))] += 1
        self._dtypes[stored] += 1
        flat = pixels.reshape(len(pixels), -1).astype(np.float64) if pixels.ndim else pixels.reshape(1, 1)
        if not self._bands:
            self._bands = len(flat)
            self._pixels, self._count = np.zeros(self._bands), np.zeros(self._bands)
            self._total, self._squares = np.zeros(self._bands), np.zeros(self._bands)
            self._low, self._high = np.full(self._bands, np.inf), np.full(self._bands, -np.inf)
            self._infinite = np.zeros(self._bands)
            self._extremes = [ExtremesCount() for _ in range(self._bands)]
        if len(flat) != self._bands:
            return  # The shapes tell.
        finite = np.isfinite(flat)
        if not finite.all() and self._first_not_finite is None:
            self._first_not_finite = name
        clean = np.where(finite, flat, 0.0)
        self._pixels += flat.shape[1]
        self._count += finite.sum(axis=1)
        self._infinite += np.isinf(flat).sum(axis=1)
        self._total += clean.sum(axis=1)
        with np.errstate(over="ignore"):  # The lowest number of a type, where it stands for nothing.
            self._squares += (clean**2).sum(axis=1)
        self._low = np.minimum(self._low, np.where(finite, flat, np.inf).min(axis=1))
        self._high = np.maximum(self._high, np.where(finite, flat, -np.inf).max(axis=1))
        for extremes, values, is_finite in zip(self._extremes, flat, finite, strict=True):
            extremes.add(name, values if is_finite.all() else values[is_finite])

    def merge(self, later: _Images) -> None:
        self._shapes += later._shapes
        self._dtypes += later._dtypes
        if len(later._low) != self._bands:
            return  # The shapes tell.
        self._first_not_finite = self._first_not_finite or later._first_not_finite
        self._pixels += later._pixels
        self._count += later._count
        self._infinite += later._infinite
        self._total += later._total
        with np.errstate(over="ignore"):
            self._squares += later._squares
        self._low = np.minimum(self._low, later._low)
        self._high = np.maximum(self._high, later._high)
        for extremes, more in zip(self._extremes, later._extremes, strict=True):
            extremes.merge(more)

    def survey(self) -> ImageSurvey:
        count = np.maximum(self._count, 1)
        means = self._total / count
        seen = self._count > 0
        return ImageSurvey(
            shapes=dict(self._shapes),
            dtypes=dict(self._dtypes),
            means=means.tolist(),
            stds=_deviation(means, self._squares / count).tolist(),
            minima=np.where(seen, self._low, 0.0).tolist(),
            maxima=np.where(seen, self._high, 0.0).tolist(),
            not_finite=(1 - self._count / self._pixels).tolist(),
            infinite=(self._infinite / self._pixels).tolist(),
            first_not_finite=self._first_not_finite,
            extremes=[extremes.extremes() for extremes in self._extremes],
        )


class _Labels:
    """Counts per class, or running sums of regression targets."""

    def __init__(self, task: str, ignore: int | None) -> None:
        self._task, self._ignore = task, ignore
        self._counts: Counter[int] = Counter()
        self._first: dict[int, str] = {}
        self._shapes: Counter[str] = Counter()
        self._not_finite = self._not_whole = self._counted = 0
        self._total = self._squares = 0.0
        self._low, self._high = np.inf, -np.inf
        self._extremes = ExtremesCount()
        self._no_data: set[float] = set()

    def mark(self, no_data: float | None) -> None:
        """Note the value that a mask's header marks as no data."""
        if no_data is not None and np.isfinite(no_data):
            self._no_data.add(float(no_data))

    def add(self, name: str, label: np.ndarray) -> None:
        self._shapes["x".join(map(str, label.shape))] += 1
        values = label.reshape(-1).astype(np.float64)
        finite = np.isfinite(values)
        if self._task in PIXEL_TASKS and self._ignore is not None:
            # A trial gives pixels that the file marks as no data the label that does not count.
            values = np.where(np.isnan(values), self._ignore, values)
            finite = np.isfinite(values)
        self._not_finite += int((~finite).sum())
        values = values[finite]
        if self._task == "regression":
            self._add_targets(name, values if self._ignore is None else values[values != self._ignore])
            return
        if self._task == "multilabel":
            found = dict.fromkeys(np.flatnonzero((values != 0) & (values != self._ignore)), 1)
            self._counted += 1
        else:
            whole = values == np.round(values)
            self._not_whole += int((~whole).sum())
            labels, pixels = np.unique(values[whole], return_counts=True)
            found = dict(zip(labels.tolist(), pixels.tolist(), strict=True))
            self._counted += sum(count for value, count in found.items() if value != self._ignore)
        for value, count in found.items():
            self._counts[int(value)] += int(count)
            self._first.setdefault(int(value), name)

    def _add_targets(self, name: str, values: np.ndarray) -> None:
        self._counted += len(values)
        self._extremes.add(name, values)
        if len(values):
            self._total += float(values.sum())
            with np.errstate(over="ignore"):
                self._squares += float((values**2).sum())
            self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))

    def merge(self, later: _Labels) -> None:
        self._counts += later._counts
        for label, name in later._first.items():
            self._first.setdefault(label, name)
        self._shapes += later._shapes
        self._not_finite += later._not_finite
        self._not_whole += later._not_whole
        self._counted += later._counted
        self._total += later._total
        self._squares += later._squares
        self._low, self._high = min(self._low, later._low), max(self._high, later._high)
        self._extremes.merge(later._extremes)
        self._no_data |= later._no_data

    def survey(self) -> LabelSurvey:
        targets = self._task == "regression" and self._counted > 0
        mean = self._total / max(self._counted, 1)
        return LabelSurvey(
            counts=dict(sorted(self._counts.items())),
            first_with=self._first,
            shapes=dict(self._shapes),
            minimum=self._low if targets else None,
            maximum=self._high if targets else None,
            mean=mean if targets else None,
            std=float(_deviation(np.array(mean), np.array(self._squares / self._counted))) if targets else None,
            counted=self._counted,
            not_finite=self._not_finite,
            not_whole=self._not_whole,
            extremes=self._extremes.extremes(),
            no_data=sorted(self._no_data),
        )


def _deviation(means: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The standard deviation by the mean of numbers and that of their squares; infinite beyond floats."""
    with np.errstate(over="ignore", invalid="ignore"):
        variance = squares - means**2
    return np.sqrt(np.where(np.isfinite(squares), np.maximum(variance, 0.0), np.inf))
