"""``data.html``: a data set to look at, with what the checks say of it, in one file that opens anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrasweep.data.inspect.checks.case import ERROR, WARNING
from terrasweep.data.inspect.pictures.draw import DataPictures
from terrasweep.data.inspect.pictures.histograms import BandHistogram
from terrasweep.data.inspect.pictures.tile_map import WIDTH
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.machine.files import write_atomically
from terrasweep.report.data_section import data_section
from terrasweep.report.packaged import render_page
from terrasweep.results.wording import counted, percent, rounded

DATA_PAGE = "data.html"
"""Its name in a study's folder."""
CLASSES = 60
"""Classes whose shares are drawn."""
BANDS = 32
"""Bands whose histograms are drawn."""
PLOT = (300.0, 80.0)
"""Width and height of a histogram, in units of its drawing."""
_BESIDE = 30.0
"""Of which the room at either side for values that stand apart."""


@dataclass(frozen=True, kw_only=True)
class PlottedBand:
    """A band's histogram, ready to be drawn."""

    name: str
    outlines: dict[str, str]
    """By split a path of SVG."""
    ends: tuple[str, str]
    """Values at its left and right."""
    apart: list[tuple[float, float]]
    """Places and heights of bars beside it."""
    notes: list[str]
    """What is no value, or looks as if it stood for none."""


def write_data_page(file: Path, pictures: DataPictures, described: dict[str, Any]) -> None:
    """Write the page.

    Args:
        file: Where to.
        pictures: What is drawn.
        described: As :func:`terrasweep.data.inspect.checks.describe` gives it.
    """
    summary = described["summary"]
    classes = sorted(summary["classes"], key=lambda entry: -(entry["shares"].get("train") or 0.0))[:CLASSES]
    shown = [entry for entry in summary["classes"] if entry in classes]
    page = render_page(
        "data.html",
        "data.css",
        place=summary["place"],
        task=summary["task"],
        verdict=_verdict(pictures),
        pictures=pictures,
        section=data_section(described),
        splits=[split["name"] for split in summary["splits"]],
        classes=_bars(shown),
        more_classes=len(summary["classes"]) - len(shown),
        histograms=[plotted(modality, bands, summary) for modality, bands in pictures.histograms if bands],
        image=IMAGE,
        map_width=WIDTH,
        plot=PLOT,
    )
    write_atomically(file, page)


def _verdict(pictures: DataPictures) -> str:
    levels = [explained.finding.level for explained in pictures.findings]
    found = [counted(levels.count(level), level) for level in (ERROR, WARNING) if level in levels]
    if ERROR in levels:
        return f"{' and '.join(found)}: a sweep on this data would not start."
    return f"{found[0]}: a sweep would start." if found else "Nothing was found that is wrong."


def _bars(classes: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, str, float]]]]:
    """A class's name, and by split its share as text and as the width of a bar in percent of the longest."""
    longest = max((share for entry in classes for share in entry["shares"].values() if share), default=1.0)
    return [
        (
            f"{entry['label']} {entry['name']}".rstrip(),
            [
                (split, percent(share), round(100 * share / longest, 1))
                for split, share in entry["shares"].items()
                if share is not None
            ],
        )
        for entry in classes
    ]


def plotted(modality: str, bands: list[BandHistogram], summary: dict[str, Any]) -> tuple[str, list[PlottedBand]]:
    """The histograms of a modality; the first :data:`BANDS`."""
    seen = (band for images in summary["images"] if images["modality"] == modality for band in images["bands"])
    missing = {band["name"]: max(band["not_finite"].values(), default=0.0) for band in seen}
    return modality, [_plot(band, missing.get(band.band, 0.0)) for band in bands[:BANDS]]


def _plot(band: BandHistogram, missing: float) -> PlottedBand:
    highest = max((share for bins in band.bins.values() for share in bins), default=1.0)
    notes = [f"no data: {percent(missing)}"] if missing else []
    notes += [f"{rounded(value)} stands apart: {percent(share)}" for value, share in band.apart]
    return PlottedBand(
        name=band.band,
        outlines={split: _outline(bins, highest) for split, bins in band.bins.items()},
        ends=(rounded(band.low), rounded(band.high)),
        apart=[
            (4.0 if value < band.low else PLOT[0] - 18.0, max(3.0, min(1.0, share / highest) * PLOT[1]))
            for value, share in band.apart
        ],
        notes=notes,
    )


def _outline(bins: list[float], highest: float) -> str:
    """Steps from the left to the right, closed along the bottom."""
    width, height = (PLOT[0] - 2 * _BESIDE) / len(bins), PLOT[1]
    steps = "".join(f"V{height - share / highest * height:.1f}h{width:.2f}" for share in bins)
    return f"M{_BESIDE} {height}{steps}V{height}z"
