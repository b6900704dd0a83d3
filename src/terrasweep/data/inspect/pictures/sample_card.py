"""One sample as a card: its images, its label in colours, and what a model gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from terrasweep.config.band_choice import PHOTO
from terrasweep.config.data import DataConfig
from terrasweep.config.input_frames import is_averaged, is_stacked
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import MASK, Listing
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.pictures.cards import Dates, DateStrip, Picture, SampleCard, strip
from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, Colour, class_colour, css, ramp
from terrasweep.data.inspect.pictures.encode import drawing, photo
from terrasweep.data.inspect.pictures.model_view import as_a_model_sees, nearest, shades, under_symmetries
from terrasweep.data.inspect.pictures.read_pixels import Unreadable, read_dates, read_pixels
from terrasweep.data.inspect.pictures.thumbnails import ends_of, rgb, shrunk, shrunk_mask, span, with_opacity
from terrasweep.data.inspect.survey import IMAGE

MOST_PX = 1024
"""Of larger images some rows and columns are left out."""
SHOWN_DATES = 4
"""Dates of a sample that are drawn."""
_OVER = 130
"""Opacity, of 255, of a mask that lies over its image."""


@dataclass(frozen=True)
class Look:
    """How the samples of a data set are drawn."""

    config: TrialConfig
    """With what only the data tell."""
    case: Case
    listing: Listing
    stretch: dict[str, list[tuple[float, float]]]
    """By modality, per band the values that are drawn black and white."""

    def card(self, split: str, name: str) -> SampleCard:
        """Draw a sample; what can't be read is said."""
        problems: list[str] = []
        mask = self._mask(split, name, problems)
        pictures: list[Picture] = []
        strips: list[DateStrip] = []
        seen: list[Picture] = []
        for modality in self.listing.modalities:
            try:
                dates = self.read(split, name, modality)
            except Unreadable as error:
                problems.append(f"{_before(modality)}{error}")
                continue
            over = drawing(shrunk_mask(with_opacity(mask, _OVER))) if mask is not None else ""
            images = [
                Picture(title=f"{_before(modality)}image", source=photo(self._composite(pixels, modality)), over=over)
                for pixels in dates.pixels[:SHOWN_DATES]
            ]
            if dates.number == 1:
                pictures += images
            else:
                strips.append(strip(f"{_before(modality)}{dates.number} dates", images, dates))
            drawn = self._model_input(dates, modality)
            if len(drawn) > 1:
                strips.append(strip(f"{_before(modality)}model's input, {self._given(dates)}", drawn, dates))
            else:
                seen += drawn
        if mask is not None:
            title = "targets" if self.case.task == "regression" else "mask"
            pictures.append(Picture(title=title, source=drawing(shrunk_mask(mask)), sharp=True))
        return SampleCard(
            split=split,
            name=name,
            strips=strips,
            pictures=[*pictures, *seen],
            labels=self._labels(split, name),
            problem="; ".join(problems),
        )

    def read(self, split: str, name: str, modality: str) -> Dates:
        """A sample's image with its dates apart, which lie one after the other in the file.

        Raises:
            Unreadable: It is no image, or is damaged.
        """
        file = self.listing.file(split, name, modality)
        pixels = read_pixels(file, MOST_PX)
        bands = bands_of_a_date(self.config.data, modality, len(pixels))
        return Dates(pixels=pixels.reshape(-1, bands, *pixels.shape[1:]), taken=read_dates(file))

    def model_input(self, dates: Dates, modality: str) -> np.ndarray | None:
        """What a model gets of an image: (dates, bands, height, width), a single one where it gets their mean.

        None where the statistics don't fit the file.
        """
        each = [self.normalised(pixels, modality) for pixels in dates.pixels]
        normalised = [pixels for pixels in each if pixels is not None]
        if len(normalised) < len(each):
            return None
        apart = np.stack(normalised)
        return apart.mean(axis=0, keepdims=True) if is_averaged(self.config) else apart

    def _model_input(self, dates: Dates, modality: str) -> list[Picture]:
        given = self.model_input(dates, modality)
        if given is None:
            return []
        title, mean = f"{_before(modality)}model's input", f"mean of {dates.number} dates, "
        is_mean = len(given) < dates.number
        return [
            Picture(
                title=title,
                note=(mean if is_mean else "") + span(pixels),
                source=photo(rgb(shades(shrunk(pixels)), self.shown_bands(modality, pixels.shape[0]))),
            )
            for pixels in given[:SHOWN_DATES]
        ]

    def _given(self, dates: Dates) -> str:
        """How dates go into a model that does not get their mean."""
        bands = dates.number * dates.pixels.shape[1]
        return f"one image of {bands} bands" if is_stacked(self.config) else "dates apart"

    def normalised(self, pixels: np.ndarray, modality: str) -> np.ndarray | None:
        """A modality's pixels as a model gets them; None where the statistics don't fit the file."""
        data = self.config.data
        given = data.modalities.get(modality, data)
        if not given.means or not given.stds or not len(given.means) == len(given.stds) == len(pixels):
            return None
        return as_a_model_sees(pixels, given.means, given.stds, data.no_data_replace, data.resize_px)

    def turned(self, split: str, name: str, modality: str, normalised: np.ndarray) -> list[Picture]:
        """A model's input, and its mask, under each symmetry that a training shows; none with ``augment=none``."""
        if (augment := self.config.augment.name) == "none":
            return []
        square = normalised.shape[1] == normalised.shape[2]
        drawn = rgb(shades(shrunk(normalised)), self.shown_bands(modality, len(normalised)))
        images, over = under_symmetries(drawn, augment, square=square), {}
        if (mask := self._mask(split, name, [])) is not None:
            faint = shrunk_mask(with_opacity(_resampled(mask, self.config.data.resize_px), _OVER))
            over = {key: drawing(mask) for key, mask in under_symmetries(faint, augment, square=square).items()}
        return [Picture(title=key, source=photo(image), over=over.get(key, "")) for key, image in images.items()]

    def shown_bands(self, modality: str, count: int) -> list[int]:
        """Places of the bands drawn red, green and blue: those so called, else the first three, or the first."""
        names = [name.upper() for name in self.case.band_names(modality, count)]
        if all(name in names for name in PHOTO):
            return [names.index(name) for name in PHOTO]
        return [0, 1, 2] if count >= len(PHOTO) else [0, 0, 0]

    def _composite(self, pixels: np.ndarray, modality: str) -> np.ndarray:
        limits = self.stretch.get(modality, [])
        if len(limits) != len(pixels):
            limits = [ends_of(band) for band in pixels]
        low, high = (np.array(ends, np.float32)[:, None, None] for ends in zip(*limits, strict=True))
        scaled = (shrunk(pixels) - low) / np.maximum(high - low, 1e-12)
        grey = (np.clip(np.nan_to_num(scaled), 0, 1) * 255).round().astype(np.uint8)
        return rgb(grey, self.shown_bands(modality, len(pixels)))

    def _mask(self, split: str, name: str, problems: list[str]) -> np.ndarray | None:
        """A mask in colours: uint8 (height, width, 4)."""
        if not self.listing.mask_roots:
            return None
        try:
            values = read_pixels(self.listing.file(split, name, MASK), MOST_PX)[0]
        except Unreadable as error:
            problems.append(f"mask: {error}")
            return None
        if self.case.task == "regression":
            return self._targets(values)
        return coloured(values, self.case.num_classes or 0, self.config.task.ignore_index)

    def _targets(self, values: np.ndarray) -> np.ndarray:
        low, high = target_range(self.case)
        drawn = ramp((values - low) / max(high - low, 1e-12))
        counts = np.isfinite(values) & (values != self.config.task.ignore_index)
        drawn[~counts] = IGNORED
        return np.concatenate([drawn, np.full((*values.shape, 1), 255, np.uint8)], axis=-1)

    def _labels(self, split: str, name: str) -> list[tuple[str, str]]:
        if not self.listing.labels:
            return []
        given = self.listing.labels[split][name]
        numbers = [place for place, value in enumerate(given) if value] if self.case.task == "multilabel" else given
        return [(self.case.class_name(number), css(class_colour(number))) for number in numbers]


def bands_of_a_date(data: DataConfig, modality: str, count: int) -> int:
    """How many of a file's bands are of one date; all where its dates can't share them alike."""
    dates = data.frames_of(modality)
    return count // dates if count % dates == 0 else count


def _before(modality: str) -> str:
    return "" if modality == IMAGE else f"{modality}: "


def coloured(labels: np.ndarray, num_classes: int, ignored: int | None) -> np.ndarray:
    """Labels in the colours of their classes: uint8 (height, width, 4).

    Args:
        labels: Class numbers (height, width); NaN where a mask marks no data.
        num_classes: What is not below it is drawn in red.
        ignored: Label that does not count.
    """
    drawn = np.zeros((*labels.shape, 4), np.uint8)
    for value in np.unique(labels):
        where = np.isnan(labels) if np.isnan(value) else labels == value
        colour: Colour
        if np.isnan(value) or value == ignored:
            colour = IGNORED
        elif value == np.round(value) and 0 <= value < num_classes:
            colour = class_colour(int(value))
        else:
            colour = OUTSIDE
        drawn[where] = (*colour, 255)
    return drawn


def target_range(case: Case) -> tuple[float, float]:
    """Least and largest target of the training split."""
    labels = case.split("train").labels
    return labels.minimum or 0.0, labels.maximum or 0.0


def grey_picture(band: np.ndarray, title: str, note: str) -> Picture:
    """A band of normalised values."""
    return Picture(title=title, note=note, source=photo(rgb(shades(shrunk(band[None])), [0, 0, 0])))


def _resampled(mask: np.ndarray, px: int | None) -> np.ndarray:
    return mask if px is None else np.moveaxis(nearest(np.moveaxis(mask, -1, 0), px), 0, -1)
