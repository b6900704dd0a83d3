"""What the checks look at: a survey, and the configuration it has to fit. Imports no torch."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from terrasweep.config.band_choice import are_numbers, given_bands
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import PIXEL_TASKS
from terrasweep.data.inspect.survey import IMAGE, ImageSurvey, SplitSurvey, Survey
from terrasweep.results.wording import counted, listed

LEVELS = ERROR, WARNING, NOTE = "error", "warning", "note"
EXCLUSIVE = ("segmentation", "classification")
"""Tasks whose labels are one class each."""
MOST_NAMED = 6
"""Classes in a line."""


@dataclass(frozen=True)
class Case:
    """A survey and its configuration, with what several checks ask of the two."""

    survey: Survey
    config: TrialConfig

    @property
    def place(self) -> str:
        """How a line names the data set."""
        data = self.config.data
        return f"data={data.name}" if data.root is None else f"data.root={data.root}"

    @property
    def task(self) -> str:
        """The task's name."""
        return self.config.task.name

    def split(self, name: str) -> SplitSurvey:
        """A split; one without samples where there is none of that name."""
        return self.survey.splits.get(name) or SplitSurvey(samples=0, read=0)

    def partly(self, split: str) -> str:
        """`` in the 2,000 of 5,400 samples that were read``, where absence is not proven; else nothing."""
        seen = self.split(split)
        if seen.read >= seen.samples:
            return ""
        return f" in the {seen.read:,} of {seen.samples:,} samples that were read (data.check_tiles=null reads all)"

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in order."""
        return list(dict.fromkeys(name for split in self.survey.splits.values() for name in split.images))

    def images(self, modality: str) -> Iterator[tuple[str, ImageSurvey]]:
        """What was seen of a modality, by split."""
        for name, split in self.survey.splits.items():
            if modality in split.images:
                yield name, split.images[modality]

    def subject(self, modality: str) -> str:
        """How a line names the images of a modality: ``data.root=/tiles``, or with the modality behind it."""
        return self.place if modality == IMAGE else f"{self.place}: {modality}"

    def key(self, modality: str, field: str) -> str:
        """The key of a modality's setting: ``data.bands`` or ``data.modalities.S1.bands``."""
        return f"data.{field}" if modality == IMAGE else f"data.modalities.{modality}.{field}"

    def declared_bands(self, modality: str) -> list[str]:
        """The bands that the configuration names; empty where it leaves them to the files."""
        return given_bands(self.config.data, modality)

    def declared_no_data(self, modality: str) -> float | None:
        """The value that the configuration says to stand for nothing in a modality."""
        data = self.config.data
        own = data.modalities[modality].no_data if modality in data.modalities else None
        return data.no_data if own is None else own

    def band_names(self, modality: str, count: int) -> list[str]:
        """A name for each of ``count`` bands; numbers, from 1, where the names are another number."""
        given = self.declared_bands(modality)
        names = (given if given and not are_numbers(given) else None) or self.survey.bands.get(modality) or []
        return names if len(names) == count else [f"band {place + 1}" for place in range(count)]

    def given_statistics(self, modality: str) -> tuple[list[float], list[float]] | None:
        """The means and standard deviations that the configuration gives."""
        data = self.config.data
        source = data.modalities.get(modality, data)
        return None if source.means is None or source.stds is None else (source.means, source.stds)

    @property
    def num_classes(self) -> int | None:
        """The number of classes; None where nobody says it."""
        given = self.config.data.num_classes or len(self.config.data.class_names or ())
        return given or self.survey.num_classes or len(self.survey.class_names or ()) or None

    def class_name(self, label: int) -> str:
        """``3 (maize)``, or the number alone."""
        names = self.config.data.class_names or self.survey.class_names or []
        return f"{label} ({names[label]})" if 0 <= label < len(names) else str(label)

    def named(self, labels: Iterable[int]) -> str:
        """``3 (maize), 4 (rice)``, the first :data:`MOST_NAMED`."""
        return listed((self.class_name(label) for label in labels), MOST_NAMED)

    def class_counts(self, split: str) -> dict[int, int]:
        """Class to its count in a split; labels that are ignored, outside the classes or never seen are left out."""
        classes, ignored = self.num_classes, self.config.task.ignore_index
        return {
            label: count
            for label, count in sorted(self.split(split).labels.counts.items())
            if label != ignored and count > 0 and label >= 0 and (classes is None or label < classes)
        }

    def has_images(self, split: str) -> bool:
        """Whether any sample of a split could be read."""
        return any(image.shapes for image in self.split(split).images.values())

    def amount(self, labels: int) -> str:
        """A number of labels with what carries them: ``3 pixels`` or ``3 samples``."""
        return counted(labels, "pixel" if self.task in PIXEL_TASKS else "sample")


class Check(NamedTuple):
    """One check."""

    name: str
    """As in docs/checks.md."""
    level: str
    """``error``, ``warning`` or ``note``."""
    find: Callable[[Case], Iterator[str]]
    """Yields one line per finding."""


def numbers_in(shape: str) -> tuple[int, ...]:
    """The numbers of a shape like ``6x64x64``."""
    return tuple(int(part) for part in re.findall(r"\d+", shape))


def shape_text(shape: str) -> str:
    """A shape as people read it: ``6 x 64 x 64``."""
    return " x ".join(str(part) for part in numbers_in(shape))


def replacing(means: list[float]) -> str:
    """The setting that puts an unremarkable value in place of no data: the mean of the bands' means."""
    known = [mean for mean in means if math.isfinite(mean)]
    usual = sum(known) / len(known) if known else 0.0
    return f"data.no_data_replace={float(f'{usual:.3g}'):g}"


def shapes_of(case: Case, modality: str) -> Counter[str]:
    """How many samples have which shape, over all splits."""
    return sum((Counter(image.shapes) for _, image in case.images(modality)), Counter())
