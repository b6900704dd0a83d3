"""What a backbone's builder is called with: derived from the backbone's name and the data. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from terrasweep.config.input_bands import input_bands, input_modalities
from terrasweep.config.input_frames import input_frames, is_stacked, sees_each_date
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import InvalidConfig

UNKNOWN_TILE_PX = 224
"""What a plan without data takes a tile to be."""
UNKNOWN_CLASSES = 2
"""What a plan without data takes the number of classes to be."""
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
    size = padded_px(config, known_patch(config))
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
    arguments = {"in_chans": len(known_bands(config)), "img_size": padded_px(config, known_patch(config))}
    indices = config.backbone.out_indices
    return arguments if indices is None else {**arguments, "out_indices": list(indices)}


def known_patch(config: TrialConfig) -> int | None:
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
