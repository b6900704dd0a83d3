"""Arrays of pixels as images inside a page (``data:`` addresses)."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
from PIL import Image

_QUALITY = 82


def photo(pixels: np.ndarray) -> str:
    """An image of red, green and blue, uint8 (height, width, 3), as a JPEG."""
    return _address(Image.fromarray(pixels, "RGB"), "jpeg", quality=_QUALITY)


def drawing(pixels: np.ndarray) -> str:
    """Few colours with sharp edges, uint8 (height, width, 4) with the opacity last, as a PNG."""
    image = Image.fromarray(pixels, "RGBA")
    if len(image.getcolors(256) or ()):
        image = image.quantize(256, method=Image.Quantize.FASTOCTREE)
    return _address(image, "png", optimize=True)


def _address(image: Image.Image, kind: str, **options: int | bool) -> str:
    file = BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"
