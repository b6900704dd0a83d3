"""All pictures of a data set, from its stored listing and survey and a few of its files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.find.tiles import SCENE
from terrasweep.data.inspect.checks import Finding
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.pictures.cards import SampleCard
from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, class_colour, css, ramp
from terrasweep.data.inspect.pictures.histograms import BandHistogram, band_histogram
from terrasweep.data.inspect.pictures.input_cards import ModelInput, input_cards
from terrasweep.data.inspect.pictures.read_pixels import Unreadable, read_pixels
from terrasweep.data.inspect.pictures.sample_card import Look, bands_of_a_date, target_range
from terrasweep.data.inspect.pictures.shown_by import Examples
from terrasweep.data.inspect.pictures.tile_map import TileMap, tile_maps
from terrasweep.data.inspect.survey import IMAGE, Survey
from terrasweep.data.views.headers import Header, read_headers
from terrasweep.machine import startup
from terrasweep.results.wording import listed, rounded

CARDS = {"train": 6, "val": 4, "test": 2}
"""Samples that are shown."""
_COUNTED = 48
"""Samples of train and of val whose values the histograms count."""
_COUNTED_PX = 128
_PLACED = 1500
"""Tiles on the maps."""
_READERS = 4
_EXAMPLES = 12
"""Findings with a sample beside them."""
_NAMED = 40
"""Classes in the legend."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A finding, and the samples that show it."""

    finding: Finding
    cards: list[SampleCard] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class DataPictures:
    """Everything on the page but the numbers of the summary."""

    findings: list[Explained]
    absent: str = ""
    """Why there are no pictures."""
    cards: list[SampleCard] = field(default_factory=list)
    shown: str = ""
    """Which bands the cards show, and how."""
    legend: list[tuple[str, str]] = field(default_factory=list)
    """Names and colours."""
    more_classes: int = 0
    ramp: tuple[str, str, str] | None = None
    """For targets: colours as a gradient, the least and the largest value."""
    model_inputs: list[ModelInput] = field(default_factory=list)
    augment: str = "none"
    """The option that turns them."""
    histograms: list[tuple[str, list[BandHistogram]]] = field(default_factory=list)
    """By modality."""
    counted: dict[str, int] = field(default_factory=dict)
    """Samples that the histograms count, by split."""
    maps: list[TileMap] = field(default_factory=list)


def draw(config: TrialConfig, survey: Survey, findings: list[Finding]) -> DataPictures:
    """Draw a data set that was looked at.

    Args:
        config: As the user wrote it.
        survey: Of its data.
        findings: What the checks found.
    """
    startup.quiet_rasterio()
    located = stored.located(config)
    if config.data.datamodule is not None:
        return DataPictures(
            findings=[Explained(finding=finding) for finding in findings],
            absent=f"{config.data.datamodule} reads these data: terrasweep knows its tensors, and no files to show.",
        )
    listing = stored.read_listing(located)
    case = Case(survey, config)
    values = {modality: _values(listing, case, modality) for modality in listing.modalities}
    stretch = {modality: _stretch(found) for modality, found in values.items()}
    look = Look(stored.complete(located), case, listing, stretch)
    headers = _some_headers(listing)
    legend, more = _legend(case)
    return DataPictures(
        findings=_explained(findings, look, Examples(listing, case, headers)),
        cards=[look.card(*sample) for sample in _drawn_by_chance(listing, CARDS)],
        shown=_shown(look),
        legend=legend,
        more_classes=more,
        ramp=_gradient(case),
        model_inputs=input_cards(look),
        augment=config.augment.name,
        histograms=[(modality, _histograms(case, modality, found)) for modality, found in values.items()],
        counted={split: min(_COUNTED, len(names)) for split, names in listing.names.items() if split != "test"},
        maps=tile_maps([(split, header) for (split, _), header in headers.items()], SCENE),
    )


def _drawn_by_chance(listing: Listing, number: dict[str, int]) -> list[tuple[str, str]]:
    """So many samples of each split, always the same ones."""
    chosen = []
    for split, names in listing.names.items():
        count = min(number.get(split, 0), len(names))
        places = np.sort(np.random.default_rng(0).choice(len(names), count, replace=False))
        chosen += [(split, names[place]) for place in places.tolist()]
    return chosen


def _values(listing: Listing, case: Case, modality: str) -> dict[str, np.ndarray]:
    """By split the values of some samples, (bands, pixels of all dates); none of files with another number of bands."""
    samples = _drawn_by_chance(listing, {"train": _COUNTED, "val": _COUNTED})

    def attempt(sample: tuple[str, str]) -> np.ndarray | None:
        try:
            pixels = read_pixels(listing.file(*sample, modality), _COUNTED_PX)
        except Unreadable:
            return None
        bands = bands_of_a_date(case.config.data, modality, len(pixels))
        dates = pixels.reshape(-1, bands, *pixels.shape[1:])
        return dates.swapaxes(0, 1).reshape(bands, -1)

    with ThreadPoolExecutor(_READERS) as readers:
        read = [(split, found) for (split, _), found in zip(samples, readers.map(attempt, samples), strict=True)]
    counts = [len(found) for _, found in read if found is not None]
    bands = max(set(counts), key=counts.count, default=0)
    by_split: dict[str, list[np.ndarray]] = {}
    for split, found in read:
        if found is not None and len(found) == bands:
            by_split.setdefault(split, []).append(found)
    return {split: np.concatenate(found, axis=1) for split, found in by_split.items()}


def _stretch(values: dict[str, np.ndarray]) -> list[tuple[float, float]]:
    """Per band the 2nd and the 98th percentile of its values, those apart left out."""
    bands = len(next(iter(values.values()))) if values else 0
    limits = []
    for band in range(bands):
        pooled = np.concatenate([found[band] for found in values.values()])
        histogram = band_histogram("", {"": pooled})
        marked = [value for value, _ in histogram.apart] if histogram else []
        left = pooled[np.isfinite(pooled) & ~np.isin(pooled, marked)]
        low, high = np.percentile(left, (2, 98)).tolist() if left.size else (0.0, 1.0)
        limits.append((low, high))
    return limits


def _histograms(case: Case, modality: str, values: dict[str, np.ndarray]) -> list[BandHistogram]:
    count = len(next(iter(values.values()))) if values else 0
    found = (
        band_histogram(name, {split: pixels[place] for split, pixels in values.items()})
        for place, name in enumerate(case.band_names(modality, count))
    )
    return [histogram for histogram in found if histogram is not None]


def _some_headers(listing: Listing) -> dict[tuple[str, str], Header]:
    """Of the first kind of images, of tiles drawn by chance from each split alike."""
    total = sum(map(len, listing.names.values()))
    share = min(1.0, _PLACED / total) if total else 1.0
    samples = _drawn_by_chance(listing, {split: max(1, int(len(n) * share)) for split, n in listing.names.items()})
    files = {sample: listing.file(*sample, listing.modalities[0]) for sample in samples}
    headers, _ = read_headers(files.values())
    return {sample: headers[str(file)] for sample, file in files.items() if str(file) in headers}


def _explained(findings: list[Finding], look: Look, examples: Examples) -> list[Explained]:
    explained, left = [], _EXAMPLES
    for finding in findings:
        samples = examples.of(finding) if left else []
        left -= bool(samples)
        explained.append(Explained(finding=finding, cards=[look.card(*sample) for sample in samples]))
    return explained


def _shown(look: Look) -> str:
    """``RED, GREEN, BLUE`` for each modality."""
    parts = []
    for modality in look.listing.modalities:
        bands = len(look.stretch[modality])
        if bands:
            names = look.case.band_names(modality, bands)
            drawn = list(dict.fromkeys(names[place] for place in look.shown_bands(modality, bands)))
            parts.append(f"{'' if modality == IMAGE else f'{modality}: '}{listed(drawn)}")
    return "; ".join(parts)


def _legend(case: Case) -> tuple[list[tuple[str, str]], int]:
    if case.task == "regression":
        return [], 0
    ignored = case.config.task.ignore_index
    numbers = [number for number in range(case.num_classes or 0) if number != ignored]
    names = [(case.class_name(number), css(class_colour(number))) for number in numbers[:_NAMED]]
    seen = {label for split in case.survey.splits.values() for label in split.labels.counts}
    if ignored in seen:
        names.append(("does not count", css(IGNORED)))
    if seen - {ignored, *range(case.num_classes or 0)}:
        names.append(("no class", css(OUTSIDE)))
    return names, max(0, len(numbers) - _NAMED)


def _gradient(case: Case) -> tuple[str, str, str] | None:
    if case.task != "regression":
        return None
    low, high = target_range(case)
    colours = [css((int(r), int(g), int(b))) for r, g, b in ramp(np.linspace(0, 1, 5))]
    return f"linear-gradient(90deg, {', '.join(colours)})", rounded(low), rounded(high)
