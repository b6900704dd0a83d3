"""Which tensors of a checkpoint are which of a backbone, by their names alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def best_fit(content: Any, encoder: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """The dictionary of tensors that fits the encoder best, by the encoder's names, and what is left of it.

    Args:
        content: Of a checkpoint: dictionaries in dictionaries, some of tensors.
        encoder: Its names may begin otherwise than the file's.
    """
    own = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    best: dict[str, str] = {}
    chosen: dict[str, Tensor] = {}
    for tensors in _dictionaries(content):
        names = _translation(list(tensors), own)
        if not chosen or len(names) > len(best):
            best, chosen = names, tensors
    unexpected = sorted(chosen.keys() - best.values())
    return {ours: chosen[theirs] for ours, theirs in best.items()}, unexpected


def _dictionaries(content: Any, depth: int = 4) -> Iterator[dict[str, Tensor]]:
    """Every dictionary of named tensors in it, outer ones first."""
    if not isinstance(content, dict) or not depth:
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield tensors
    for value in content.values():
        yield from _dictionaries(value, depth - 1)


def _translation(theirs: list[str], own: dict[str, Any]) -> dict[str, str]:
    """The encoder's names to the file's, for the beginnings (of either) under which the most names agree."""
    best: dict[str, str] = {}
    for inner in _beginnings(list(own)):
        short = {name.removeprefix(inner): name for name in own}
        counts = Counter(name.removesuffix(end) for name in theirs for end in _ends(name) if end in short)
        # Of equals the shortest: what is not in front of the rest is the model itself.
        for outer in sorted(counts, key=lambda prefix: (-counts[prefix], len(prefix)))[:1]:
            if counts[outer] > len(best):
                best = {
                    short[name.removeprefix(outer)]: name
                    for name in theirs
                    if name.startswith(outer) and name.removeprefix(outer) in short
                }
    return best


def _ends(name: str) -> Iterator[str]:
    """``a.b.c``, ``b.c``, ``c``."""
    parts = name.split(".")
    return (".".join(parts[start:]) for start in range(len(parts)))


def _beginnings(names: list[str]) -> list[str]:
    """What all names begin with, in whole parts: nothing, then one part, then two ..."""
    found = [""]
    while len(first := {name.removeprefix(found[-1]).split(".", 1)[0] for name in names}) == 1:
        longer = f"{found[-1]}{first.pop()}."
        if not all(name.startswith(longer) for name in names):
            break
        found.append(longer)
    return found
