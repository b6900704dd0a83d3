"""Items of a SpatioTemporal Asset Catalog (STAC) as the root of a data set. Imports no torch.

Format: https://github.com/radiantearth/stac-spec. A split is the property ``split``, or ``ml-aoi:split``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.readings import LABEL_FOLDERS, MASK
from terrasweep.data.find.scenes import Scene, SceneList
from terrasweep.data.find.split_folders import split_of
from terrasweep.data.find.stac_places import centre, sites, when
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError, raise_out_of_memory
from terrasweep.results.wording import listed

STAC_ENDINGS = (".json", ".geojson")
_ROOTS = ("catalog.json", "collection.json")
_LABEL_ROLES = ("labels", "label", "labels-raster", "annotations", "annotation", "mask", "target")
_SPLITS = ("split", "ml-aoi:split")
_LOOKED_AT = 20
"""Files that are looked at to see whether a folder is one of items."""

Item = dict[str, Any]


def is_stac_folder(folder: Path) -> bool:
    """Whether a folder has a catalogue, or items, directly in it."""
    files = [folder / name for name in _ROOTS if (folder / name).is_file()] or sorted(folder.glob("*.json"))
    return any(b'"stac_version"' in file.read_bytes()[: 1 << 20] for file in files[:_LOOKED_AT])


def read_stac(config: TrialConfig, root: Path, kinds: Iterable[str]) -> SceneList:
    """The items of a catalogue, a collection, an item collection or a folder of items.

    An asset is of the kind whose folder's name (``data.image_folder``, ``data.label_folder``, a modality's ``folder``)
    is its key. Else the image is the only asset with the role ``data``, and the mask the only one with the role
    ``labels``. The properties ``datetime``, or ``start_datetime`` and ``end_datetime``, say when an item was; ids
    without dates, geometries and grids may tell which items are dates of one place.

    Raises:
        DataError: A file is no STAC, or it can't be told which asset is meant, or one is not on this machine.
    """
    scenes = []
    kinds = list(kinds)
    for item, file in _items(root):
        assets = item.get("assets", {})
        name = str(item.get("id", file.stem))
        keys = {kind: _key(config, kind, assets, f"data.root={root}: item {name}") for kind in kinds}
        properties = item.get("properties") or {}
        split = next((str(properties[key]) for key in _SPLITS if properties.get(key)), None)
        if split is not None and split_of(split) is None:
            raise DataError(f"data.root={root}: item {name}: {split} is no split; write train, val or test")
        order, days = when(properties)
        scenes.append(
            Scene(
                place=f"item {name}",
                name=name,
                files={kind: _local(assets[key]["href"], file, root, name) for kind, key in keys.items() if key},
                split=None if split is None else split_of(split),
                order=order,
                days=days,
                site=sites(item),
                location=centre(item),
            )
        )
    divided = bool(scenes) and all(scene.split for scene in scenes)
    return SceneList(
        scenes=scenes, divided_by="property split" if divided else "", note=f"read as {len(scenes)} STAC items"
    )


def assets_in(root: Path) -> list[Path]:
    """All files of a catalogue that are there: its own, and those that its items name."""
    found: dict[Path, None] = {}
    try:
        for item, file in _items(root):
            found[file] = None
            for asset in (item.get("assets") or {}).values():
                href = asset.get("href", "")
                if not _is_remote(href) and (path := _resolved(href, file)).is_file():
                    found[path] = None
    except (DataError, OSError, ValueError, AttributeError) as error:
        raise_out_of_memory(error)
    return list(found)


def _items(root: Path) -> Iterator[tuple[Item, Path]]:
    if root.is_file():
        yield from _items_of(root, set())
        return
    catalogues = [root / name for name in _ROOTS if (root / name).is_file()]
    for file in catalogues[:1] or sorted(root.glob("*.json")):
        if catalogues or str(_loaded(file).get("type")).startswith("Feature"):
            yield from _items_of(file, set())


def _items_of(file: Path, seen: set[Path]) -> Iterator[tuple[Item, Path]]:
    """The items of one file, and of those that it links to."""
    if file.resolve() in seen:
        return
    seen.add(file.resolve())
    content = _loaded(file)
    match content.get("type"):
        case "Feature":
            yield content, file
        case "FeatureCollection":
            yield from ((feature, file) for feature in content.get("features", []))
        case "Collection" | "Catalog":
            for link in content.get("links", []):
                if link.get("rel") in ("item", "items", "child") and not _is_remote(link.get("href", "")):
                    yield from _items_of(_resolved(link["href"], file), seen)
        case _:
            raise DataError(
                f"data.root={file}: it is no STAC item, item collection, collection or catalogue; give one, a table or "
                "a folder (docs/data.md)"
            )


def _loaded(file: Path) -> Item:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise_out_of_memory(error)
        raise DataError(f"data.root={file}: it can't be read as JSON: {error}; mend it") from error
    return content if isinstance(content, dict) else {}


def _key(config: TrialConfig, kind: str, assets: dict[str, Any], place: str) -> str | None:
    """The key of the asset of a kind; None where an item has no mask."""
    data = config.data
    named = {MASK: data.label_folder, IMAGE: data.image_folder} | {n: m.folder for n, m in data.modalities.items()}
    if named[kind] in assets:
        return named[kind]
    if kind in data.modalities:
        raise DataError(
            f"{place}: there is no asset {named[kind]} (it has {listed(assets)}); correct data.modalities.{kind}.folder"
        )
    labels = [key for key, asset in assets.items() if _roles(asset) & set(_LABEL_ROLES)]
    labels = labels or [key for key in assets if key.casefold() in LABEL_FOLDERS]
    found = (
        labels
        if kind == MASK
        else [key for key, asset in assets.items() if "data" in _roles(asset) - set(labels) and key not in labels]
    )
    if len(found) == 1 or (kind == MASK and not found):
        return found[0] if found else None
    setting = "data.label_folder" if kind == MASK else "data.image_folder"
    role = "labels" if kind == MASK else "data"
    raise DataError(
        f"{place}: {len(found)} assets have the role {role} ({listed(found or assets)}); name the one that is meant "
        f"with {setting}=KEY"
    )


def _roles(asset: dict[str, Any]) -> set[str]:
    return {str(role).casefold() for role in asset.get("roles") or ()}


def _is_remote(href: str) -> bool:
    return urlparse(href).scheme not in ("", "file")


def _resolved(href: str, file: Path) -> Path:
    """The path of a reference, which may be written like a web address."""
    text = urlparse(href).path if href.startswith("file:") else href
    plain = file.parent / text
    return plain if plain.exists() else file.parent / unquote(text)


def _local(href: str, file: Path, root: Path, name: str) -> Path:
    if _is_remote(href):
        raise DataError(
            f"data.root={root}: item {name}: {href} is not on this machine; download it, and correct the item"
        )
    return _resolved(href, file)
