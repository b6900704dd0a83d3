"""Which scenes of a list are dates of one place. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from terrasweep.config.data import FILES, DataConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import FrameName, dates_in, may_be_files, read_name, without_dates
from terrasweep.data.find.frame_counts import Frame, check_frames
from terrasweep.data.find.readings import MASK
from terrasweep.data.find.scenes import Scene, SceneList, short_names
from terrasweep.results.errors import DataError
from terrasweep.results.wording import counted

PLACE = "column place"
"""What a list calls the places themselves."""
_ENDING = ".tif"
"""Stands behind names that are those of no file, since what follows a name's last point is no part of it."""


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A way to tell places apart."""

    sign: str
    """By what."""
    keys: list[str]
    """One per scene, alike for those of one place."""
    names: list[str]
    """What a scene's place is called."""
    is_certain: bool = False
    """Whether scenes that agree are of one place, also where dates lack."""

    @property
    def groups(self) -> list[list[int]]:
        """The scenes of each place; those without a key are places of their own."""
        found: dict[object, list[int]] = {}
        for index, key in enumerate(self.keys):
            found.setdefault(key or index, []).append(index)
        return list(found.values())


def gather_scenes(found: SceneList, config: TrialConfig, root: Path) -> SceneList:
    """A list of places with all their dates, of one in which each date of a place is a scene of its own.

    Nothing is looked for where ``data.frames`` is null. Where the scenes that may be of one place are not as many as
    there are dates, each file is one that holds all dates.

    Args:
        found: Whose files are there.
        config: Says how many dates there are.
        root: The list.

    Raises:
        DataError: A place has other dates than are asked for, or its scenes contradict each other.
    """
    if config.data.frames is None:
        return found
    way = None
    scenes = found.scenes
    if may_be_files(config.data):
        scenes = [_dated_by_name(scene, config.data) for scene in scenes]
        way = _chosen(scenes, config)
    if way is None:
        _check_stacks(found, config, root)
        return replace(found, scenes=[_with_days(scene, config.data) for scene in found.scenes])
    groups = [(way.names[group[0]], [scenes[index] for index in group]) for group in way.groups]
    _check_dated(groups, root)
    _check_counts(groups, config)
    gathered = [_place_of(name, group, root) for name, group in groups]
    note = (
        f"{found.note}; {counted(len(gathered), 'place')} of {counted(len(scenes), 'scene')}, told apart by {way.sign}"
    )
    return replace(found, scenes=gathered, note=note)


def _check_stacks(found: SceneList, config: TrialConfig, root: Path) -> None:
    """See that a table does not say of one date each what would be read as files that hold all dates."""
    data = config.data
    if (data.frames or 1) == 1 or data.frame_order is not None or not found.dated_by:
        return
    if all(len(scene.days) == 1 for scene in found.scenes):
        raise DataError(
            f"data.frames={data.frames} with data.root={root}: {found.dated_by} has one date in each line, and nothing "
            "tells which lines are of one place; add a column place, or set data.frame_order=date_major or band_major "
            "where each file holds all dates"
        )


def _with_days(scene: Scene, data: DataConfig) -> Scene:
    """A scene of one date, or whose files hold all dates, with what the list says of them."""
    frames = {}
    for kind, file in scene.files.items():
        number = data.frames_of(kind)
        days = scene.days[:1] if number == 1 else scene.days
        if kind != MASK and len(days) == number:
            frames[kind] = [(",".join(days), file)]
    return replace(scene, frames=frames)


def _dated_by_name(scene: Scene, data: DataConfig) -> Scene:
    """A scene with the date in its name, or in those of its file and folder, where the list has no better one."""
    if scene.order:
        return scene
    read = _read(scene, data)
    return replace(scene, order=read.order, days=(read.taken,) if read.taken else ())


def _read(scene: Scene, data: DataConfig) -> FrameName:
    """What a scene's own name, or else the path of its first file, says of place and date."""
    if scene.is_named:
        read = read_name(scene.name + _ENDING, data.date_pattern)
        return replace(read, place=read.place.removesuffix(_ENDING))
    file = next(iter(scene.files.values()))
    read = read_name(str(file), data.date_pattern)
    days = dates_in(str(file.parent))
    if read.order or data.date_pattern is not None or not days:
        return read
    day = days[-1].isoformat()
    return FrameName(place=str(Path(without_dates(str(file.parent)), file.name)), order=day, taken=day)


def _chosen(scenes: Sequence[Scene], config: TrialConfig) -> _Way | None:
    """The first way by which all places have the wanted dates; else one by which they are meant to."""
    meant = None
    for way in _ways(scenes, config.data):
        groups = [[scenes[index] for index in group] for group in way.groups]
        if all(len(group) == 1 for group in groups):
            continue
        whole = sum(_is_whole(group, config.data) for group in groups)
        if whole == len(groups):
            return way
        if meant is None and (way.is_certain or 2 * whole > len(groups)):
            meant = way
    if meant is None and config.data.frame_order == FILES:
        meant = next(_ways(scenes, config.data))
    return meant


def _ways(scenes: Sequence[Scene], data: DataConfig) -> Iterator[_Way]:
    """All ways to tell places apart, the surest first."""
    sites = list(dict.fromkeys(what for scene in scenes for what in scene.site))
    if PLACE in sites:
        yield _by_site(scenes, PLACE)
    read = [_read(scene, data).place for scene in scenes]
    paths = [Path(place) for place in read]
    names = read if scenes[0].is_named else _short(paths)
    told = "their names without the dates" if scenes[0].is_named else "their files' names without the dates"
    yield _Way(sign=told, keys=read, names=names, is_certain=True)
    masks = [str(scene.files.get(MASK, "")) for scene in scenes]
    yield _Way(sign="the mask that they share", keys=masks, names=_short([Path(mask) for mask in masks]))
    for what in sites:
        if what != PLACE:
            yield _by_site(scenes, what)


def _by_site(scenes: Sequence[Scene], what: str) -> _Way:
    """By what the list says: its words are the places' names where it has such, else their first scene's."""
    keys = [scene.site.get(what, "") for scene in scenes]
    is_name = what.startswith("column")
    names = [key if is_name and key else scene.name for key, scene in zip(keys, scenes, strict=True)]
    return _Way(sign=what, keys=keys, names=names, is_certain=what == PLACE and any(scene.order for scene in scenes))


def _short(paths: Sequence[Path]) -> list[str]:
    unique = list(dict.fromkeys(paths))
    names = dict(zip(unique, short_names(unique), strict=True))
    return [names[path] for path in paths]


def _is_whole(scenes: Sequence[Scene], data: DataConfig) -> bool:
    """Whether scenes make up one place with all its dates, each once as far as they are known."""
    numbers = {kind: len(_paths(scenes, kind)) for kind in scenes[0].files if kind != MASK}
    as_wanted = all(number in (1, data.frames_of(kind)) for kind, number in numbers.items())
    orders = {scene.order for scene in scenes}
    each_once = "" in orders or len(orders) == len(scenes)
    return as_wanted and each_once and len(scenes) == max(numbers.values()) > 1


def _paths(scenes: Sequence[Scene], kind: str) -> list[Path]:
    return list(dict.fromkeys(scene.files[kind] for scene in scenes if kind in scene.files))


def _check_dated(groups: Sequence[tuple[str, list[Scene]]], root: Path) -> None:
    """Each scene of a place with several has a date."""
    undated = [(name, scene) for name, group in groups if len(group) > 1 for scene in group if not scene.order]
    if undated:
        name, scene = undated[0]
        raise DataError(
            f"data.root={root}: {scene.place}: nothing says when this scene of {name} was; add its date as "
            "2024-01-31, in a column date, the property datetime or its name"
        )


def _check_counts(groups: Sequence[tuple[str, list[Scene]]], config: TrialConfig) -> None:
    """Each place has all its dates, and one mask."""
    kinds = dict.fromkeys(kind for _, group in groups for scene in group for kind in scene.files)
    for kind in kinds:
        frames = {name: _frames(group, kind) for name, group in groups}
        check_frames({name: of for name, of in frames.items() if of}, kind, config)


def _frames(scenes: Sequence[Scene], kind: str) -> list[Frame]:
    """The files of a kind by rising date; one that all dates share is of none."""
    ordered = sorted(scenes, key=lambda scene: scene.order)
    by_file = {scene.files[kind]: scene for scene in reversed(ordered) if kind in scene.files}
    if len(by_file) == 1 and len(scenes) > 1:
        return [(FrameName(place=""), str(next(iter(by_file))))]
    return [
        (FrameName(place="", order=scene.order, taken=next(iter(scene.days), "")), str(file))
        for file, scene in reversed(by_file.items())
    ]


def _place_of(name: str, scenes: list[Scene], root: Path) -> Scene:
    """One scene of those of a place.

    Raises:
        DataError: They are in several splits or classes.
    """
    for what, given in (("split", [s.split or "" for s in scenes]), ("class", [", ".join(s.label) for s in scenes])):
        if len(stated := list(dict.fromkeys(filter(None, given)))) > 1:
            one, other = (scenes[given.index(said)].place for said in stated[:2])
            raise DataError(
                f"data.root={root}: {one} and {other}: dates of one place, {name}, with the {what} {stated[0]} and "
                f"{stated[1]}; give all the same"
            )
    kinds = dict.fromkeys(kind for scene in scenes for kind in scene.files)
    frames = {
        kind: [(read.taken, Path(file)) for read, file in _frames(scenes, kind)] for kind in kinds if kind != MASK
    }
    first = min(scenes, key=lambda scene: scene.order)
    return replace(
        first,
        place=scenes[0].place,
        name=name,
        files={kind: frames[kind][0][1] if kind in frames else _paths(scenes, kind)[0] for kind in kinds},
        split=next((scene.split for scene in scenes if scene.split), None),
        label=next((scene.label for scene in scenes if any(scene.label)), ()),
        location=next((scene.location for scene in scenes if scene.location), None),
        frames=frames,
    )
