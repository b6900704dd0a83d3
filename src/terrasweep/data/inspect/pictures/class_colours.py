"""Colours for class numbers and for values of a target."""

from __future__ import annotations

import colorsys

import numpy as np

Colour = tuple[int, int, int]

FIRST: tuple[Colour, ...] = (
    *((230, 159, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (240, 228, 66), (86, 180, 233), (213, 94, 0)),
    *((128, 62, 158), (120, 200, 80), (140, 86, 75)),
)
"""The palette of Okabe and Ito (2008), which people with any colour vision tell apart, and three more."""
IGNORED: Colour = (128, 128, 128)
"""Labels that don't count."""
OUTSIDE: Colour = (255, 0, 0)
"""Labels that are no class."""
_RAMP = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64)
"""Viridis of matplotlib at five places."""
_GOLDEN = 0.618033988749895
"""Turns by this part of the circle of hues never come near each other again soon."""
_LIGHTS = (0.42, 0.62, 0.52, 0.72, 0.34)


def class_colour(label: int) -> Colour:
    """The colour of a class by its number; different for the first hundred at least."""
    if label < len(FIRST):
        return FIRST[label]
    turn = label - len(FIRST)
    light, fullness = _LIGHTS[turn % len(_LIGHTS)], 0.9 - 0.45 * ((turn // 7) % 2)
    red, green, blue = colorsys.hls_to_rgb((0.03 + turn * _GOLDEN) % 1, light, fullness)
    return round(255 * red), round(255 * green), round(255 * blue)


def ramp(values: np.ndarray) -> np.ndarray:
    """Colours of values from 0 to 1: uint8, with three more places at the end of the shape."""
    places = np.clip(np.nan_to_num(values), 0, 1) * (len(_RAMP) - 1)
    channels = [np.interp(places, np.arange(len(_RAMP)), _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def css(colour: Colour) -> str:
    """As style sheets write it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
