"""The child's side of preparing data: list the samples, cut and divide them, and look at them once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from terrasweep import __version__
from terrasweep.config.data import LAZILY, DataConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.coordinates import find_coordinates
from terrasweep.data.find.frame_files import gather_dates
from terrasweep.data.find.root_folders import samples_root, scenes, synthetic_root
from terrasweep.data.find.sample_list import MASK, Listing, find_samples
from terrasweep.data.find.splits import divide
from terrasweep.data.find.tiles import cut_scenes
from terrasweep.data.in_parts import InParts, Tell, processes_here, silent
from terrasweep.data.inspect.scan import Sample, Seen, find_shared, scan_split
from terrasweep.data.inspect.survey import IMAGE, SplitSurvey, Survey
from terrasweep.data.open import public
from terrasweep.data.open.folders import build_datamodule
from terrasweep.data.open.frames import with_frames
from terrasweep.data.open.reading_processes import start_reading
from terrasweep.data.synthetic import SyntheticScenes, write_synthetic
from terrasweep.data.views.frames import first_date
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.own_bands import band_names, read_own_bands
from terrasweep.data.views.understand import understand
from terrasweep.machine.files import flush_everything, write_atomically
from terrasweep.results.errors import DataError, first_line, raise_out_of_memory

_MASKS = 500
"""Masks whose labels are kept together."""
_CUT = "cut.txt"
"""Beside the tiles of a look that was broken off: which version has cut them all."""


def prepare_data(config: TrialConfig, tell: Tell = silent) -> None:
    """Make the listing and the survey, where they are missing.

    Args:
        config: Whose data.
        tell: Is told how far it is.

    Raises:
        DataError: The files are not what the configuration says.
    """
    if config.data.name == "synthetic":
        write_synthetic(synthetic_root(), scenes(config))
    if config.data.datamodule is None and not stored.listing_file(config).is_file():
        parts = _in_parts(config, "listing", tell)
        listing = _make_listing(config, parts)
        if any((stored.data_folder(config) / written).is_dir() for written in ("views", "made", "tiles")):
            flush_everything()  # The listing says that what it lists is there.
        stored.write_listing(listing, config)
        parts.forget()
    if stored.needs_survey(config) and not stored.survey_file(config).is_file():
        write_survey(config, tell)


def write_survey(config: TrialConfig, tell: Tell = silent) -> None:
    """Make the survey and store it."""
    parts = _in_parts(config, f"survey-{stored.data_folder(config).name}", tell)
    write_atomically(stored.survey_file(config), make_survey(config, parts).to_json())
    parts.forget()


def _in_parts(config: TrialConfig, what: str, tell: Tell) -> InParts:
    """Datamodules of others may hold what can't be forked, and are read by one process."""
    processes = processes_here() if config.data.datamodule is None else 1
    kept = stored.parts_folder(config) / what
    return InParts(folder=kept, tell=tell, processes=processes, start=start_reading)


def make_survey(config: TrialConfig, parts: InParts) -> Survey:
    """Read the samples of every split, as a trial would but for missing values, and whatever the configuration says."""
    listed = stored.read_listing(config) if config.data.datamodule is None else None
    if listed is None:
        datasets = public.datasets(public.open_datamodule(config), test=True)
    else:
        source = _open_raw(config, listed)
        datasets = {split: getattr(source, f"{split}_dataset") for split in listed.names}
    seen: dict[str, Seen] = {}
    for split, dataset in datasets.items():
        names = listed.names[split] if listed else [f"sample {index}" for index in range(len(dataset))]  # type: ignore[arg-type]
        task, ignore = config.task.name, config.task.ignore_index
        read = partial(_read, dataset, config.data, listed, split)
        own = replace(parts, folder=parts.folder and parts.folder / split)
        seen[split] = scan_split(read, names, task, ignore, config.data.check_tiles, own)
    class_names = listed.class_names if listed else None
    if config.data.name == "synthetic":
        class_names = list(SyntheticScenes.CLASSES)
    splits = {split: counted.survey() for split, counted in seen.items()}
    return Survey(
        splits=splits,
        bands={IMAGE: config.data.bands} if listed is None else _bands(listed, config.data),
        class_names=class_names,
        num_classes=len(class_names) if class_names else _num_classes(config, listed, splits["train"], parts),
        tile_px=_tile_px(splits["train"]),
        shared=find_shared(seen),
        remarks=listed.remarks if listed else [],
    )


def _make_listing(config: TrialConfig, parts: InParts) -> Listing:
    """Find the samples, see how their files are to be read, cut them and divide them."""
    listing = gather_dates(find_samples(config, samples_root(config)), config)
    if config.data.split.by == "lists":  # They name the files as people see them.
        listing = divide(listing, config)
    own_bands = {} if config.data.name == "synthetic" else read_own_bands(listing, config.data)
    if own_bands:
        stored.keep_own_bands(own_bands, config)
    folder = stored.data_folder(config)
    is_cut = (folder / _CUT).is_file() and (folder / _CUT).read_text() == __version__
    for leftover in ("views", "made", *([] if is_cut else ["tiles"])):
        shutil.rmtree(folder / leftover, ignore_errors=True)  # What a killed process left.
    if config.data.name != "synthetic":
        listing = understand(listing, config, folder, own_bands, parts)
    if config.data.cut:
        listing = _cut(listing, config, folder, parts, is_cut=is_cut)
    return find_coordinates(divide(listing, config, parts), config)


def _cut(listing: Listing, config: TrialConfig, folder: Path, parts: InParts, *, is_cut: bool) -> Listing:
    """Cut scenes, or list what a look that was broken off behind that has cut: a large scene has 100,000 files."""
    assert config.data.tile_px is not None
    lazily = config.data.cut == LAZILY
    tiles = cut_scenes(listing, config.data.tile_px, folder / "tiles", lazily=lazily, parts=parts, written=is_cut)
    if not is_cut:
        flush_everything()
        write_atomically(folder / _CUT, __version__)
    return tiles


def _open_raw(config: TrialConfig, listed: Listing) -> Any:
    """TerraTorch's datamodule with the files' own values: nothing is replaced, and masks are not rounded."""
    unknown = {name: replace(m, means=[0.0], stds=[1.0]) for name, m in config.data.modalities.items()}
    raw = replace(config.data, modalities=unknown, means=[0.0], stds=[1.0], no_data_replace=None, resize_px=None)
    task = config.task
    if task.name == "segmentation":
        task = replace(task, name="regression", ignore_index=None)
    source = build_datamodule(replace(config, data=raw, task=task), 1, listed)
    for stage in ("fit", *(["test"] if "test" in listed.names else [])):
        source.setup(stage)
    return source


def _read(dataset: Any, data: DataConfig, listed: Listing | None, split: str, index: int) -> Sample:
    """A sample, its dates apart, with the numeric types of its files and the values that they mark as no data."""
    sample: Sample = dict(dataset[index])
    if listed is not None:
        sample["image"] = with_frames(sample["image"], data)
        sample["dtypes"], sample["no_data"] = {}, {}
        for kind in listed.suffixes:
            with rasterio.open(listed.file(split, listed.names[split][index], kind)) as image:
                sample["dtypes"][kind], sample["no_data"][kind] = image.dtypes[0], image.nodata
                if kind == MASK and image.count != 1:
                    raise DataError(f"its mask has {image.count} bands; write the labels in one")
    return sample


def _bands(listed: Listing, data: DataConfig) -> dict[str, list[str]]:
    """Names of the bands by modality, as the first file has them, whatever the number of dates."""
    split, names = next(iter(listed.names.items()))
    first = {kind: listed.file(split, names[0], kind) for kind in listed.modalities}
    return {kind: _bands_of(file, data.frames_of(kind)) for kind, file in first.items()}


def _bands_of(file: Path, frames: int) -> list[str]:
    try:
        return list(band_names(first_date(read_header(file), frames)))
    except rasterio.errors.RasterioError as error:
        raise_out_of_memory(error)
        raise DataError(f"{file}: it can't be read: {first_line(error)}; mend it, or take it out") from error


def _num_classes(config: TrialConfig, listed: Listing | None, train: SplitSurvey, parts: InParts) -> int | None:
    """One more than the largest label of the training split, of which then every mask is read."""
    if config.task.name == "regression":
        return None
    if config.task.name == "multilabel":  # One place per class.
        return max((int(shape) for shape in train.labels.shapes if shape.isdigit()), default=None)
    labels = set(train.labels.counts)
    looked_at = train.read + len(train.unreadable)
    if listed is not None and looked_at < train.samples and not config.data.num_classes:
        masks = [listed.file("train", name, MASK) for name in listed.names["train"]]
        labels = labels.union(*parts.over("Reading masks", masks, _labels_in, size=_MASKS))
    return max((label for label in labels if label != config.task.ignore_index), default=0) + 1


def _labels_in(masks: Sequence[Path]) -> set[int]:
    labels: set[int] = set()
    for file in masks:
        with rasterio.open(file) as mask:
            labels |= {int(value) for value in np.unique(mask.read(1, masked=True).compressed())}
    return labels


def _tile_px(train: SplitSurvey) -> int | None:
    """The side of most training tiles; None where they are no squares."""
    sizes: Counter[tuple[str, ...]] = Counter()
    for image in train.images.values():
        for shape, count in image.shapes.items():
            sizes[tuple(shape.split("x")[-2:])] += count
    height, width = sizes.most_common(1)[0][0] if sizes else ("", "-")
    return int(height) if height == width else None
