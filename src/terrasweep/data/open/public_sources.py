"""Where public data sets come from, and how to see that one is there. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from terrasweep.config.given_paths import exists, is_folder
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.paths import absolute


@dataclass(frozen=True, kw_only=True)
class Source:
    """A public set as its publisher lays it out."""

    required_paths: tuple[tuple[str, ...], ...]
    """Below ``data.root``; of each tuple one has to be there."""
    where: str
    """Where to get it."""


_EUROSAT = "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"
_FLOODS = "v1.1/data/flood_events/HandLabeled"
_FLOOD_LISTS = "v1.1/splits/flood_handlabeled"
DATAMODULE_EXAMPLE = "give an import path like my_package.data.MyDataModule"
GEOBENCH_FOLDERS = {
    "geobench_m_bigearthnet": "m-bigearthnet",
    "geobench_m_brick_kiln": "m-brick-kiln",
    "geobench_m_cashew_plantation": "m-cashew-plant",
    "geobench_m_chesapeake_landcover": "m-chesapeake",
    "geobench_m_eurosat": "m-eurosat",
    "geobench_m_forestnet": "m-forestnet",
    "geobench_m_neontree": "m-NeonTree",
    "geobench_m_nz_cattle": "m-nz-cattle",
    "geobench_m_pv4ger": "m-pv4ger",
    "geobench_m_pv4ger_seg": "m-pv4ger-seg",
    "geobench_m_sa_crop_type": "m-SA-crop-type",
    "geobench_m_so2sat": "m-so2sat",
}
SOURCES = {
    "eurosat": Source(
        required_paths=(("eurosat-train.txt",), ("eurosat-val.txt",), (_EUROSAT, "EuroSATallBands.zip")),
        where="https://huggingface.co/datasets/torchgeo/eurosat (EuroSATallBands.zip and the lists eurosat-*.txt)",
    ),
    "sen1floods11": Source(
        required_paths=(
            (f"{_FLOODS}/S2Hand",),
            (f"{_FLOODS}/LabelHand",),
            (f"{_FLOOD_LISTS}/flood_train_data.txt",),
            (f"{_FLOOD_LISTS}/flood_valid_data.txt",),
        ),
        where="gs://sen1floods11 (https://github.com/cloudtostreet/Sen1Floods11)",
    ),
    "burn_scars": Source(
        required_paths=(("training",), ("validation",)),
        where="https://huggingface.co/datasets/ibm-nasa-geospatial/hls_burn_scars",
    ),
    **{
        name: Source(
            required_paths=((folder,),),
            where="https://github.com/ServiceNow/geo-bench (geobench-download); data.root is the folder of its sets",
        )
        for name, folder in GEOBENCH_FOLDERS.items()
    },
}
"""By ``data.name``."""


def find_bad_path(config: TrialConfig) -> Iterator[str]:
    """A line where ``data.datamodule`` is no import path of a class in a module."""
    path = config.data.datamodule
    if path is None:
        return
    *module, name = path.split(".")
    if not module or not all(part.isidentifier() for part in (*module, name)):
        reason = "it is no import path" if module else "it names no module"
        yield f"data.datamodule={path}: {reason}; {DATAMODULE_EXAMPLE}"


def find_absent(config: TrialConfig) -> str | None:
    """One line that says what of a datamodule's data is not on the disk, and where to get it; else None."""
    data = config.data
    source = SOURCES.get(data.name)
    if data.root is None:
        return None if source is None else f"data.root=null: data={data.name} is read from a folder; {_way_out(source)}"
    root = absolute(data.root)
    if not is_folder(root):
        return f"data.root={data.root}: there is no folder {root}; {_way_out(source)}"
    for alternatives in source.required_paths if source else ():
        if not any(exists(root / path) for path in alternatives):
            return f"data.root={data.root}: it has no {' or '.join(alternatives)}; {_way_out(source)}"
    return None


def _way_out(source: Source | None) -> str:
    return "give an existing one" if source is None else f"get the set from {source.where}"
