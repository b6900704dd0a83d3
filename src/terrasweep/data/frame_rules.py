"""What is wrong about the settings of samples of several dates. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator

from terrasweep.config.data import BAND_MAJOR, DATE_MAJOR, FILES, FOR_ONE_DATE, DataConfig
from terrasweep.results.wording import nearest

_EXAMPLE = "\"data.date_pattern='(?P<place>.+)_(?P<date>\\d{8})'\""
_ORDERS = (DATE_MAJOR, BAND_MAJOR, FILES)


def find_bad_frames(data: DataConfig) -> Iterator[str]:
    """One line per value about dates that is wrong on its own."""
    given = {"data.frames": data.frames} | {f"data.modalities.{n}.frames": m.frames for n, m in data.modalities.items()}
    yield from (
        f"{key}={value}: it must be at least 1" for key, value in given.items() if value is not None and value < 1
    )
    if data.frame_order not in (None, *_ORDERS):
        yield f"data.frame_order={data.frame_order}: unknown; {nearest(str(data.frame_order), _ORDERS)}"
    if data.frames_for_one_date not in FOR_ONE_DATE:
        yield f"data.frames_for_one_date={data.frames_for_one_date}: unknown; use {', '.join(FOR_ONE_DATE)}"
    if data.date_pattern is not None and (reason := _wrong_pattern(data.date_pattern)):
        yield (f"data.date_pattern={data.date_pattern}: {reason}; use for example {_EXAMPLE}")


def find_misplaced_frames(data: DataConfig) -> Iterator[str]:
    """One line per setting about dates that does not go with the data set."""
    given = {
        "data.frame_order": data.frame_order,
        "data.date_pattern": data.date_pattern,
        **{f"data.modalities.{name}.frames": m.frames for name, m in data.modalities.items()},
    }
    alone = [f"{key}={value}" for key, value in given.items() if value is not None]
    if data.frames is None and alone:
        yield f"{alone[0]} with data.frames=null: nothing is said of dates; set data.frames to the dates per sample"
    if data.frames is not None and data.name == "synthetic":
        yield f"data.frames={data.frames} with data=synthetic: its tiles are of no date; drop it"
    if data.frames is not None and data.datamodule is not None and alone:
        yield f"{alone[0]} with data={data.name}: its datamodule divides the dates itself; drop it"


def _wrong_pattern(pattern: str) -> str:
    """Why a pattern is of no use; empty where it is."""
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        return f"it is no regular expression ({error})"
    if "place" not in groups:
        return "it has no group named place"
    return "" if {"date", "frame"} & groups.keys() else "it has no group named date or frame"
