"""One pass over a data set: reads samples as a trial would, and counts what the checks and the statistics need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.in_parts import InParts
from terrasweep.data.inspect.image_counts import ImageCounts
from terrasweep.data.inspect.label_counts import LabelCounts
from terrasweep.data.inspect.survey import IMAGE, SplitSurvey
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
        return _scan(read, some, Seen(samples=0, labels=LabelCounts(task, ignore)))

    samples = [(index, names[index]) for index in chosen.tolist()]
    seen = Seen(samples=len(names), labels=LabelCounts(task, ignore))
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
    labels: LabelCounts
    read: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    images: dict[str, ImageCounts] = field(default_factory=dict)
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
            self.images.setdefault(modality, ImageCounts()).add(name, pixels, stored)
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
