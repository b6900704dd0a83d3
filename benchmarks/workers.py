"""When `data.workers` helps: epochs per second of the data loader alone, with and without a slow disk.

    python benchmarks/workers.py [--rounds 7] [--delay-ms 30]

A folder of compressed GeoTIFFs is written and opened as a trial opens it, and read for some epochs with nothing between
the batches. What a round measures comes one after the other, in another order each time; ratios are to no workers in
the same round. The delay is slept before each file is read, as a network file system or a cold disk would make it wait.
Workers are forked, and started once per loader: that is counted.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rioxarray

from terrasweep.config.compose import compose
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data

WORKERS = (0, 1, 2)
BANDS = 6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--epochs", type=int, default=3, help="per measurement, in one loader")
    options.add_argument("--delay-ms", type=float, default=30.0, help="before each file that is read")
    options.add_argument("--tiles", type=int, default=64)
    options.add_argument("--size", type=int, default=512, help="pixels of a tile's edge")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TERRASWEEP_HOME"] = folder
        mib = write_folder(Path(folder) / "data", chosen.tiles, chosen.size)
        print(f"{chosen.tiles} tiles of {chosen.size} px, {BANDS} bands, {mib:.1f} MiB on disk", flush=True)
        configs = {workers: opened_config(Path(folder) / "data", workers) for workers in WORKERS}
        measured = measure(configs, (0.0, chosen.delay_ms / 1000), chosen.rounds, chosen.epochs)
    print_table(measured)


def write_folder(folder: Path, tiles: int, size: int) -> float:
    """Tiles with smooth structure and some noise, so that compressing and reading them is work; gives their MiB."""
    chance = np.random.default_rng(0)
    rows, columns = np.mgrid[0:size, 0:size] / size
    profile = {"driver": "GTiff", "width": size, "height": size, "compress": "deflate", "predictor": 2}
    for split, number in [*(("train", n) for n in range(tiles)), ("val", 0), ("val", 1)]:
        phases = chance.uniform(0, 6, (BANDS, 1, 1))
        smooth = 2000 + 1500 * np.sin(7 * rows + phases) * np.cos(5 * columns + phases)
        image = (smooth + chance.normal(0, 20, (BANDS, size, size))).astype(np.uint16)
        mask = (smooth[:1] > 2000).astype(np.uint8)
        for kind, pixels in (("images", image), ("masks", mask)):
            file = folder / split / kind / f"{number}.tif"
            file.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(file, "w", count=len(pixels), dtype=pixels.dtype, **profile) as raster:
                raster.write(pixels)
    return sum(file.stat().st_size for file in folder.glob("train/*/*.tif")) / 2**20


def opened_config(folder: Path, workers: int) -> TrialConfig:
    """A trial's configuration, with what only the data tell."""
    overrides = ["data=segmentation_folder", f"data.root={folder}", f"data.workers={workers}", "data.in_memory=false"]
    config = stored.located(compose([*overrides, "train.batch_size=8", "backbone.checkpoint=null"]))
    prepare_data(config)
    return stored.complete(config)


def measure(
    configs: dict[int, TrialConfig], delays_s: tuple[float, ...], rounds: int, epochs: int
) -> dict[tuple[float, int], list[float]]:
    """Epochs per second, by delay and workers, one per round."""
    order = list(itertools.product(delays_s, configs))
    measured: dict[tuple[float, int], list[float]] = {case: [] for case in order}
    for number in range(rounds):
        random.Random(number).shuffle(order)
        for delay_s, workers in order:
            rate = epochs_per_second(configs[workers], delay_s, epochs)
            measured[delay_s, workers].append(rate)
            print(f"round {number}: {delay_s * 1000:g} ms, {workers} workers: {rate:.3f} epochs/s", flush=True)
    return measured


def epochs_per_second(config: TrialConfig, delay_s: float, epochs: int) -> float:
    read = rioxarray.open_rasterio

    def delayed(*arguments: Any, **options: Any) -> Any:
        time.sleep(delay_s)
        return read(*arguments, **options)

    rioxarray.open_rasterio = delayed
    try:
        loader = open_data(config).module.train_dataloader()
        started = time.perf_counter()
        for _ in range(epochs):
            for _ in loader:
                pass
        return epochs / (time.perf_counter() - started)
    finally:
        rioxarray.open_rasterio = read


def print_table(measured: dict[tuple[float, int], list[float]]) -> None:
    print("\n| delay per file | workers | epochs/s | ratio to none (from - to) |\n| --- | ---: | ---: | --- |")
    for (delay_s, workers), rates in measured.items():
        ratios = [rate / none for rate, none in zip(rates, measured[delay_s, 0], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
        print(f"| {delay_s * 1000:g} ms | {workers} | {statistics.median(rates):.3f} | {spread} |")


if __name__ == "__main__":
    main()
