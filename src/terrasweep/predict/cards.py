"""Memory of cards, to plan for one that is not at hand. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.wording import nearest, rounded

SET_ASIDE_GIB, SET_ASIDE_SHARE = 0.5, 0.01
"""Of a card: the CUDA context of the trial's process (some hundred MiB), and its driver's part: ``nvidia-smi`` shows
79.6 GiB of an H100's 80 and 140.4 of an H200's 141, some of which torch does not see either."""
_WITH_ECC = 15 / 16
"""Of GDDR memory, which keeps its check bits in itself: HBM has room of its own for them."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A GPU."""

    memory_gib: float
    """On its data sheet."""
    source: str
    """The data sheet."""
    ecc_inside: bool = False
    """Whether its check bits take a part of the memory, as it is delivered."""

    @property
    def usable_gib(self) -> float:
        """What a trial's allocator can have of it."""
        return self.beside_ecc_gib * (1 - SET_ASIDE_SHARE) - SET_ASIDE_GIB

    @property
    def beside_ecc_gib(self) -> float:
        """What is left beside its check bits."""
        return self.memory_gib * (_WITH_ECC if self.ecc_inside else 1.0)


_NVIDIA = "https://www.nvidia.com/"
_CENTER = f"{_NVIDIA}en-us/data-center/"
_GEFORCE = f"{_NVIDIA}en-us/geforce/graphics-cards/"

CARDS: dict[str, Card] = {
    "rtx3060-12": Card(memory_gib=12, source=f"{_GEFORCE}30-series/rtx-3060-3060ti/"),
    "rtx3090": Card(memory_gib=24, source=f"{_GEFORCE}30-series/rtx-3090-3090ti/"),
    "rtx4090": Card(memory_gib=24, source=f"{_GEFORCE}40-series/rtx-4090/"),
    "rtx5090": Card(memory_gib=32, source=f"{_GEFORCE}50-series/rtx-5090/"),
    "t4": Card(memory_gib=16, source=f"{_CENTER}tesla-t4/", ecc_inside=True),
    "l4": Card(memory_gib=24, source=f"{_CENTER}l4/", ecc_inside=True),
    "a10": Card(memory_gib=24, source=f"{_CENTER}products/a10-gpu/", ecc_inside=True),
    "a40": Card(memory_gib=48, source=f"{_CENTER}a40/", ecc_inside=True),
    "l40s": Card(memory_gib=48, source=f"{_CENTER}l40s/", ecc_inside=True),
    "v100-16": Card(memory_gib=16, source=f"{_CENTER}v100/"),
    "v100-32": Card(memory_gib=32, source=f"{_CENTER}v100/"),
    "a100-40": Card(memory_gib=40, source=f"{_CENTER}a100/"),
    "a100-80": Card(memory_gib=80, source=f"{_CENTER}a100/"),
    "h100": Card(memory_gib=80, source=f"{_CENTER}h100/"),
    "h200": Card(memory_gib=141, source=f"{_CENTER}h200/"),
}
"""By the names that ``terrasweep plan --card`` takes."""


def cards_table() -> str:
    """The cards as a Markdown table: name, memory, and what a trial can have of it."""
    rows = ["| `--card` | memory (GiB) | for a trial (GiB) | by |", "| --- | ---: | ---: | --- |"]
    rows += [
        f"| `{name}` | {card.memory_gib:g}{', ECC' if card.ecc_inside else ''} | {rounded(card.usable_gib)} | "
        f"[data sheet]({card.source}) |"
        for name, card in CARDS.items()
    ]
    return "\n".join(rows)


def limits(cards: str, memory_gib: str) -> dict[str, float]:
    """GiB that a trial's allocator may have, by what they are called.

    Args:
        cards: Names in :data:`CARDS`, with commas between them; may be empty.
        memory_gib: Numbers with commas between them, as ``budget.memory_gib`` takes them; may be empty.

    Raises:
        InvalidConfig: A card is not known, or something is no positive number.
    """
    found: dict[str, float] = {}
    for name in _parts(cards):
        if name.lower() not in CARDS:
            raise InvalidConfig(
                f"--card={name}: not in the table; {nearest(name.lower(), CARDS)}; or give --memory-gib"
            )
        found[name.lower()] = CARDS[name.lower()].usable_gib
    for text in _parts(memory_gib):
        found[f"{_positive(text):g} GiB"] = _positive(text)
    return found


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InvalidConfig(f"--memory-gib={text}: it must be a number above 0, like 24, or several like 12,24")
    return value
