"""What is wrong about ``data.labels`` before any file is opened. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import combinations
from typing import Any

from terrasweep.config.data import IGNORE, LabelsConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.root_folders import vector_file

_EXCLUSIVE = ("table", "map", "threshold", "colours", "vector")
"""Ways to say what labels are, of which one holds."""
_OF_OTHERS = ("table", "keep_no_data")
"""Settings that are judged elsewhere."""
_OF_POLYGONS = ("layer", "class_column", "all_touched", "outside")
_CHANNELS = (3, 4)
"""Numbers of a colour: red, green and blue, with or without alpha."""


def find_bad_labels(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """One line per setting of ``data.labels`` that is wrong; also where its file is absent, unless ``files=False``."""
    labels, plain = config.data.label_settings, asdict(LabelsConfig())
    given = {key: value for key, value in asdict(labels).items() if value != plain[key] and key not in _OF_OTHERS}
    if given:
        yield from _out_of_place(config, next(iter(given)))
    yield from _map(labels)
    yield from _colours(labels)
    yield from _merge(labels)
    yield from _together(labels, given)
    if labels.threshold is not None and not _is_number(labels.threshold):
        yield f"data.labels.threshold={labels.threshold}: it is no number; use the lowest value of class 1, like 128"
    if labels.outside not in (0, IGNORE) or isinstance(labels.outside, bool):
        yield f"data.labels.outside={labels.outside}: unknown; use 0, a class of its own, or {IGNORE}"
    if config.task.ignore_index is None and _ignores(labels):
        yield f"data.labels with {IGNORE} and task.ignore_index=null: no label stands for it; set one, like -1"
    if files and labels.vector is not None and not getattr(vector_file(config), "is_file", bool)():
        yield f"data.labels.vector={labels.vector}: there is no such file below data.root or as a path; correct it"


def _out_of_place(config: TrialConfig, key: str) -> Iterator[str]:
    if config.task.name != "segmentation":
        yield (
            f"data.labels.{key} with task={config.task.name}: it is about masks of classes; drop it, or use "
            "task=segmentation"
        )
    elif config.data.name == "synthetic" or config.data.datamodule is not None:
        yield f"data.labels.{key} with data={config.data.name}: its labels are read by its own rules; drop it"


def _map(labels: LabelsConfig) -> Iterator[str]:
    if labels.map is None:
        return
    if not isinstance(labels.map, Mapping) or not labels.map:
        yield f"data.labels.map={labels.map}: stored values with their classes are needed; use for example {{255: 1}}"
        return
    for value, target in labels.map.items():
        if not is_whole(value):
            yield f"data.labels.map: {value} is no whole number; name values as the masks have them"
        if target != IGNORE and (not is_whole(target) or int(target) < 0):
            yield (
                f"data.labels.map: {value} becomes {target}, which is no class; use a number from 0, or {IGNORE} "
                "(data.labels.merge takes names)"
            )


def _colours(labels: LabelsConfig) -> Iterator[str]:
    if labels.colours is None:
        return
    if not isinstance(labels.colours, Mapping) or not labels.colours:
        yield "data.labels.colours: classes with their colours are needed; use for example {0: [0, 0, 0]}"
        return
    yield from _class_keys("colours", labels.colours)
    wrong = [name for name, colour in labels.colours.items() if not _is_colour(colour)]
    for name in wrong:
        yield f"data.labels.colours: {name} has {labels.colours[name]}; give [red, green, blue], each from 0 to 255"
    if not wrong and len({len(colour) for colour in labels.colours.values()}) > 1:
        yield "data.labels.colours: some colours have three numbers and some four; give all of them alpha, or none"
    for (one, colour), (other, same) in combinations(labels.colours.items(), 2):
        if colour == same and not wrong:
            yield f"data.labels.colours: {one} and {other} have one colour, {colour}; join them by data.labels.merge"
    if not isinstance(labels.colour_distance, int) or not 0 <= labels.colour_distance <= 255:
        yield f"data.labels.colour_distance={labels.colour_distance}: it lies outside 0 to 255; use 0 for exact colours"


def _merge(labels: LabelsConfig) -> Iterator[str]:
    if labels.merge is None:
        return
    if not isinstance(labels.merge, Mapping) or not labels.merge:
        yield "data.labels.merge: classes with what makes them up are needed; use for example {water: [3, 4]}"
        return
    yield from _class_keys("merge", labels.merge)
    seen: dict[str, str] = {}
    for name, members in labels.merge.items():
        if not isinstance(members, list) or not members:
            yield f"data.labels.merge: {name} has {members}; give a list of stored classes, like [3, 4]"
            continue
        for member in map(str, members):
            if member in seen:
                yield f"data.labels.merge: {member} is in {seen[member]} and {name}; name it once"
            elif labels.vector is None and labels.colours is None and not is_whole(member):
                yield f"data.labels.merge: {member} in {name} is no whole number; name values as the masks have them"
            seen[member] = name


def _class_keys(setting: str, table: Mapping[str, Any]) -> Iterator[str]:
    classes = [key for key in table if key != IGNORE]
    numbers = [key for key in classes if is_whole(key)]
    if numbers and len(numbers) < len(classes):
        yield f"data.labels.{setting}: {', '.join(classes)} are partly numbers and partly names; use one of both"
    if any(int(number) < 0 for number in numbers):
        yield f"data.labels.{setting}: {min(map(int, numbers))} is no class; number them from 0, or use {IGNORE}"


def _together(labels: LabelsConfig, given: Mapping[str, Any]) -> Iterator[str]:
    ways = [key for key in _EXCLUSIVE if getattr(labels, key) is not None]
    if len(ways) > 1:
        yield f"data.labels.{ways[0]} with data.labels.{ways[1]}: each says what the labels are; drop one"
    if labels.merge is not None and (alone := [key for key in ("table", "map", "threshold") if key in ways]):
        yield f"data.labels.merge with data.labels.{alone[0]}: each numbers the classes; drop one"
    for key in _OF_POLYGONS:
        if key in given and labels.vector is None:
            yield f"data.labels.{key} without data.labels.vector: it is about polygons; name their file, or drop it"
    if "colour_distance" in given and labels.colours is None:
        yield "data.labels.colour_distance without data.labels.colours: it is about colours; name them, or drop it"


def _ignores(labels: LabelsConfig) -> bool:
    tables = (labels.colours, labels.merge)
    named = any(isinstance(table, Mapping) and IGNORE in table for table in tables)
    mapped = isinstance(labels.map, Mapping) and IGNORE in labels.map.values()
    return named or mapped or labels.merge is not None or labels.colours is not None or labels.outside == IGNORE


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, or a text of one."""
    text = str(value).removeprefix("-")
    return not isinstance(value, bool | float) and text.isascii() and text.isdigit()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _is_colour(colour: object) -> bool:
    return (
        isinstance(colour, list)
        and len(colour) in _CHANNELS
        and all(isinstance(level, int) and not isinstance(level, bool) and 0 <= level <= 255 for level in colour)
    )
