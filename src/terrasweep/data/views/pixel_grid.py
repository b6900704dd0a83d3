"""The grid on which an image is read at the pixel size that ``data.pixel_size`` names. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from terrasweep.data.views.file_set import FileSet
from terrasweep.data.views.ground_pixels import ALIKE, GroundPixel, ground_pixels
from terrasweep.data.views.headers import Header
from terrasweep.data.views.view import View

_LACKING = 0.05
"""Share of a pixel that may lack at an edge: pixels are made smaller by less than that, so that it isn't dropped."""
_UNMOVED = 1e-6


@dataclass(frozen=True, kw_only=True)
class PixelGrid:
    """A grid that begins in the upper left corner of a file."""

    height: int
    """Pixels, as are those of ``width``."""
    width: int
    across: float
    """Pixels of the file, from left to right, that one of the grid covers."""
    down: float

    @property
    def is_the_files(self) -> bool:
        """Whether it is the grid that the file has, or its upper left part."""
        return max(abs(self.across - 1), abs(self.down - 1)) < _UNMOVED

    @property
    def is_finer(self) -> bool:
        """Whether its pixels are smaller than those of the file."""
        return self.across * self.down < 1

    def of(self, view: View) -> View:
        """The grid alone of a view: its size and place."""
        transform = None if view.transform is None else self.placed(view.transform)
        return replace(view, height=self.height, width=self.width, transform=transform)

    def placed(self, transform: tuple[float, ...]) -> tuple[float, ...]:
        """What leads from the grid's pixels to where the file's lead, as in a header."""
        a, b, c, d, e, f = transform
        return a * self.across, b * self.down, c, d * self.across, e * self.down, f

    def over(self, image: Header, other: Header) -> PixelGrid:
        """The same grid for another file over the image's ground."""
        return replace(
            self, across=self.across * other.width / image.width, down=self.down * other.height / image.height
        )


def grid_at(header: Header, pixel: GroundPixel, metres: float) -> PixelGrid:
    """The grid of a pixel size; the file's own where that is the same to :data:`ALIKE`.

    What is left over at the right and lower edges, less than a pixel, is dropped.

    Args:
        header: Of the file.
        pixel: Size of its pixels on the ground.
        metres: Side of those that are wanted.
    """
    if pixel.factor(GroundPixel(width=metres, height=metres)) <= ALIKE:
        return PixelGrid(height=header.height, width=header.width, across=1.0, down=1.0)
    width, across = _cells(header.width, pixel.width / metres)
    height, down = _cells(header.height, pixel.height / metres)
    return PixelGrid(height=height, width=width, across=across, down=down)


def _cells(pixels: int, ratio: float) -> tuple[int, float]:
    """How many new pixels fit, and how many of the old ones each covers."""
    count = math.floor(pixels * ratio + _LACKING)
    return count, min(pixels / max(count, 1), 1 / ratio)


def image_grids(files: FileSet) -> list[PixelGrid | None]:
    """The grids of the images, of the first modality where there are several, at ``data.pixel_size``.

    None where it names no size, and for a file without a place on the ground.
    """
    headers, metres = files.headers[files.modalities[0]], files.config.data.pixel_metres
    if metres is None:
        return [None] * len(headers)
    return [
        grid_at(header, pixel, metres) if header is not None and pixel is not None else None
        for header, pixel in zip(headers, ground_pixels(headers), strict=True)
    ]
