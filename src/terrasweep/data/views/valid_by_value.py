"""Images with masks or alpha bands of their own as images that mark the same pixels by a value. Imports no torch.

An image has one mask, and a stack of dates needs each date's: what a mask hides becomes a value that no pixel has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from terrasweep.data.views.view import ENDING, BandSource, View, write_view

_WIDER = {"uint8": "int16", "int8": "int16", "uint16": "int32", "int16": "int32"}
"""Number types with a value that the narrower one does not have."""


def valid_by_value(samples: Sequence[Sequence[View | None]], folder: Path) -> list[list[View | None]]:
    """Views of the same images that hold, in all samples, one value where their masks hide a pixel.

    Args:
        samples: The images of each sample; None: unreadable. Complex ones stay as they are.
        folder: Takes the views with masks that these are views of.
    """
    views = [view for images in samples for view in images if view is not None]
    value, dtype = _mark(views)
    if dtype.startswith("complex"):
        return [list(images) for images in samples]
    return [
        [
            view and _marked(view, value, dtype, folder / f"{sample:06}_{number}{ENDING}")
            for number, view in enumerate(images)
        ]
        for sample, images in enumerate(samples)
    ]


def _mark(views: Sequence[View]) -> tuple[float, str]:
    """The value that hides pixels, and a number type that has it and all others: the images' own where they have one.

    Numbers of more than 32 bits and several types become float64.
    """
    dtypes, own = {view.dtype for view in views}, {view.no_data for view in views}
    dtype = dtypes.pop() if len(dtypes) == 1 else "float64"
    if len(own) == 1 and (value := own.pop()) is not None:
        return value, dtype
    if dtype.startswith(("float", "complex")):
        return math.nan, dtype
    wider = _WIDER.get(dtype, "float64")
    return (math.nan if wider == "float64" else float(np.iinfo(wider).min)), wider


def _marked(view: View, value: float, dtype: str, inner: Path) -> View:
    own = replace(view, no_data=value, dtype=dtype)
    if view.validity is None:
        return own
    file = str(write_view(own, inner))
    bands = tuple(BandSource(file=file, number=number, masked=True) for number in range(1, len(view.bands) + 1))
    return replace(own, bands=bands, validity=None, stretched_from=None)
