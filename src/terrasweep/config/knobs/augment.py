"""Symmetries under which training samples are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from terrasweep.config.knobs.knob import EVERYTHING, Knob
from terrasweep.results.wording import nearest

DIAGONAL, LEFT_RIGHT, UP_DOWN = "diagonal", "left_right", "up_down"
"""Moves: rows and columns change places; columns from the last to the first; rows from the last to the first."""
MOVES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "mirror": (LEFT_RIGHT,),
    "flips": (LEFT_RIGHT, UP_DOWN),
    "d4": (DIAGONAL, LEFT_RIGHT, UP_DOWN),
}
"""Option to its moves, in the order in which they are made; whether a sample makes one is the toss of a coin.

The eight outcomes of three tosses are the eight symmetries of a square (the dihedral group D4), each once: rotations by
90 degrees are a diagonal move and one of the two others.
"""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Under which symmetries training samples are shown; those of validation and test stay as they are."""

    name: str = "none"
    """``none``, ``mirror``, ``flips`` or ``d4``; ``none`` where a configuration is older than the key."""


def moves_of(augment: str, *, square: bool) -> tuple[str, ...]:
    """The moves of an option; of images that are not square those that leave height and width as they are.

    Args:
        augment: The option's name.
        square: Whether height and width are equal in every image and mask of a sample.
    """
    return tuple(move for move in MOVES[augment] if square or move != DIAGONAL)


def find_bad_values(augment: AugmentConfig) -> Iterator[str]:
    """One line per value that is not one of those allowed."""
    if augment.name not in MOVES:
        yield f"augment.name={augment.name}: unknown; {nearest(augment.name, MOVES)}"


KNOB = Knob(
    group="augment",
    settings=AugmentConfig,
    find_bad_values=find_bad_values,
    # A turned copy of a batch costs a little memory and time.
    bears_on={"name": EVERYTHING},
    off="none",
)
"""training/augmentation.py does it: no transformation of the model."""
