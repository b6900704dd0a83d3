"""COCO's JSON of labelled images: polygons and runs of pixels, by the images' names. Imports no torch.

Format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from rasterio import Affine
from rasterio.features import shapes as outlines

from terrasweep.data.views.polygons import Shape
from terrasweep.data.views.view import View
from terrasweep.results.errors import DataError
from terrasweep.results.wording import counted

_CORNERS = 3
"""The fewest that an area has."""


def read_coco(file: Path) -> CocoPolygons | None:
    """The annotations of a file; None where it is none of COCO's."""
    if file.suffix.lower() != ".json":
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DataError(f"data.labels.vector={file}: it is no JSON: {error}; mend it, or export it anew") from error
    return CocoPolygons(file, content) if isinstance(content, dict) and "annotations" in content else None


class CocoPolygons:
    """What a labelling tool exported. Coordinates are pixels: (0, 0) is the upper left corner of the first."""

    column = "categories"

    def __init__(self, file: Path, content: dict[str, Any]) -> None:
        """Sort the annotations by image.

        Raises:
            DataError: Something that the format has is missing.
        """
        try:
            categories = sorted(content["categories"], key=lambda category: category["id"])
            names = {category["id"]: str(category["name"]) for category in categories}
            annotated: dict[Any, list[tuple[Any, str]]] = defaultdict(list)
            for annotation in content["annotations"]:
                name = names[annotation["category_id"]]
                annotated[annotation["image_id"]].append((annotation.get("segmentation"), name))
            images = {str(image["file_name"]): image for image in content["images"]}
        except (KeyError, TypeError) as error:
            raise DataError(
                f"data.labels.vector={file}: {error} is not there, which COCO's JSON has (images, annotations and "
                "categories); export it anew"
            ) from error
        self.file, self.classes, self.count = file, list(dict.fromkeys(names.values())), len(content["annotations"])
        self._images, self._annotated, self._total = _by_name(images), annotated, len(images)
        bare = sum(not segmentation for found in annotated.values() for segmentation, _ in found)
        if bare:
            raise DataError(
                f"data.labels.vector={file}: {bare} of {self.count} annotations are boxes without a segmentation, "
                "which tell no pixels apart; draw polygons, or remove them"
            )

    def on(self, image: Path, grid: View) -> tuple[list[Shape], Affine]:
        """Those on an image in the file's order, and what leads from pixels to their coordinates.

        Raises:
            DataError: The file doesn't know the image, or as one of another size.
        """
        found = self._images.get(image.name) or self._images.get(image.stem)
        if found is None:
            raise DataError(
                f"data.labels.vector={self.file}: {image.name} is none of its {counted(self._total, 'image')} (by "
                "file_name); add it, without annotations where it has none, or take it out"
            )
        size = (found.get("height", grid.height), found.get("width", grid.width))
        if size != (grid.height, grid.width):
            raise DataError(
                f"data.labels.vector={self.file}: {image.name} has {grid.height} x {grid.width} pixels, and there "
                f"{size[0]} x {size[1]}; use the images that were labelled"
            )
        shapes = [
            (shape, name)
            for segmentation, name in self._annotated.get(found["id"], [])
            for shape in _shapes(segmentation)
        ]
        return shapes, Affine.identity()


def _by_name(images: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Images by their files' names, and by the names without endings, where these are of one alone."""
    named: dict[str, dict[str, Any]] = {}
    stems: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, image in images.items():
        plain = name.replace("\\", "/").rpartition("/")[2]
        named[plain] = image
        stems[Path(plain).stem].append(image)
    return {stem: found[0] for stem, found in stems.items() if len(found) == 1} | named


def _shapes(segmentation: Any) -> list[dict[str, Any]]:
    """A list of polygons, each ``[x, y, x, y, ...]``, or runs of pixels, as areas."""
    if isinstance(segmentation, dict):
        return _runs(segmentation)
    rings = [[corners[place : place + 2] for place in range(0, len(corners), 2)] for corners in segmentation]
    return [{"type": "Polygon", "coordinates": [[*ring, ring[0]]]} for ring in rings if len(ring) >= _CORNERS]


def _runs(encoded: dict[str, Any]) -> list[dict[str, Any]]:
    """The outlines of pixels that are given by run lengths down the columns, plain or compressed."""
    from pycocotools import mask

    height, width = encoded["size"]
    packed = mask.frPyObjects(encoded, height, width) if isinstance(encoded["counts"], list) else encoded
    pixels = np.asarray(mask.decode(packed), np.uint8)
    return [shape for shape, _ in outlines(pixels, mask=pixels.astype(bool))]
