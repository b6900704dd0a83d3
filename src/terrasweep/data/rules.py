"""What is wrong about a configuration's data before any file of theirs is opened. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

from terrasweep.config.data import AS_STORED, LAZILY, SPLITTINGS, DataConfig, ModalityConfig
from terrasweep.config.given_paths import is_file, is_folder
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.scene_list import SCENE_LIST_ENDINGS
from terrasweep.data.frame_rules import find_bad_frames, find_misplaced_frames
from terrasweep.data.label_rules import find_bad_labels
from terrasweep.data.open.public_sources import find_absent, find_bad_path
from terrasweep.machine.paths import absolute
from terrasweep.results.wording import nearest


def find_bad_values(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """One line per value that is wrong on its own; also what names an absent folder, unless ``files=False``."""
    yield from _ranges(config.data)
    yield from _division(config)
    yield from find_bad_frames(config.data)
    yield from find_bad_path(config)
    yield from find_bad_labels(config, files=files)
    if config.data.name == "synthetic":
        yield from _synthetic(config)
    if files:
        yield from _folders(config)


def find_conflicts(config: TrialConfig) -> Iterator[str]:
    """One line per pair of settings that don't go together."""
    yield from _combinations(config)


def _ranges(data: DataConfig) -> Iterator[str]:
    at_least_one = {
        "data.num_classes": data.num_classes,
        "data.tile_px": data.tile_px,
        "data.resize_px": data.resize_px,
        "data.check_tiles": data.check_tiles,
        "data.split.block_tiles": data.split.block_tiles,
        "data.synthetic.train": data.synthetic.train,
        "data.synthetic.val": data.synthetic.val,
    }
    for key, value in at_least_one.items():
        if value is not None and value < 1:
            yield f"{key}={value}: it must be at least 1"
    if isinstance(data.pixel_size, str | bool) and data.pixel_size != AS_STORED:
        yield f"data.pixel_size={data.pixel_size}: unknown; use metres, as 10, or {AS_STORED}"
    elif data.pixel_metres is not None and not 0 < data.pixel_metres < math.inf:
        yield f"data.pixel_size={data.pixel_size}: it must be above 0; use metres, as 10, or {AS_STORED}"
    if data.workers < 0:
        yield f"data.workers={data.workers}: it can't be negative; use 0 or more"


def known_classes(config: TrialConfig) -> list[str]:
    """Names of the classes, their numbers where they have none; empty where the data have yet to tell."""
    if config.data.name == "synthetic":
        from terrasweep.data.synthetic import SyntheticScenes

        return list(SyntheticScenes.CLASSES)
    return config.data.class_names or [str(number) for number in range(config.data.num_classes or 0)]


def _division(config: TrialConfig) -> Iterator[str]:
    """How a data set is divided and cut."""
    data, split = config.data, config.data.split
    if split.by not in SPLITTINGS:
        yield f"data.split.by={split.by}: unknown; {nearest(split.by, SPLITTINGS)}"
    if len(split.fractions) != 3 or min(split.fractions) < 0 or not 0.999 < sum(split.fractions) < 1.001:
        yield (
            f"data.split.fractions={split.fractions}: shares of train, val and test are needed, which sum up to 1; "
            "use for example [0.7, 0.15, 0.15]"
        )
    if split.by == "lists" and not (split.train and split.val):
        yield "data.split.by=lists: data.split.train and data.split.val are needed; name a list of samples for each"
    if data.cut not in (True, False, LAZILY):
        yield f"data.cut={data.cut}: unknown; use true, false or {LAZILY}"
    if data.cut and data.tile_px is None:
        yield f"data.cut={str(data.cut).lower()}: the tiles' size is missing; set data.tile_px"
    if data.cut and config.task.name in ("classification", "multilabel"):
        yield (
            f"data.cut={str(data.cut).lower()} with task={config.task.name}: a tile has no label of its own; cut the "
            "images beforehand"
        )


def _synthetic(config: TrialConfig) -> Iterator[str]:
    from terrasweep.data.find.root_folders import scenes
    from terrasweep.data.synthetic import SyntheticScenes

    try:
        scenes(config)
    except ValueError as error:
        key = str(error).partition("=")[0]
        yield f"data.{'' if key == 'tile_px' else 'synthetic.'}{error}"
    if config.data.bands != list(SyntheticScenes.BANDS):
        yield f"data.bands={config.data.bands} with data=synthetic: its tiles have six bands of their own; drop it"
    if config.data.no_data is not None:
        yield f"data.no_data={config.data.no_data:g} with data=synthetic: every pixel of its tiles is meant; drop it"
    if config.data.pixel_size is not None:
        yield f"data.pixel_size={config.data.pixel_size} with data=synthetic: its tiles lie nowhere; drop it"


def _folders(config: TrialConfig) -> Iterator[str]:
    data = config.data
    if data.name != "synthetic" and data.datamodule is None:
        root = absolute(data.root) if data.root else None
        if root is None or not (is_folder(root) or is_file(root)):
            reason = "there is no such folder" if data.root else "no folder is given"
            yield (
                f"data.root={data.root or 'null'}: {reason}; give the folder of the data (docs/data.md shows the "
                "layouts)"
            )
        elif is_file(root) and root.suffix.lower() not in SCENE_LIST_ENDINGS:
            endings = ", ".join(SCENE_LIST_ENDINGS)
            yield f"data.root={data.root}: a file of this type lists no scenes; give a folder, or a list ({endings})"
    if data.datamodule is not None and (absent := find_absent(config)):
        yield absent


def _combinations(config: TrialConfig) -> Iterator[str]:
    data, task, decoder, backbone = config.data, config.task, config.decoder, config.backbone
    if task.name not in decoder.tasks:
        yield f"decoder={decoder.name} with task={task.name}: it serves {', '.join(decoder.tasks)}; use another one"
    if task.name not in data.tasks:
        yield f"data={data.name} with task={task.name}: it serves {', '.join(data.tasks)}; use another of the two"
    if config.train.batch_size == 1 and decoder.name == "UperNetDecoder" and 1 in _pool_scales(config):
        yield (
            f"train.batch_size=1 with decoder={decoder.name}: it pools each image to one cell, and batch normalization "
            "can't train on a single value; use train.batch_size=2 or more, or another decoder"
        )
    if backbone.bands and data.bands and len(data.bands) != len(backbone.bands):
        yield (
            f"data.bands={data.bands} with backbone.bands={backbone.bands}: the input layer differs from the data; "
            "give each band one name of the backbone, or drop backbone.bands"
        )
    yield from find_misplaced_frames(data)
    given = {
        "means": data.means is not None,
        "cut": bool(data.cut),
        "resize_px": data.resize_px is not None,
        "pixel_size": data.pixel_size is not None,
        "modalities": bool(data.modalities),
        "no_data": data.no_data is not None,
        "labels.keep_no_data": data.label_settings.keep_no_data,
    }
    key = next((key for key, is_given in given.items() if is_given), None)
    if data.datamodule is not None and key is not None:
        yield f"data.{key} with data={data.name}: its datamodule does that itself; drop it, or use data.arguments"
    for name, modality in data.modalities.items():
        yield from _statistics(f"data.modalities.{name}.", modality)
    yield from _statistics("data.", data)


def _pool_scales(config: TrialConfig) -> list[int]:
    """Sides in cells to which UPerNet pools its last feature."""
    return list(config.decoder.arguments.get("pool_scales", [1, 2, 3, 6]))


def _statistics(prefix: str, image: DataConfig | ModalityConfig) -> Iterator[str]:
    for key, values in {"means": image.means, "stds": image.stds}.items():
        if values is not None and image.bands and len(values) != len(image.bands):
            yield (
                f"{prefix}{key} has {len(values)} values for {len(image.bands)} bands; give one per band, or null "
                f"where {prefix}bands names or chooses bands of the files"
            )
    if (image.means is None) != (image.stds is None):
        yield f"{prefix}means and {prefix}stds: one is given, the other null; give both or neither"
    if image.stds is not None and any(not std > 0 for std in image.stds):
        yield f"{prefix}stds={image.stds}: a standard deviation must be above 0"
