"""Cuts scenes into tiles: every modality and the mask of a sample on the same grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import rasterio
from rasterio import Affine
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from terrasweep.data.find.dates import DATES
from terrasweep.data.find.sample_list import MASK, Listing
from terrasweep.data.in_parts import InParts
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.view import ENDING, moved, whole_file, write_view
from terrasweep.results.errors import DataError

_PART = 1000
"""Views that one process writes at a time."""
SCENE = "TERRASWEEP_SCENE"
"""Tag of a tile: the name of the scene that it was cut from."""


def cut_scenes(
    listing: Listing,
    tile_px: int,
    target: Path,
    *,
    lazily: bool = False,
    parts: InParts | None = None,
    written: bool = False,
) -> Listing:
    """Cut every image and mask into squares, row by row from the upper left; what is left over is dropped.

    Tiles keep the scene's numeric type, its no-data value, names of bands and place on the ground. A scene without a
    place gets its pixels' rows and columns for coordinates, so that neighbours stay neighbours.

    Args:
        listing: Scenes with masks.
        tile_px: Height and width of a tile.
        target: Takes ``<split>/<modality>/<scene>_r<row>_c<column>.tif``, and the masks below ``mask``.
        lazily: Write views of the scenes instead of tiles.
        parts: How many views are written.
        written: Whether an earlier look has written all of them; they are only listed, then.

    Returns:
        The tiles.

    Raises:
        DataError: A sample's files differ in size, or are smaller than a tile.
    """
    kinds = [*listing.modalities, MASK]
    names: dict[str, list[str]] = {split: [] for split in listing.names}
    for split, scene in ((split, scene) for split, scenes in listing.names.items() for scene in scenes):
        stems = _stems(scene, [listing.file(split, scene, kind) for kind in kinds], tile_px)
        for kind in [] if written else kinds:
            source, folder = listing.file(split, scene, kind), target / split / kind
            if lazily:
                _view_tiles(source, folder, stems, tile_px, parts or InParts())
            else:
                _cut(source, folder, stems, tile_px)
        names[split] += stems
    return replace(
        listing,
        names={split: sorted(tiles) for split, tiles in names.items()},
        image_roots={s: {kind: str(target / s / kind) for kind in listing.modalities} for s in listing.names},
        suffixes=dict.fromkeys(kinds, ENDING if lazily else ".tif"),
        mask_roots={split: str(target / split / MASK) for split in listing.names},
    )


def _stems(scene: str, files: list[Path], tile_px: int) -> dict[str, tuple[int, int]]:
    """Names of the tiles that fit into all files of a sample, with their rows and columns."""
    named = scene.replace("/", "_")
    return {f"{named}_r{row:03d}_c{column:03d}": (row, column) for row, column in _windows(files, tile_px)}


def _windows(files: list[Path], tile_px: int) -> list[tuple[int, int]]:
    """Rows and columns of the tiles that fit into all files of a sample."""
    sizes = {}
    for path in files:
        with rasterio.open(path) as file:
            sizes[path] = (file.height, file.width)
    if len(set(sizes.values())) > 1:
        differing = ", ".join(f"{path.name} {height} x {width}" for path, (height, width) in sizes.items())
        raise DataError(
            f"data.cut: the files of one scene differ in pixels: {differing}; set data.pixel_size to metres, or "
            "resample them to one grid"
        )
    height, width = sizes[files[0]]
    if min(height, width) < tile_px:
        raise DataError(
            f"data.tile_px={tile_px} with data.cut: {files[0]} has {height} x {width} pixels; use smaller tiles"
        )
    return [(row, column) for row in range(height // tile_px) for column in range(width // tile_px)]


def _placed(transform: tuple[float, ...] | None, columns: int, rows: int) -> tuple[float, ...]:
    """The transform of a tile that begins so many pixels inside a scene; pixels count up where the scene has none."""
    return moved(transform, columns, rows) if transform else (1.0, 0.0, float(columns), 0.0, -1.0, float(-rows))


def _view_tiles(scene: Path, folder: Path, stems: dict[str, tuple[int, int]], tile_px: int, parts: InParts) -> None:
    header = read_header(scene)
    whole = replace(whole_file(header), tags=((SCENE, scene.name), *_dates(dict(header.tags))))

    def write_some(tiles: Sequence[tuple[str, tuple[int, int]]]) -> None:
        for stem, (row, column) in tiles:
            west, north = column * tile_px, row * tile_px
            placed = _placed(header.transform, west, north)
            tile = replace(whole, window=(west, north, tile_px, tile_px), transform=placed)
            write_view(tile, folder / f"{stem}{ENDING}")

    # What is written is what counts, so that nothing is kept of it elsewhere.
    replace(parts, folder=None).over(f"Cutting {scene.name}", list(stems.items()), write_some, size=_PART)


def _dates(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The tag of a scene that its tiles keep."""
    return ((DATES, tags[DATES]),) if DATES in tags else ()


def _cut(scene: Path, folder: Path, stems: dict[str, tuple[int, int]], tile_px: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with rasterio.open(scene) as source:
        profile = {
            "driver": "GTiff",
            "count": source.count,
            "dtype": source.dtypes[0],
            "crs": source.crs,
            "nodata": source.nodata,
            "height": tile_px,
            "width": tile_px,
        }
        for stem, (row, column) in stems.items():
            window = Window(column * tile_px, row * tile_px, tile_px, tile_px)
            transform = None if source.transform.is_identity else tuple(source.transform)[:6]
            placed = Affine(*_placed(transform, column * tile_px, row * tile_px))
            with (
                rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
                rasterio.open(folder / f"{stem}.tif", "w", **profile, transform=placed) as tile,
            ):
                tile.write(source.read(window=window))
                tile.descriptions = source.descriptions
                tile.update_tags(**{SCENE: scene.name, **dict(_dates(source.tags()))})
                if any(MaskFlags.per_dataset in flags for flags in source.mask_flag_enums):
                    tile.write_mask(source.dataset_mask(window=window))
