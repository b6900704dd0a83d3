"""Scenes that may lie anywhere, as a list names them: one record per sample. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from terrasweep.results.errors import DataError
from terrasweep.results.wording import counted


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One sample of a list of scenes."""

    place: str
    """Where the list speaks of it."""
    name: str
    files: dict[str, Path]
    """By kind (modalities, ``mask``); a kind that the list leaves empty is missing."""
    split: str | None = None
    """``train``, ``val`` or ``test``, where the list says so."""
    label: tuple[str, ...] = ()
    """The class, or 0 or 1 per class, where the list says so."""
    is_named: bool = True
    """Whether the list names it; else its name is that of its file."""
    order: str = ""
    """When it was: a date or time in ISO's form, or a number that counts dates; empty where the list doesn't say."""
    days: tuple[str, ...] = ()
    """Its dates in ISO's form, where the list tells them; of a file that holds several, all of them."""
    site: dict[str, str] = field(default_factory=dict)
    """What may tell its place, by what that is called: scenes that agree in it may be dates of one place."""
    location: tuple[float, float] | None = None
    """Latitude and longitude of its centre, where the list tells them."""
    frames: dict[str, list[tuple[str, Path]]] = field(default_factory=dict)
    """By modality the date (empty where nobody tells it) and the file of each date, by rising date."""


@dataclass(frozen=True, kw_only=True)
class SceneList:
    """All scenes of a list."""

    scenes: list[Scene]
    divided_by: str = ""
    """What in the list names the splits; empty where nothing does."""
    dated_by: str = ""
    """The column of dates of a table; empty where it has none, and for items, which all have a time."""
    classes: tuple[str, ...] = ()
    """Titles of the columns of classes, where samples may have several."""
    note: str = ""
    """How the list was understood."""


def short_names(files: Sequence[Path]) -> list[str]:
    """A name for each file: its own without the ending, with as many folders before it as tell all apart."""
    names = [PurePath(file.stem) for file in files]
    depth = 1
    while len(set(names)) < len(names) and depth < max(len(file.parts) for file in files):
        shared = {name for name, count in Counter(names).items() if count > 1}
        names = [
            PurePath(*file.parts[-depth - 1 : -1], file.stem) if name in shared else name
            for file, name in zip(files, names, strict=True)
        ]
        depth += 1
    return [name.as_posix().strip("/") for name in names]


def check_files(found: SceneList, root: Path) -> None:
    """See that there are scenes, and that each of their files is there.

    Raises:
        DataError: One is missing.
    """
    if not found.scenes:
        raise DataError(f"data.root={root}: it names no scenes; add them")
    gone = [(scene, file) for scene in found.scenes for file in scene.files.values() if not file.is_file()]
    if gone:
        scene, file = gone[0]
        raise DataError(
            f"data.root={root}: {counted(len(gone), 'file')} not there (first {scene.place}: {file}); correct "
            f"the paths, which begin at {root if root.is_dir() else root.parent} where they are relative"
        )


def check_scenes(found: SceneList, root: Path, needed: Sequence[str]) -> None:
    """See that each scene has its own name, and a file of each kind; test scenes may lack a mask.

    Raises:
        DataError: A scene lacks a kind, or two have one name.
    """
    names = Counter(scene.name for scene in found.scenes)
    if twice := [scene for scene in found.scenes if names[scene.name] > 1]:
        raise DataError(
            f"data.root={root}: {twice[0].place} and {twice[1].place}: two scenes are called {twice[0].name}; "
            "name each once"
        )
    for scene in found.scenes:
        if scene.split != "test" and (lacking := [kind for kind in needed if kind not in scene.files]):
            raise DataError(
                f"data.root={root}: {scene.place}: there is no {lacking[0]}; add its file, or leave the scene out"
            )
