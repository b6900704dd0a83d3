"""What a backbone's builder is called with: derived from the backbone's name and the data. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from terrasweep.config.band_choice import are_numbers
from terrasweep.config.data import REFUSE
from terrasweep.config.input_bands import input_bands, input_modalities
from terrasweep.config.input_frames import has_frames, input_frames, is_stacked, sees_each_date, takes_frames
from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.prepared import find_unknown
from terrasweep.results.errors import InvalidConfig

UNKNOWN_TILE_PX = 224
"""What a plan without data takes a tile to be."""
UNKNOWN_CLASSES = 2
"""What a plan without data takes the number of classes to be."""
TERRAMIND_IMAGES = ("S2L2A", "S2L1C", "S1GRD", "S1RTC", "RGB", "DEM")
"""Modalities that TerraMind takes as images (Jakubik et al. 2025); the others need its tokenizers."""
MERGES = ("mean", "max", "concat")
OPTICAL = (
    *("COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3"),
    *("NIR_BROAD", "NIR_NARROW", "WATER_VAPOR", "CIRRUS", "SWIR_1", "SWIR_2"),
)
RADAR = ("VV", "VH", "ASC_VV", "ASC_VH", "DSC_VV", "DSC_VH", "VV-VH")
WAVELENGTHS = (*OPTICAL, "THERMAL_INFRARED_1", "THERMAL_INFRARED_12", *RADAR)
"""Bands whose wavelength DOFA and Clay know in TerraTorch."""
CLAY_WAVELENGTHS = (
    *("blue", "green", "red", "rededge1", "rededge2", "rededge3"),
    *("nir", "nir08", "swir16", "swir22", "vv", "vh", *WAVELENGTHS),
)
_SEVERAL = ("terramind", "earthmind_v1")
_SELECTING = ("timm", "dofa", "torchgeo", "hf_vision", "prithvi_swin", None)
_BY_WAVELENGTH = ("dofa", "clay")
_WITHOUT_WEIGHTS = ("prithvi_eo_tiny", "dofa_small_patch16_224")
_PATCHES = {"prithvi": 16, "terramind": 16, "clay": 8, "earthmind_v1": 14}
"""Sides of patches in pixels, where a name does not tell them."""
_PATTERNS = {
    "prithvi_swin": r"(timm_)?prithvi_swin_",
    "prithvi": r"prithvi_",
    "terramind": r"terramind_",
    "dofa": r"dofa_",
    "clay": r"(timm_)?clay_v1_",
    "earthmind_v1": r"earthmind_v1$",
    "hf_vision": r"hf_vision$",
    "torchgeo": r"(ssl4eol|ssl4eos12|satlas|seco|fmow)_",
    "timm": r"timm_",
}


def family_of(name: str) -> str | None:
    """The family of a registry name, as ``prithvi`` or ``timm``; None where the name does not tell it."""
    own = name.removeprefix("terratorch_")
    return next((family for family, pattern in _PATTERNS.items() if re.match(pattern, own)), None)


def builder_arguments(config: TrialConfig, family: str | None = None) -> dict[str, Any]:
    """Keyword arguments of the registry's builder, as plain values; those of ``backbone.arguments`` win.

    Args:
        config: The trial.
        family: Where the backbone's name does not tell it. Without any, ``backbone.arguments`` are all there is.

    Raises:
        InvalidConfig: The bands are not known.
    """
    family = family or family_of(config.backbone.name)
    derived = _FAMILIES[family](config) if family else {}
    return derived | dict(config.backbone.arguments)


def spread(count: int) -> list[int]:
    """Four evenly spread indices of so many features, the last one among them: 2 5 8 11 of 12."""
    return list(range(count)) if count <= 4 else [count * (quarter + 1) // 4 - 1 for quarter in range(4)]


def tile_px(config: TrialConfig) -> int:
    """Side of a tile in pixels, as it reaches the model."""
    return config.data.resize_px or config.data.tile_px or UNKNOWN_TILE_PX


def padded_px(config: TrialConfig, patch: int | None) -> int:
    """Side of what reaches the backbone: TerraTorch pads a tile to a multiple of two patches."""
    step = 2 * (patch or 1)
    return tile_px(config) if patch is None else -(-tile_px(config) // step) * step


def find_small_tile(config: TrialConfig, patch: int | None) -> Iterator[str]:
    """A line where a tile has fewer pixels than TerraTorch has to add to it, which it takes from the tile itself.

    Args:
        config: The trial.
        patch: Side of a patch in pixels; None where TerraTorch would not pad.
    """
    side, whole = tile_px(config), padded_px(config, patch)
    added = (whole - side + 1) // 2
    room = {"reflect": side - 1, "circular": side}.get(config.backbone.arguments.get("padding", "reflect"))
    if room is not None and added > room:
        key = "data.resize_px" if config.data.resize_px else "data.tile_px"
        yield (
            f"{key}={side} with backbone={config.backbone.name}: a tile is padded by its own pixels to a multiple of "
            f"two patches of {patch} px, here to {whole} px, and has too few; set data.resize_px={whole}, or use "
            "larger tiles"
        )


def known_bands(config: TrialConfig) -> list[str]:
    """The bands of a single image, by the backbone's names.

    Raises:
        InvalidConfig: Nobody has named them, or counted them in the files.
    """
    bands = list(input_bands(config))
    if not bands:
        raise InvalidConfig(
            f"data.bands=[] with backbone={config.backbone.name}: its input layer needs their number; name the bands"
        )
    return bands


def dates_per_input(config: TrialConfig) -> list[int]:
    """How many dates are stacked in each input layer, in order; empty where an input layer sees one date.

    EarthMind's one layer of three channels sees the bands of each date by themselves.
    """
    if not is_stacked(config) or family_of(config.backbone.name) == "earthmind_v1":
        return []
    return [config.data.frames_of(name) for name in config.data.modalities] or [config.data.frames_of("")]


def _prithvi(config: TrialConfig) -> dict[str, Any]:
    frames = 1 if sees_each_date(config) else input_frames(config)
    size = padded_px(config, _known_patch(config))
    return {"bands": known_bands(config), "num_frames": frames, "img_size": size}


def _prithvi_swin(config: TrialConfig) -> dict[str, Any]:
    return {"bands": known_bands(config), "out_indices": config.backbone.out_indices or [0, 1, 2, 3]}


def _terramind(config: TrialConfig) -> dict[str, Any]:
    backbone = config.backbone
    bands = input_modalities(config) or {backbone.modality or "S2L2A": known_bands(config)}
    arguments: dict[str, Any] = {"modalities": list(bands), "merge_method": backbone.merge}
    # Variants that think in modalities have fixed input layers.
    return arguments if backbone.name.endswith("_tim") else arguments | {"bands": bands}


def _dofa(config: TrialConfig) -> dict[str, Any]:
    depth = 24 if "_large" in config.backbone.name else 12
    return {
        "model_bands": known_bands(config),
        "img_size": padded_px(config, 16),
        "out_indices": config.backbone.out_indices or spread(depth),
    }


def _clay(config: TrialConfig) -> dict[str, Any]:
    return {"bands": known_bands(config), "img_size": padded_px(config, 8)}


def _earthmind(config: TrialConfig) -> dict[str, Any]:
    modalities, data = input_modalities(config), config.data
    dates = {"frames": {name: data.frames_of(name) for name in modalities or ["image"]}} if is_stacked(config) else {}
    return {
        "source": config.backbone.source,
        "bands": None if modalities else known_bands(config),
        "modalities": modalities or None,
        "img_size": padded_px(config, 14),
        "merge_method": config.backbone.merge,
        **dates,
    }


def _hf_vision(config: TrialConfig) -> dict[str, Any]:
    backbone = config.backbone
    arguments = {"source": backbone.source, "bands": known_bands(config), "img_size": tile_px(config)}
    return arguments if backbone.out_indices is None else arguments | {"out_indices": backbone.out_indices}


def _torchgeo(config: TrialConfig) -> dict[str, Any]:
    name, arguments = config.backbone.name, {"model_bands": known_bands(config)}
    if "_vit_" in name:  # Its wrapper takes indices, and returns every block's features all the same.
        return {**arguments, "img_size": padded_px(config, 16)}
    # A ResNet's stem comes first; a Swin's stages follow their own patch merging.
    stages = [1, 3, 5, 7] if "_swin_" in name else [1, 2, 3, 4]
    return {**arguments, "out_indices": config.backbone.out_indices or stages}


def _timm(config: TrialConfig) -> dict[str, Any]:
    arguments = {"in_chans": len(known_bands(config)), "img_size": padded_px(config, _known_patch(config))}
    indices = config.backbone.out_indices
    return arguments if indices is None else {**arguments, "out_indices": list(indices)}


def _known_patch(config: TrialConfig) -> int | None:
    """Side of a patch in pixels, as far as the name and the arguments tell it."""
    name, family = config.backbone.name, family_of(config.backbone.name)
    named = re.search(r"_patch(\d+)", name)
    usual = int(named[1]) if named else _PATCHES.get(family or "")
    if family == "prithvi" and "_600" in name:
        usual = 14
    given = config.backbone.arguments.get("patch_size", usual)
    return int(given[-1] if isinstance(given, list) else given) if given else None


_FAMILIES: dict[str, Callable[[TrialConfig], dict[str, Any]]] = {
    "prithvi": _prithvi,
    "prithvi_swin": _prithvi_swin,
    "terramind": _terramind,
    "dofa": _dofa,
    "clay": _clay,
    "earthmind_v1": _earthmind,
    "hf_vision": _hf_vision,
    "torchgeo": _torchgeo,
    "timm": _timm,
}


def find_conflicts(config: TrialConfig) -> Iterator[str]:
    """One line per thing that a backbone can't do with the data, or that names nothing."""
    backbone, family = config.backbone, family_of(config.backbone.name)
    yield from find_unknown(backbone.name)
    yield from _modalities(config, family)
    yield from _wavelengths(config, family)
    yield from find_small_tile(config, _known_patch(config))
    yield from _frames(config)
    if backbone.out_indices == []:
        yield "backbone.out_indices=[]: the decoder needs at least one feature; name some, or null"
    if family not in _SELECTING and "out_indices" in backbone.arguments:
        yield (
            f"backbone.arguments.out_indices with backbone={backbone.name}: the neck would select a second time; "
            "use backbone.out_indices"
        )
    if backbone.pretrained and backbone.name.removeprefix("terratorch_") in _WITHOUT_WEIGHTS:
        yield (
            f"backbone.pretrained=true with backbone={backbone.name}: no weights are published; set "
            "backbone.pretrained=false, give backbone.checkpoint=FILE, or use another backbone"
        )


def _modalities(config: TrialConfig, family: str | None) -> Iterator[str]:
    backbone, names = config.backbone, list(config.data.modalities)
    if backbone.merge not in MERGES:
        yield f"backbone.merge={backbone.merge}: unknown; use {', '.join(MERGES)}"
    if names and family is not None and family not in _SEVERAL:
        yield (
            f"data.modalities={names} with backbone={backbone.name}: it takes a single image; "
            "use TerraMind or EarthMind, or data of one image per sample"
        )
    if backbone.modality is not None and (names or family != "terramind"):
        reason = "the data name their modalities themselves" if names else "an image has no name there"
        yield f"backbone.modality={backbone.modality} with backbone={backbone.name}: {reason}; drop it"
    own = "modalities" in backbone.arguments
    for name in names or [backbone.modality or "S2L2A"] if family == "terramind" and not own else []:
        if name not in TERRAMIND_IMAGES:
            key = "data.modalities" if names else "backbone.modality"
            yield (
                f"{key}: {name} is no image that {backbone.name} knows; it knows {', '.join(TERRAMIND_IMAGES)} "
                "(others by backbone.arguments.modalities)"
            )


def _wavelengths(config: TrialConfig, family: str | None) -> Iterator[str]:
    known = {"dofa": WAVELENGTHS, "clay": CLAY_WAVELENGTHS}.get(family or "", ())
    if are_numbers(config.data.bands) and not config.backbone.bands:
        return  # The files may name them.
    strangers = [band for band in dict.fromkeys(input_bands(config)) if band not in known]
    if known and strangers and not {"bands", "model_bands"} & config.backbone.arguments.keys():
        yield (
            f"backbone.bands: {', '.join(strangers)} with backbone={config.backbone.name}: it goes by a band's "
            f"wavelength and knows {', '.join(known[:4])}, ...; give backbone.bands by these names, one per band of "
            "the data (docs/models.md lists them)"
        )


def _frames(config: TrialConfig) -> Iterator[str]:
    """Several dates for a backbone of one, or another number of them than it is built for."""
    backbone, data = config.backbone, config.data
    stated = backbone.arguments.get("num_frames")
    if stated is not None and stated != (data.frames or 1):
        frames = "null" if data.frames is None else data.frames
        yield (
            f"backbone.arguments.num_frames={stated} with data.frames={frames}: samples have {data.frames or 1} "
            f"{'date' if (data.frames or 1) == 1 else 'dates'}; drop it, and set data.frames to the dates in the data"
        )
    patch = backbone.arguments.get("patch_size")
    if isinstance(patch, list) and len(patch) == 3 and input_frames(config) % int(patch[0]):
        yield (
            f"backbone.arguments.patch_size={patch} with data.frames={data.frames}: a patch is {patch[0]} dates deep, "
            "and the dates don't fill whole ones; use a depth that divides them"
        )
    if takes_frames(config) or not has_frames(config):
        return
    if data.frames_for_one_date == REFUSE:
        stack = "" if family_of(backbone.name) in _BY_WAVELENGTH else " or stack (the bands of all as one image's)"
        yield (
            f"data.frames={data.frames} with backbone={backbone.name}: it takes images of one date; set "
            f"data.frames_for_one_date=mean (their average){stack}, or use Prithvi"
        )
    yield from _no_stack(config)


def _no_stack(config: TrialConfig) -> Iterator[str]:
    """A line for a backbone that can't tell the stacked bands of one date from those of another."""
    name = config.backbone.name
    stack = f"data.frames_for_one_date=stack with backbone={name}"
    if is_stacked(config) and name.endswith("_tim"):
        yield f"{stack}: its input layers are fixed; use mean, or the variant without _tim"
    if is_stacked(config) and family_of(name) in _BY_WAVELENGTH:
        yield (
            f"{stack}: it makes a band's weights of its wavelength, so that all dates get the same ones, and a stack "
            "says no more than their mean; use data.frames_for_one_date=mean"
        )
