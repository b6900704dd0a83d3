"""Checks of the images' values. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from terrasweep.data.inspect.checks.case import ERROR, WARNING, Case, Check, replacing
from terrasweep.data.inspect.checks.no_data import spoils_images
from terrasweep.data.inspect.survey import ImageSurvey
from terrasweep.data.memory import fits_in_memory, in_memory_bytes, room_bytes
from terrasweep.results.wording import counted, listed, percent, rounded

MOSTLY = 0.5
"""Share of replaced pixels in a band from which on a warning is given."""
OFF_MEAN = 3.0
"""Distance of a given mean from the measured one, in given standard deviations, that is too far."""
OFF_SCALE = 5.0
"""Factor between a given standard deviation and the measured one that is too much."""
SHIFT = 1.0
"""Distance between the means of train and val, in train's standard deviations, that is too far."""


def _not_finite(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        for split, image in case.images(modality):
            if any(share > 0 for share in image.infinite):
                yield (
                    f"{case.subject(modality)}: pixels of {split} are infinite ({percent(max(image.infinite))} of a "
                    f"band; first in {image.first_not_finite}), and no setting replaces them; write finite values"
                )
            elif case.config.data.no_data_replace is None and any(share > 0 for share in image.not_finite):
                yield (
                    f"{case.subject(modality)}: pixels of {split} are NaN, infinite or no data "
                    f"({_shares(case, modality, image, 0)}; first in {image.first_not_finite}); fill them, or set "
                    f"{replacing(case.split('train').images.get(modality, image).means)}, the mean, or another value"
                )


def _mostly_replaced(case: Case) -> Iterator[str]:
    value = case.config.data.no_data_replace
    if value is None:
        return
    for modality in case.modalities:
        for split, image in case.images(modality):
            if any(share > MOSTLY for share in image.not_finite):
                yield (
                    f"data.no_data_replace={value:g}: it stands for most of what {split} shows in "
                    f"{_shares(case, modality, image, MOSTLY)}; leave out empty tiles or bands"
                )


def _shares(case: Case, modality: str, image: ImageSurvey, above: float) -> str:
    names = case.band_names(modality, len(image.not_finite))
    found = sorted(zip(image.not_finite, names, strict=True), key=lambda pair: -pair[0])
    return listed(f"{name} {percent(share)}" for share, name in found if share > above)


def _complex(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        dtypes = {dtype for _, image in case.images(modality) for dtype in image.dtypes if "complex" in dtype}
        if dtypes:
            yield (
                f"{case.subject(modality)}: pixels are complex numbers ({listed(sorted(dtypes))}), and a backbone "
                "takes real ones; write intensity, or amplitude and phase, as bands of their own"
            )


def _dtypes(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        dtypes: Counter[str] = sum((Counter(image.dtypes) for _, image in case.images(modality)), Counter())
        if len(dtypes) > 1:
            seen = listed(f"{dtype} in {counted(count, 'sample')}" for dtype, count in dtypes.most_common())
            yield (
                f"{case.subject(modality)}: images have {len(dtypes)} number types ({seen}), which may mean different "
                "units; see that all files have one"
            )


def _constant(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        image = case.split("train").images.get(modality)
        if image is None:
            continue
        names = case.band_names(modality, len(image.stds))
        constant = [name for name, std in zip(names, image.stds, strict=True) if not std > 0]
        if constant:
            yield (
                f"{case.subject(modality)}: {listed(constant, 6)} of train never change, and tell nothing; leave them "
                "out, or mend the files"
            )


def _statistics(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        given, image = case.given_statistics(modality), case.split("train").images.get(modality)
        if spoils_images(case, modality):
            continue  # They are those of a value that stands for nothing.
        if given is None or image is None or not len(given[0]) == len(given[1]) == len(image.means):
            continue
        names = case.band_names(modality, len(image.means))
        rows = zip(names, *given, image.means, image.stds, strict=True)
        off = [row for row in rows if _varies(row[4]) and row[2] > 0 and _far_off(*row[1:])]
        if off:
            name, mean, std, seen_mean, seen_std = off[0]
            yield (
                f"{case.key(modality, 'means')} and stds: far off in {counted(len(off), 'band')}, first {name}: given "
                f"{rounded(mean)} and {rounded(std)}, measured {rounded(seen_mean)} and {rounded(seen_std)}, so that "
                f"normalized values lie {rounded((seen_mean - mean) / std)} stds from 0 and spread "
                f"{rounded(seen_std / std)} instead of 1; give them in the files' units, or null to compute them"
            )


def _far_off(mean: float, std: float, seen_mean: float, seen_std: float) -> bool:
    ratio = seen_std / std
    return abs(seen_mean - mean) / std > OFF_MEAN or not 1 / OFF_SCALE <= ratio <= OFF_SCALE


def _shift(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        train, val = (case.split(split).images.get(modality) for split in ("train", "val"))
        if train is None or val is None or len(train.means) != len(val.means) or spoils_images(case, modality):
            continue
        names = case.band_names(modality, len(train.means))
        rows = zip(names, train.means, train.stds, val.means, strict=True)
        shifts = {name: (there - mean) / std for name, mean, std, there in rows if _varies(std)}
        far = {name: shift for name, shift in shifts.items() if abs(shift) > SHIFT}
        if far:
            seen = listed(f"{name} by {shift:+,.1f}" for name, shift in sorted(far.items(), key=_size))
            yield (
                f"{case.subject(modality)}: means of val are more than {SHIFT:g} std of train away from train's "
                f"({seen} std), so that accuracy is measured on another kind of image; see that both "
                "splits have all kinds"
            )


def _in_memory(case: Case) -> Iterator[str]:
    if case.config.data.in_memory and not fits_in_memory(case.survey, case.config):
        needed, room = (size / 2**30 for size in (in_memory_bytes(case.survey, case.config), room_bytes(case.config)))
        yield (
            f"data.in_memory=true: train and val take {rounded(needed)} GiB, and there is room for {rounded(room)}, so "
            "that tiles are read anew in each epoch; set data.in_memory=false, and data.workers to some processes that "
            "read ahead"
        )


def _size(shift: tuple[str, float]) -> float:
    return -abs(shift[1])


def _varies(std: float | None) -> bool:
    return std is not None and math.isfinite(std) and std > 0


IMAGE_CHECKS = (
    Check("not-finite", ERROR, _not_finite),
    Check("complex", ERROR, _complex),
    Check("mostly-no-data", WARNING, _mostly_replaced),
    Check("number-types", WARNING, _dtypes),
    Check("constant-band", WARNING, _constant),
    Check("statistics", WARNING, _statistics),
    Check("domain-shift", WARNING, _shift),
    Check("in-memory", WARNING, _in_memory),
)
