"""Lists of scenes that may lie anywhere, as the root of a data set: a table, or STAC. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.listing import PIXEL_TASKS, has_mask_files
from terrasweep.data.find.readings import named_folders
from terrasweep.data.find.scene_dates import gather_scenes
from terrasweep.data.find.scene_table import TABLE_ENDINGS, paths_in, read_scene_table
from terrasweep.data.find.scenes import SceneList, check_files, check_scenes
from terrasweep.data.find.split_folders import find_splits
from terrasweep.data.find.stac_items import STAC_ENDINGS, assets_in, is_stac_folder, read_stac

SCENE_LIST_ENDINGS = (*TABLE_ENDINGS, *STAC_ENDINGS)


def is_scene_list(config: TrialConfig, root: Path) -> bool:
    """Whether the root of a data set is a list of scenes: a file, or a folder of STAC without folders of images."""
    data = config.data
    if data.datamodule is not None or data.name == "synthetic":
        return False
    if root.is_file():
        return True
    if config.task.name not in PIXEL_TASKS and data.label_settings.table is None:
        return False  # Folders are classes.
    folders = named_folders(data, masks=has_mask_files(config)).values()
    has_folders = any((root / folder).is_dir() for folder in folders) or bool(find_splits(root))
    return not has_folders and root.is_dir() and is_stac_folder(root)


def read_scenes(config: TrialConfig, root: Path) -> SceneList:
    """The scenes of a list, whose files are there; where each date has a file, the places with all their dates.

    Raises:
        DataError: It can't be read, or names what is not there.
    """
    kinds = list(named_folders(config.data, masks=has_mask_files(config)))
    if root.is_dir() or root.suffix.lower() in STAC_ENDINGS:
        found = read_stac(config, root, kinds)
    else:
        found = read_scene_table(config, root, kinds)
    check_files(found, root)
    gathered = gather_scenes(found, config, root)
    check_scenes(gathered, root, kinds)
    return gathered


def listed_files(root: Path) -> list[Path]:
    """All files that a list of scenes names and that are there; none where the root is none."""
    if root.is_file() and root.suffix.lower() in TABLE_ENDINGS:
        return paths_in(root)
    if is_stac_folder(root) if root.is_dir() else root.suffix.lower() in STAC_ENDINGS:
        return assets_in(root)
    return []
