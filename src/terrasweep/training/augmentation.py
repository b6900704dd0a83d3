"""Shows training samples under the symmetries that ``augment`` names, on the device.

Pixels change places and keep their values, in images and masks alike. Kornia's flips do that; its random rotations
resample, and its augmentations draw from torch's global generator, on which dropout depends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import compress
from typing import Any

import torch
from kornia.geometry.transform import hflip, vflip
from torch import Tensor

from terrasweep.config.knobs.augment import DIAGONAL, LEFT_RIGHT, MOVES, UP_DOWN, moves_of
from terrasweep.results.errors import InvalidConfig

_BEYOND_ALL_SEEDS = 2**32
"""``train.seed`` is below it, so that no generator of a trial has the seed of another one's symmetries."""
_MOVE: dict[str, Callable[[Tensor], Tensor]] = {
    DIAGONAL: lambda pixels: pixels.transpose(-2, -1),
    LEFT_RIGHT: hflip,
    UP_DOWN: vflip,
}


class Symmetries:
    """Draws a symmetry for each training sample, one after the other, and applies it.

    The n-th sample of a training has the same symmetry however the samples are divided into batches, and however long
    the training is: two batches of four are turned as one of eight.
    """

    def __init__(self, augment: str, seed: int) -> None:
        """Args: ``augment``: the option's name; ``seed``: ``train.seed``."""
        self._augment = augment
        self._generator = torch.Generator().manual_seed(seed + _BEYOND_ALL_SEEDS)

    def applied(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch with each sample under a symmetry of its own; what is no image and no mask stays as it is.

        All images of a sample, whatever their sizes, and its mask are under the same one. Where one of them is not
        square, rotations by 90 degrees and the two diagonals are left out, and the other four are equally likely.

        Args:
            batch: ``image`` is (B, C, H, W), (B, C, T, H, W), or a dict of such by modality; ``mask`` is (B, H, W).

        Raises:
            InvalidConfig: An image has another number of dimensions.
        """
        if not MOVES[self._augment]:
            return batch
        pictures = [*self._images(batch["image"]), *([batch["mask"]] if "mask" in batch else [])]
        moves = moves_of(self._augment, square=all(p.shape[-2] == p.shape[-1] for p in pictures))
        groups = self._drawn(len(pictures[0]), moves, pictures[0].device)
        return {key: _moved(value, groups) if key in ("image", "mask") else value for key, value in batch.items()}

    def _drawn(self, samples: int, moves: tuple[str, ...], device: torch.device) -> dict[tuple[str, ...], Tensor]:
        """Moves to the places of the samples that make them; all moves of the option are tossed for, on the host."""
        tosses = torch.randint(2, (samples, len(MOVES[self._augment])), generator=self._generator)
        made: dict[tuple[str, ...], list[int]] = {}
        for place, tossed in enumerate(tosses.tolist()):
            chosen = tuple(move for move in compress(MOVES[self._augment], tossed) if move in moves)
            made.setdefault(chosen, []).append(place)
        return {chosen: torch.tensor(places, device=device) for chosen, places in made.items()}

    def _images(self, image: Any) -> Iterator[Tensor]:
        named = image.items() if isinstance(image, Mapping) else [("image", image)]
        for name, pixels in named:
            if pixels.ndim not in (4, 5):
                raise InvalidConfig(
                    f"augment={self._augment}: a batch of {name} has the shape {tuple(pixels.shape)}, of which height "
                    "and width are not known; give (B, C, H, W) or (B, C, T, H, W), or use augment=none"
                )
            yield pixels


def _moved(pixels: Any, groups: dict[tuple[str, ...], Tensor]) -> Any:
    """Images or masks (B, ..., H, W), or a dict of them, each sample with the moves of its group."""
    if isinstance(pixels, Mapping):
        return {name: _moved(inner, groups) for name, inner in pixels.items()}
    turned = torch.empty_like(pixels)
    for moves, places in groups.items():
        group = pixels[places]
        for move in moves:
            group = _MOVE[move](group)
        turned[places] = group
    return turned
