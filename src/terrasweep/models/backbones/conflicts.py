"""What of a backbone's settings and the data contradicts each other, a line each. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.config.band_choice import are_numbers
from terrasweep.config.data import REFUSE
from terrasweep.config.input_bands import input_bands
from terrasweep.config.input_frames import has_frames, input_frames, is_stacked, takes_frames
from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.families import family_of, known_patch, padded_px, tile_px
from terrasweep.models.backbones.prepared import find_unknown

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


def find_conflicts(config: TrialConfig) -> Iterator[str]:
    """One line per thing that a backbone can't do with the data, or that names nothing."""
    backbone, family = config.backbone, family_of(config.backbone.name)
    yield from find_unknown(backbone.name)
    yield from _modalities(config, family)
    yield from _wavelengths(config, family)
    yield from find_small_tile(config, known_patch(config))
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
