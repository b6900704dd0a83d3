"""When and where samples are: what backbones like Prithvi TL are told beside the images. Imports no torch."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import Any

from rasterio.warp import transform

from terrasweep.config.input_frames import LOCATION, TIME, input_coordinates
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import DATES
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.views.file_set import NOTE, Remark
from terrasweep.data.views.headers import Header, read_headers
from terrasweep.data.views.places import NOT_ON_EARTH

_DEGREES = "EPSG:4326"


def find_coordinates(listing: Listing, config: TrialConfig) -> Listing:
    """The listing with the dates and the place of each sample's first image, where every sample has them.

    Where an image does not say where it is, the list of scenes may.

    Nothing is looked for where ``data.frames`` is null.
    """
    if config.data.frames is None:
        return listing
    kind = listing.modalities[0]
    files = {(split, name): listing.file(split, name, kind) for split, names in listing.names.items() for name in names}
    headers, unreadable = read_headers(files.values())
    known = {sample: headers[str(file)] for sample, file in files.items() if str(file) in headers}
    listed = {
        (split, name): of[LOCATION]
        for split, places in listing.coordinates.items()
        for name, of in places.items()
        if LOCATION in of and (split, name) in known
    }
    found: dict[str, dict[tuple[str, str], Any]] = {TIME: _times(known), LOCATION: listed | _locations(known)}
    complete = [what for what, of in found.items() if of and len(of) + len(unreadable) == len(files)]
    coordinates: dict[str, dict[str, dict[str, Any]]] = {split: {} for split in listing.names}
    for split, name in known:
        coordinates[split][name] = {what: found[what][split, name] for what in complete}
    return replace(listing, coordinates=coordinates, remarks=[*listing.remarks, asdict(_note(complete))])


def given_coordinates(listing: Listing, config: TrialConfig) -> list[str]:
    """What the backbone is told of the samples: ``time``, ``location``, both or nothing."""
    samples = [found for names in listing.coordinates.values() for found in names.values()]
    return [kind for kind in input_coordinates(config) if samples and all(kind in found for found in samples)]


def temporal_coordinates(dates: list[date]) -> list[list[float]]:
    """Year and day of the year, from 0, of each date, as Prithvi TL takes them."""
    return [[float(day.year), float(day.timetuple().tm_yday - 1)] for day in dates]


def _times(headers: dict[tuple[str, str], Header]) -> dict[tuple[str, str], list[list[float]]]:
    tags = {sample: dict(header.tags).get(DATES) for sample, header in headers.items()}
    return {
        sample: temporal_coordinates([date.fromisoformat(day) for day in text.split(",")])
        for sample, text in tags.items()
        if text
    }


def _locations(headers: dict[tuple[str, str], Header]) -> dict[tuple[str, str], list[float]]:
    """Latitude and longitude of the centre of each image that has a place on the ground."""
    placed: dict[str, list[tuple[tuple[str, str], float, float]]] = {}
    for sample, header in headers.items():
        if header.crs and header.transform is not None:
            a, b, c, d, e, f = header.transform
            column, row = header.width / 2, header.height / 2
            placed.setdefault(header.crs, []).append((sample, a * column + b * row + c, d * column + e * row + f))
    found = {}
    for crs, centres in placed.items():
        try:
            longitudes, latitudes = transform(crs, _DEGREES, [x for _, x, _ in centres], [y for _, _, y in centres])
        except NOT_ON_EARTH:
            continue
        for (sample, _, _), latitude, longitude in zip(centres, latitudes, longitudes, strict=True):
            found[sample] = [float(latitude), float(longitude)]
    return found


def _note(complete: list[str]) -> Remark:
    lacking = [what for what in (TIME, LOCATION) if what not in complete]
    told = " and ".join(complete) or "neither time nor location"
    line = f"data.frames: backbones that take coordinates (Prithvi TL) are told {told}"
    if complete and lacking:
        line += f"; not {lacking[0]}, which not every image has"
    return Remark(rule="coordinates", level=NOTE, line=line)
