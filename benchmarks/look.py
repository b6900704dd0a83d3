"""How long the first look at data takes: seconds per thousand files, and per gigapixel of a scene that is cut lazily.

    python benchmarks/look.py
    python benchmarks/look.py --repeats 3 --only jpeg scene

It makes its data, and looks at them as a sweep does before its first trial, imports left aside. With ``PYTHONPATH`` set
to the sources of another state, it measures that one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

TILE_PX = 256
_BLOCK_PX = 1024


@dataclass(frozen=True)
class Case:
    """Data that are looked at."""

    name: str
    make: Callable[[Path, int], None]
    size: int
    """Files, or the side of a scene in pixels."""
    overrides: tuple[str, ...]
    unit: str
    amount: float
    """Of units."""


def make_jpegs(folder: Path, count: int) -> None:
    """Photos in a folder per class."""
    chance = np.random.default_rng(0)
    for number in range(count):
        pixels = chance.normal(120, 30, (3, 8, 8)).repeat(32, axis=1).repeat(32, axis=2).clip(0, 255)
        write(folder / f"class{number % 4}" / f"{number}.jpg", pixels.astype(np.uint8), driver="JPEG")


def make_geotiffs(folder: Path, count: int) -> None:
    """Tiles of six bands with a mask each."""
    chance = np.random.default_rng(0)
    for number in range(count):
        place = {"crs": "EPSG:32633", "transform": from_origin(number * 2240, 0, 10, 10), "driver": "GTiff"}
        write(folder / "images" / f"{number}.tif", chance.integers(0, 3000, (6, 224, 224), dtype=np.uint16), **place)
        write(folder / "masks" / f"{number}.tif", chance.integers(0, 4, (1, 224, 224), dtype=np.uint8), **place)


def make_scene(folder: Path, side: int) -> None:
    """One scene of four bands with its mask, in compressed blocks."""
    chance = np.random.default_rng(0)
    for kind, bands, high in (("images", 4, 200), ("masks", 1, 4)):
        (folder / kind).mkdir(parents=True)
        shape = {"count": bands, "height": side, "width": side, "dtype": "uint8", "driver": "GTiff"}
        tiled = {"tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX, "compress": "deflate", "bigtiff": "yes"}
        place = {"crs": "EPSG:32633", "transform": from_origin(0, 0, 10, 10)}
        with rasterio.open(folder / kind / "scene.tif", "w", **shape, **tiled, **place) as scene:
            for row in range(0, side, _BLOCK_PX):
                for column in range(0, side, _BLOCK_PX):
                    coarse = chance.integers(0, high, (bands, _BLOCK_PX // 16, _BLOCK_PX // 16), dtype=np.uint8)
                    window = rasterio.windows.Window(column, row, _BLOCK_PX, _BLOCK_PX)
                    scene.write(coarse.repeat(16, axis=1).repeat(16, axis=2), window=window)


def write(file: Path, pixels: np.ndarray, **profile: object) -> None:
    """Write an image."""
    file.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    with rasterio.open(file, "w", count=count, height=height, width=width, dtype=pixels.dtype, **profile) as image:
        image.write(pixels)


def look(data: Path, overrides: tuple[str, ...]) -> float:
    """Seconds of a first look, in a project root of its own."""
    from terrasweep.config.compose import compose
    from terrasweep.data import stored
    from terrasweep.data.prepare import prepare_data

    with tempfile.TemporaryDirectory(prefix="terrasweep-look-") as home:
        os.environ["TERRASWEEP_HOME"] = home
        config = stored.located(compose([f"data.root={data}", "backbone.checkpoint=null", *overrides]))
        started = time.perf_counter()
        prepare_data(config)
        return time.perf_counter() - started


def main() -> None:
    """Measure, and print a table."""
    from terrasweep.machine.hardware import cpu_name

    asked = argparse.ArgumentParser(description="How long the first look at data takes.")
    asked.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "terrasweep-look-data")
    asked.add_argument("--files", type=int, default=2000, help="JPEGs, and GeoTIFFs with a mask each")
    asked.add_argument("--scene", type=int, default=20480, help="side of the scene in pixels")
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--only", nargs="*", help="jpeg, geotiff, scene")
    given = asked.parse_args()
    by_chance = "data.split.by=fraction"
    photos = ("data=classification_folder", "task=classification", "decoder=identity", by_chance)
    masks = ("data=segmentation_folder", by_chance)
    scene = ("data=segmentation_folder", "data.split.by=blocks", "data.cut=lazily", f"data.tile_px={TILE_PX}")
    cases = (
        Case("jpeg", make_jpegs, given.files, photos, "thousand files", given.files / 1000),
        Case("geotiff", make_geotiffs, given.files, masks, "thousand tiles with masks", given.files / 1000),
        Case("scene", make_scene, given.scene, scene, "gigapixel", given.scene**2 / 1e9),
    )
    print(cpu_name())
    for case in cases:
        if given.only and case.name not in given.only:
            continue
        folder = given.data / f"{case.name}-{case.size}"
        if not folder.exists():
            draft = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(draft, ignore_errors=True)
            case.make(draft, case.size)
            draft.rename(folder)
        seconds = [look(folder, case.overrides) for _ in range(given.repeats)]
        middle = statistics.median(seconds)
        each = ", ".join(f"{second:.1f}" for second in seconds)
        print(f"{case.name}: {middle:.1f} s ({each}), {middle / case.amount:.1f} s per {case.unit}", flush=True)


if __name__ == "__main__":
    main()
