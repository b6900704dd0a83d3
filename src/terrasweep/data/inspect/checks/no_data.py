"""Checks for values that stand for nothing though no header and no key says so. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from terrasweep.data.inspect.checks.case import ERROR, WARNING, Case, Check, replacing
from terrasweep.data.inspect.lone_values import LoneValue, find_lone_values, written
from terrasweep.data.inspect.survey import SplitSurvey
from terrasweep.results.wording import listed, percent, rounded

_LEARNT_FROM = ("train", "val")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One value in one modality of one split."""

    split: str
    bands: dict[str, LoneValue]

    @property
    def largest(self) -> LoneValue:
        """Of the band that has most of it."""
        return max(self.bands.values(), key=lambda lone: lone.share)


def spoils_images(case: Case, modality: str) -> bool:
    """Whether a modality's statistics are those of a value that stands for nothing."""
    return any(_spoils(found) for found in _in_images(case, modality).values())


def spoils_targets(case: Case) -> bool:
    """Whether the targets' statistics are."""
    return any(lone.spoils for split in _LEARNT_FROM for lone in _in_targets(case.split(split)))


def _in_images(case: Case, modality: str) -> dict[float, list[_Found]]:
    """By value, the splits that have it; none where the user says that every number is a measurement."""
    found: dict[float, list[_Found]] = {}
    declared = case.declared_no_data(modality)
    if declared is not None and math.isnan(declared):
        return found
    for split, image in case.images(modality):
        bands: dict[float, dict[str, LoneValue]] = {}
        names = case.band_names(modality, len(image.extremes))
        for name, extremes in zip(names, image.extremes, strict=True):
            for lone in find_lone_values(extremes):
                bands.setdefault(lone.value, {})[name] = lone
        for value, where in bands.items():
            found.setdefault(value, []).append(_Found(split=split, bands=where))
    return found


def _spoils(found: list[_Found]) -> bool:
    return any(lone.spoils for part in found if part.split in _LEARNT_FROM for lone in part.bands.values())


def _in_targets(seen: SplitSurvey) -> list[LoneValue]:
    return find_lone_values(seen.labels.extremes)


def _images(case: Case, *, spoiling: bool) -> Iterator[str]:
    for modality in case.modalities:
        for value, found in _in_images(case, modality).items():
            # Another's datamodule may know the value, and does not take the key.
            if (_spoils(found) and case.config.data.datamodule is None) is spoiling:
                yield _line(case, modality, value, found[0], _spoils(found))


def _line(case: Case, modality: str, value: float, found: _Found, spoils: bool) -> str:
    lone = found.largest
    harm = "it would be learnt as a measurement" if spoils else "it may stand for nothing"
    return (
        f"{case.subject(modality)}: {percent(lone.share)} of the pixels of {found.split} are {written(value)} (in "
        f"{listed(found.bands)}; first in {lone.first}), far from all others (the nearest is {rounded(lone.beside)}), "
        f"and nothing marks it as no data: {harm}; {_way_out(case, modality, value, lone)}"
    )


def _way_out(case: Case, modality: str, value: float, lone: LoneValue) -> str:
    if case.config.data.datamodule is not None:
        return "where it stands for nothing, mend the files, or see whether data.arguments can name it"
    key, declared = case.key(modality, "no_data"), case.declared_no_data(modality)
    if declared is not None:
        return f"where it stands for nothing, write {written(declared)} there, which {key} names"
    keys = f"{key}={written(value)}"
    if case.config.data.no_data_replace is None:
        keys += f" {replacing([lone.mean])}"
    return f"where it stands for nothing, set {keys}, and where it was measured, {key}=nan"


def _targets(case: Case, *, spoiling: bool) -> Iterator[str]:
    if case.task != "regression":
        return
    seen: dict[float, list[tuple[str, LoneValue]]] = {}
    for split, part in case.survey.splits.items():
        for lone in _in_targets(part):
            seen.setdefault(lone.value, []).append((split, lone))
    for value, found in seen.items():
        split, lone = found[0]
        spoils = any(part.spoils for name, part in found if name in _LEARNT_FROM)
        # Who has named a label for nothing has thought about it.
        if (spoils and case.config.task.ignore_index is None) is spoiling:
            harm = "it would be learnt as a target" if spoils else "it may stand for nothing"
            yield (
                f"{case.place}: {percent(lone.share)} of the targets of {split} are {written(value)} (first in "
                f"{lone.first}), far from all others (the nearest is {rounded(lone.beside)}): {harm}; where it stands "
                f"for nothing, {_ignored(case, value)}"
            )


def _ignored(case: Case, value: float) -> str:
    ignored = case.config.task.ignore_index
    if ignored is not None:
        return f"write task.ignore_index={ignored} there"
    if value == round(value) and abs(value) < 2**53:
        return f"set task.ignore_index={written(value)}, and where it was measured, a number that no target has"
    return "mark it as no data in the headers, and set task.ignore_index=-9999"


def _learnt(case: Case) -> Iterator[str]:
    yield from _images(case, spoiling=True)


def _lone(case: Case) -> Iterator[str]:
    yield from _images(case, spoiling=False)


def _learnt_targets(case: Case) -> Iterator[str]:
    yield from _targets(case, spoiling=True)


def _lone_targets(case: Case) -> Iterator[str]:
    yield from _targets(case, spoiling=False)


NO_DATA_CHECKS = (
    Check("undeclared-no-data", ERROR, _learnt),
    Check("undeclared-no-data-targets", ERROR, _learnt_targets),
    Check("lone-value", WARNING, _lone),
    Check("lone-value-targets", WARNING, _lone_targets),
)
