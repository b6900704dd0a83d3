"""Images in a folder per class. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from terrasweep.config.data import DataConfig
from terrasweep.data.find.dates import places
from terrasweep.data.find.file_names import check_unique, has_image, images_in
from terrasweep.data.find.split_folders import are_splits, folders_in
from terrasweep.results.errors import DataError


def find_class_folders(data: DataConfig, bases: Mapping[str, Path]) -> dict[str, list[str]]:
    """The names of the images by split, each with its class before it: ``forest/a.jpg``.

    Raises:
        DataError: A split has no images, or some lie deeper, or two of a class have one name.
    """
    files = {split: places(images_in(base, data.image_glob, below="*/"), data) for split, base in bases.items()}
    for split, base in bases.items():
        if deeper := images_in(base, data.image_glob, below="*/*/"):
            folders = {name.partition("/")[0] for name in deeper}
            divided = split not in ("train", "val", "test") and are_splits(folders)
            way_out = "set data.split.by=folders" if divided else "move them up, or take them out"
            raise DataError(
                f"data.root={data.root}: {len(deeper)} images lie deeper than in a folder per class (first "
                f"{deeper[0]}); {way_out}"
            )
        if not files[split] and split != "test":
            raise DataError(
                f"data.root={data.root}: the split {split} has no tiles in class folders; docs/data.md shows how"
            )
        check_unique(files[split], str(base))
    return {split: names for split, names in files.items() if names}


def class_folders(data: DataConfig, bases: Iterable[Path]) -> list[str]:
    """Names of the folders with images, sorted, without a look at every image."""
    folders = [folder for base in bases for folder in folders_in(base)]
    return sorted({folder.name for folder in folders if has_image(folder, data.image_glob)})
