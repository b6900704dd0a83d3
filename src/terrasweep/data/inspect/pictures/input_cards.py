"""What a model gets of the first training sample, as pictures band by band."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from terrasweep.config.input_frames import is_stacked
from terrasweep.data.inspect.pictures.cards import Dates, Picture
from terrasweep.data.inspect.pictures.read_pixels import Unreadable
from terrasweep.data.inspect.pictures.sample_card import Look, grey_picture
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.wording import with_decimals

_BANDS = 16
"""Bands that are drawn one by one."""


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """What a model gets of one sample of a modality, band by band."""

    heading: str
    note: str
    bands: list[Picture]
    more: int = 0
    """Bands that are not drawn."""
    is_mean: bool = False
    """Whether it is the mean over several dates."""
    turned: list[Picture] = field(default_factory=list)
    """The first date under each symmetry that a training shows; none with ``augment=none``."""


def input_cards(look: Look) -> list[ModelInput]:
    """The first training sample, band by band."""
    inputs = []
    for modality in look.listing.modalities:
        name = look.listing.names["train"][0]
        try:
            dates = look.read("train", name, modality)
        except Unreadable:
            continue
        given = look.model_input(dates, modality)
        if given is not None:
            heading = f"{'' if modality == IMAGE else f'{modality}, '}train/{name}"
            shown = _model_input(heading, given, dates, look, modality)
            inputs.append(replace(shown, turned=look.turned("train", name, modality, given[0])))
    return inputs


def _model_input(heading: str, given: np.ndarray, dates: Dates, look: Look, modality: str) -> ModelInput:
    """Bands of each date as they go in: (dates, bands, height, width), one date of the mean."""
    names = look.case.band_names(modality, given.shape[1])
    when = [""] if len(given) == 1 else [f", {day}" for day in dates.called]
    titled = [
        (f"{name}{day}", band)
        for day, pixels in zip(when, given, strict=True)
        for name, band in zip(names, pixels, strict=True)
    ]
    count, bands, height, width = given.shape
    if count > 1 and is_stacked(look.config):
        note = f"{count * bands} x {height} x {width} (bands of {count} dates, height, width)"
    elif count > 1:
        note = f"{bands} x {count} x {height} x {width} (bands, dates, height, width)"
    else:
        note = f"{bands} x {height} x {width} (bands, height, width)"
        note += f", the mean of {dates.number} dates" if dates.number > 1 else ""
    left = len(titled) - _BANDS
    drawn = [grey_picture(band, title, _moments(band)) for title, band in titled[:_BANDS]]
    return ModelInput(heading=heading, note=note, bands=drawn, more=max(0, left), is_mean=count < dates.number)


def _moments(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return f"{with_decimals(finite.mean(), 2)} ± {with_decimals(finite.std(), 2)}" if finite.size else "no value"
