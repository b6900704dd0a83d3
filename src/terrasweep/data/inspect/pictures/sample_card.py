"""One sample as a card: its images, its label in colours, and what a model gets."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from terrasweep.config.band_choice import PHOTO
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import MASK, Listing
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, Colour, class_colour, css, ramp
from terrasweep.data.inspect.pictures.encode import drawing, photo
from terrasweep.data.inspect.pictures.model_view import as_a_model_sees, shades
from terrasweep.data.inspect.pictures.read_pixels import Unreadable, read_pixels
from terrasweep.data.inspect.survey import IMAGE

MOST_PX = 1024
"""Of larger images some rows and columns are left out."""
_THUMBNAIL_PX = 192
_OVER = 130
"""Opacity, of 255, of a mask that lies over its image."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image of a card."""

    title: str
    note: str = ""
    """What its values are."""
    source: str
    """Its pixels as a ``data:`` address."""
    over: str = ""
    """The mask, half transparent, to be laid over it; empty where there is none."""
    sharp: bool = False
    """Whether its pixels are drawn as squares."""


@dataclass(frozen=True, kw_only=True)
class SampleCard:
    """A sample as a person sees it."""

    split: str
    name: str
    pictures: list[Picture]
    labels: list[tuple[str, str]] = field(default_factory=list)
    """Of a whole image: names of its classes, and their colours."""
    problem: str = ""
    """Why something is not shown."""


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
        pictures: list[Picture] = []
        problems: list[str] = []
        mask = self._mask(split, name, problems)
        seen: list[Picture] = []
        for modality in self.listing.modalities:
            title = "" if modality == IMAGE else f"{modality}: "
            try:
                pixels = self.read(split, name, modality)
            except Unreadable as error:
                problems.append(f"{title}{error}")
                continue
            over = drawing(_shrunk_mask(_with_opacity(mask, _OVER))) if mask is not None else ""
            pictures.append(Picture(title=f"{title}image", source=photo(self._composite(pixels, modality)), over=over))
            if (normalised := self.normalised(pixels, modality)) is not None:
                drawn = photo(_rgb(shades(_shrunk(normalised)), self.shown_bands(modality, len(pixels))))
                seen.append(Picture(title=f"{title}model's input", note=_span(normalised), source=drawn))
        if mask is not None:
            title = "targets" if self.case.task == "regression" else "mask"
            pictures.append(Picture(title=title, source=drawing(_shrunk_mask(mask)), sharp=True))
        return SampleCard(
            split=split,
            name=name,
            pictures=[*pictures, *seen],
            labels=self._labels(split, name),
            problem="; ".join(problems),
        )

    def read(self, split: str, name: str, modality: str) -> np.ndarray:
        """A sample's image; of several dates, which lie one after the other, the first.

        Raises:
            Unreadable: It is no image, or is damaged.
        """
        pixels = read_pixels(self.listing.file(split, name, modality), MOST_PX)
        return pixels[: bands_of_a_date(self.case, modality, len(pixels))]

    def normalised(self, pixels: np.ndarray, modality: str) -> np.ndarray | None:
        """A modality's pixels as a model gets them; None where the statistics don't fit the file."""
        data = self.config.data
        given = data.modalities.get(modality, data)
        if not given.means or not given.stds or not len(given.means) == len(given.stds) == len(pixels):
            return None
        return as_a_model_sees(pixels, given.means, given.stds, data.no_data_replace, data.resize_px)

    def shown_bands(self, modality: str, count: int) -> list[int]:
        """Places of the bands drawn red, green and blue: those so called, else the first three, or the first."""
        names = [name.upper() for name in self.case.band_names(modality, count)]
        if all(name in names for name in PHOTO):
            return [names.index(name) for name in PHOTO]
        return [0, 1, 2] if count >= len(PHOTO) else [0, 0, 0]

    def _composite(self, pixels: np.ndarray, modality: str) -> np.ndarray:
        limits = self.stretch.get(modality, [])
        if len(limits) != len(pixels):
            limits = [_ends(band) for band in pixels]
        low, high = (np.array(ends, np.float32)[:, None, None] for ends in zip(*limits, strict=True))
        scaled = (_shrunk(pixels) - low) / np.maximum(high - low, 1e-12)
        grey = (np.clip(np.nan_to_num(scaled), 0, 1) * 255).round().astype(np.uint8)
        return _rgb(grey, self.shown_bands(modality, len(pixels)))

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


def bands_of_a_date(case: Case, modality: str, count: int) -> int:
    """How many of a file's bands are of one date: all, unless they are a multiple of those that have names."""
    names = len(case.declared_bands(modality) or case.survey.bands.get(modality) or ())
    return names if names and count % names == 0 else count


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
    return Picture(title=title, note=note, source=photo(_rgb(shades(_shrunk(band[None])), [0, 0, 0])))


def _span(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return f"{finite.min():.1f} to {finite.max():.1f}" if finite.size else "no value"


def _rgb(bands: np.ndarray, places: list[int]) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(bands[places], 0, -1))


def _shrunk(pixels: np.ndarray) -> np.ndarray:
    """Means over squares, so that an image is no larger than it is drawn."""
    step = -(-max(pixels.shape[1:]) // _THUMBNAIL_PX)
    if step == 1:
        return pixels
    height, width = pixels.shape[1] // step or 1, pixels.shape[2] // step or 1
    kept = pixels[:, : height * step, : width * step]
    if kept.shape[1] < height * step or kept.shape[2] < width * step:
        return pixels[:, ::step, ::step]
    blocks = kept.reshape(len(pixels), height, step, width, step)
    means: np.ndarray = blocks.mean(axis=(2, 4))
    return means


def _shrunk_mask(mask: np.ndarray) -> np.ndarray:
    step = -(-max(mask.shape[:2]) // _THUMBNAIL_PX)
    return np.ascontiguousarray(mask[step // 2 :: step, step // 2 :: step])


def _with_opacity(mask: np.ndarray, opacity: int) -> np.ndarray:
    faint = mask.copy()
    faint[..., 3] = opacity
    return faint


def _ends(band: np.ndarray) -> tuple[float, float]:
    finite = band[np.isfinite(band)]
    return tuple(np.percentile(finite, (2, 98)).tolist()) if finite.size else (0.0, 1.0)
