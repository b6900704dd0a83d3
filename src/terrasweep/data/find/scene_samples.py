"""The samples of a list of scenes, each file of which may lie anywhere. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from terrasweep.config.input_frames import LOCATION
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.listing import PIXEL_TASKS, SPLITS, WHOLE, Listing, has_mask_files, without_outer_blanks
from terrasweep.data.find.numbering import as_they_count, numbered
from terrasweep.data.find.readings import MASK, named_folders
from terrasweep.data.find.scene_list import read_scenes
from terrasweep.data.find.scenes import Scene, SceneList
from terrasweep.results.errors import DataError


def list_scenes(config: TrialConfig, root: Path) -> Listing:
    """List the samples that a table or STAC names, with their labels unless ``data.labels`` has them.

    Raises:
        DataError: It can't be read, names what is not there, or says nothing of splits or labels.
    """
    found = read_scenes(config, root)
    by_split = _scenes_by_split(config, root, found)
    kinds = list(named_folders(config.data, masks=has_mask_files(config)))
    listing = Listing(
        names={split: sorted(scene.name for scene in part) for split, part in by_split.items()},
        image_roots={split: {kind: str(root.parent) for kind in kinds if kind != MASK} for split in by_split},
        suffixes=dict.fromkeys(kinds, ""),
        mask_roots=dict.fromkeys(by_split, str(root.parent)) if MASK in kinds else {},
        labels={},
        scattered={
            kind: {split: {scene.name: str(scene.files[kind]) for scene in part} for split, part in by_split.items()}
            for kind in kinds
        },
        frame_files=_frame_files(by_split),
        coordinates=_locations(by_split) if config.data.frames is not None else {},
    )
    told = [f"data.root={root}: {found.note}"]
    if found.divided_by and config.data.split.by != "folders":
        told.append(f"data.root={root}: its {found.divided_by} is not used; data.split.by=folders takes it")
    listing = without_outer_blanks(listing).with_notes("layout", told)
    if config.task.name in PIXEL_TASKS or config.data.label_settings.table is not None:
        return listing
    return _with_scene_labels(config, root, listing, found, by_split)


def _frame_files(by_split: Mapping[str, list[Scene]]) -> dict[str, dict[str, dict[str, list[list[str]]]]]:
    """By kind, split and name the date and the file of each date, of kinds of which every scene has such."""
    scenes = [scene for part in by_split.values() for scene in part]
    return {
        kind: {
            split: {scene.name.strip(): [[taken, str(file)] for taken, file in scene.frames[kind]] for scene in part}
            for split, part in by_split.items()
        }
        for kind in (scenes[0].frames if scenes else ())
        if all(kind in scene.frames for scene in scenes)
    }


def _locations(by_split: Mapping[str, list[Scene]]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """By split and name where the list says that scenes are."""
    return {
        split: {scene.name.strip(): {LOCATION: list(scene.location)} for scene in part if scene.location is not None}
        for split, part in by_split.items()
    }


def _scenes_by_split(config: TrialConfig, root: Path, found: SceneList) -> dict[str, list[Scene]]:
    """The scenes of each split; a test split of which a scene has no mask yet is left out, as no trial reads it."""
    kinds = named_folders(config.data, masks=has_mask_files(config))
    if config.data.split.by != "folders":
        return {WHOLE: [scene for scene in found.scenes if kinds.keys() <= scene.files.keys()]}
    if not found.divided_by:
        raise DataError(
            f"data.root={root}: nothing in it says which scene is in which split; add split (train, val or test) to "
            "each, or set data.split.by=fraction, blocks or lists"
        )
    parts = {split: [scene for scene in found.scenes if scene.split == split] for split in SPLITS}
    if lacking := [split for split in ("train", "val") if not parts[split]]:
        raise DataError(
            f"data.root={root}: {found.divided_by} has no scene in {lacking[0]}; add some, or divide it anew"
        )
    if not all(kinds.keys() <= scene.files.keys() for scene in parts["test"]):
        parts["test"] = []
    return {split: scenes for split, scenes in parts.items() if scenes}


def _with_scene_labels(
    config: TrialConfig, root: Path, listing: Listing, found: SceneList, by_split: Mapping[str, list[Scene]]
) -> Listing:
    scenes = [scene for part in by_split.values() for scene in part]
    several = config.task.name == "multilabel"
    for scene in scenes:
        if not scene.label or not all(scene.label) or (several and not set(scene.label) <= {"0", "1"}):
            what = "no label of 0 or 1 per class" if several else "no class"
            raise DataError(
                f"data.root={root}: {scene.place}: there is {what}; add it, or name a table of labels with data.labels"
            )
    classes = (
        list(found.classes) if several else numbered({scene.label[0] for scene in scenes}, config.data.class_names)
    )
    labels = {
        split: {
            scene.name.strip(): [int(value) for value in scene.label] if several else [classes.index(scene.label[0])]
            for scene in part
        }
        for split, part in by_split.items()
    }
    told = [f"data.root={root}: {as_they_count(classes)}"] if not several and classes != sorted(classes) else []
    return replace(listing, labels=labels, class_names=classes).with_notes("class-order", told)
