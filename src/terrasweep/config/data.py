"""What a configuration says about its data, as frozen dataclasses. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from omegaconf import MISSING

LAZILY = "lazily"
"""The value of ``data.cut`` that reads tiles out of the scenes instead of writing them."""
DATE_MAJOR, BAND_MAJOR, FILES = "date_major", "band_major", "files"
"""The values of ``data.frame_order``."""
FOR_ONE_DATE = REFUSE, MEAN, STACK = "refuse", "mean", "stack"
"""The values of ``data.frames_for_one_date``."""
AS_STORED = "as_stored"
"""The value of ``data.pixel_size`` that reads files in the pixels that they have, of whatever sizes."""
SPLITTINGS = ("folders", "lists", "fraction", "blocks")
"""Ways to divide a data set."""
IGNORE = "ignore"
"""What stands for no class in ``data.labels``: such pixels become ``task.ignore_index``."""


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """Domain and sizes of the synthetic data set."""

    domain: str = "target"
    """``target``, or ``source``, on which the synthetic backbone is pretrained."""
    train: int = 256
    """Tiles."""
    val: int = 96
    test: int = 32
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LabelsConfig:
    """Where labels come from, and what becomes of the values that are stored."""

    table: str | None = None
    """Table of image-level labels (CSV below ``data.root``): name, then the class or a column per class."""
    keep_no_data: bool = False
    """Whether the value that masks' headers mark as no data is a label like others."""
    map: dict[str, Any] | None = None
    """Value in the masks to class number, or to ``ignore``; other values stay as they are."""
    threshold: float | None = None
    """Masks of grey levels: values below it are class 0, from it on class 1."""
    colours: dict[str, Any] | None = None
    """Masks in colours: class name or number, or ``ignore``, to ``[red, green, blue]``."""
    colour_distance: int = 0
    """How far a pixel may be from the nearest of the colours, in levels of the band that differs most."""
    merge: dict[str, Any] | None = None
    """Class name or number, or ``ignore``, to the stored classes that make it up; what no list names is ignored."""
    vector: str | None = None
    """Polygons instead of masks: GeoPackage, GeoJSON, Shapefile or COCO's JSON, below ``data.root`` or by path."""
    layer: str | None = None
    """Of a vector file; null: its only one."""
    class_column: str | None = None
    """The vector file's column of classes; null: its only one."""
    all_touched: bool = False
    """Whether a polygon takes all pixels that it touches; else those whose centres lie in it."""
    outside: Any = 0
    """What pixels outside of all polygons are: ``0``, a class of their own (``background``), or ``ignore``."""


@dataclass(kw_only=True)
class ModalityConfig:
    """One modality of a multimodal data set: a folder of images.

    Not frozen: OmegaConf would lock a modality as soon as a user names it.
    """

    folder: str = MISSING
    """Below the split's folder, or below ``data.root`` where splits are no folders."""
    bands: list[str] = field(default_factory=list)
    """Bands in its files, in order; empty: by the files."""
    glob: str | None = None
    """Which files are its images; null: every image."""
    means: list[float] | None = None
    """Per band, in the files' units; null: computed."""
    stds: list[float] | None = None
    no_data: float | None = None
    """Value in its files that stands for nothing, though they don't say so; nan: every number is meant; null:
    ``data.no_data``."""
    frames: int | None = None
    """Its dates per sample; null: ``data.frames``."""


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How a data set is divided into training, validation and test samples."""

    by: str = "folders"
    """``folders`` (train, val, test), ``lists`` (files of names), ``fraction`` (by chance) or ``blocks`` (squares)."""
    train: str | None = None
    """For ``lists``: a text file with one sample's name per line, relative to ``data.root``."""
    val: str | None = None
    test: str | None = None
    fractions: list[float] = field(default_factory=lambda: [0.7, 0.15, 0.15])
    """For ``fraction`` and ``blocks``: shares of training, validation and test samples."""
    seed: int = 0
    """Of the division alone."""
    block_tiles: int = 2
    """For ``blocks``: side of a block that stays together, in tiles."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """A data set, read through datamodules of TerraTorch and TorchGeo."""

    name: str = MISSING
    """``synthetic``, ``segmentation_folder``, ``classification_folder``, ... or a public set."""
    root: str | None = None
    """Folder of the data, or a list of scenes; relative to the project's root. null for synthetic data."""
    tasks: list[str] = field(default_factory=list)
    """Tasks it can serve."""
    bands: list[str] = field(default_factory=list)
    """Bands in the files, in order; empty: by the files."""
    modalities: dict[str, ModalityConfig] = field(default_factory=dict)
    """Several images per sample, by the names that the backbone knows; empty: one image per sample."""
    means: list[float] | None = None
    """Per band, in the files' units; null: computed from the training tiles once, and cached."""
    stds: list[float] | None = None
    num_classes: int | None = None
    """null: counted in the class folders, the table or the training masks."""
    class_names: list[str] | None = None
    tile_px: int | None = None
    """Height and width of a tile in pixels; null: by the files."""
    cut: Any = False
    """Cut larger images, once, into tiles of ``data.tile_px``; what is left over at the edges is dropped.
    ``lazily``: nothing is written, tiles are read out of the images."""
    resize_px: int | None = None
    """Resample every tile to this height and width as it is read: images bilinearly, masks by the nearest pixel."""
    pixel_size: Any = None
    """Side of a pixel on the ground, in metres, at which every file is read; ``as_stored``: files have several sizes,
    and are read so; null: sizes that differ much are an error."""
    split: SplitConfig = field(default_factory=SplitConfig)
    image_folder: str = "images"
    """Folder of images; a list's column, or asset, of them."""
    label_folder: str = "masks"
    """Likewise of masks."""
    image_glob: str | None = None
    """Which files are images; null: every image."""
    mask_glob: str | None = None
    labels: Any = field(default_factory=lambda: asdict(LabelsConfig()))
    """As in :class:`LabelsConfig`; a text is its ``table``. Ask :attr:`label_settings`."""
    datamodule: str | None = None
    """Import path of a LightningDataModule that reads the data, for sets that are no plain folders."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What the datamodule is built with."""
    workers: int = 0
    """Data-loader processes."""
    in_memory: bool = True
    """Read every tile once, before the build, and keep it; turn off for data larger than the host's memory."""
    no_data: float | None = None
    """Value in the images that stands for nothing, though their headers don't say so; nan: every number is meant."""
    no_data_replace: float | None = None
    """Value for pixels that are no data or not finite; null: such pixels are an error."""
    frames: int | None = None
    """Dates per sample; null: samples are not told apart by dates, and no backbone is told of any."""
    frame_order: str | None = None
    """Where the dates are: ``date_major`` (each file holds all bands of the first date, then those of the second, ...),
    ``band_major`` (all dates of the first band, ...) or ``files`` (a file per date); null: by the files."""
    date_pattern: str | None = None
    """Regular expression for file names without their ending, with the groups ``place`` and ``date`` (or ``frame``, a
    number); null: a date anywhere in the name, as 20240131, 2024-01-31 or 2024031."""
    frames_for_one_date: str = "refuse"
    """What backbones that take images of one date get of several: nothing (``refuse``), their ``mean``, or a ``stack``
    of the bands of all."""
    state: str | None = None
    """Set by terrasweep: which state of the files a trial was run on."""
    check_tiles: int | None = 2000
    """Tiles per split that the checks and the band statistics read, drawn by chance; null: all."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)

    def frames_of(self, modality: str) -> int:
        """Dates per sample of a modality; 1 where nothing is said of dates."""
        own = self.modalities[modality].frames if modality in self.modalities else None
        return own or self.frames or 1

    @property
    def label_settings(self) -> LabelsConfig:
        """What the configuration says about labels, whichever way it is written.

        Raises:
            ValueError: An unknown key, with those that there are.
        """
        if isinstance(self.labels, Mapping):
            known = [setting.name for setting in fields(LabelsConfig)]
            if unknown := [str(key) for key in self.labels if key not in known]:
                raise ValueError(f"data.labels.{unknown[0]}: there is no such key; use {', '.join(known)}")
            return LabelsConfig(**{key: _with_text_keys(value) for key, value in self.labels.items()})
        return LabelsConfig(table=self.labels)

    @property
    def pixel_metres(self) -> float | None:
        """The pixel size at which every file is read; None: in its own pixels."""
        return None if self.pixel_size in (None, AS_STORED) else float(self.pixel_size)

    def written_briefly(self) -> DataConfig:
        """A copy in which labels are null, the name of a table, or what differs from the defaults, as studies store it.

        Raises:
            ValueError: As for :attr:`label_settings`.
        """
        plain = asdict(LabelsConfig())
        given = {key: value for key, value in asdict(self.label_settings).items() if value != plain[key]}
        return replace(self, labels=given.get("table") if given.keys() <= {"table"} else given)


def _with_text_keys(value: Any) -> Any:
    """A table by texts, as JSON would have it, whether or not a person wrote numbers."""
    return {str(key): inner for key, inner in value.items()} if isinstance(value, Mapping) else value
