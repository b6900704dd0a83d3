"""Traces that are kept: what lies between their batches or tiles needs none of its own. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import write_atomically
from terrasweep.models.backbones.families import tile_px
from terrasweep.predict.between_traces import Extent, NotBetween, trace_between
from terrasweep.predict.trace import Block, Kind, Phase, Trace, Work

_KINDS = list(Kind)
_PARABOLA = 3
"""Tiles that a parabola needs."""


class KeptTraces:
    """Traces of one trial with other batches and tiles, as files of a folder."""

    def __init__(self, folder: Path, config: TrialConfig) -> None:
        """Look at a folder, which need not be there.

        Args:
            folder: For the trial, whatever its batch and tile.
            config: The trial. Of a batch in parts of unequal size nothing is kept: their sizes are not affine in it.
        """
        self._folder, self._config = folder, config
        self._batch, self._tile = config.train.batch_size, tile_px(config)
        self._is_even = self._batch % config.train.accumulate == 0
        self._read: dict[tuple[int, int], Trace] = {}

    def keep(self, trace: Trace) -> None:
        """Keep the trial's own trace; on a disk that can't be written nothing is."""
        if self._is_even:
            with contextlib.suppress(OSError):
                write_atomically(self._folder / f"{self._batch}-{self._tile}", _packed(trace))

    def between(self) -> Trace | None:
        """The trial's trace by those that are kept of smaller and larger batches, or else tiles."""
        if not self._is_even:
            return None
        kept = {(int(batch), int(tile)) for batch, _, tile in (name.partition("-") for name in self._names())}
        if (found := self._between_batches(kept, self._tile)) is not None:
            return found
        return self._between_tiles(kept, self._tile)

    def _names(self) -> Iterator[str]:
        with contextlib.suppress(OSError):
            yield from (file.name for file in self._folder.iterdir() if not file.name.startswith("."))

    def _between_batches(self, kept: set[tuple[int, int]], tile: int) -> Trace | None:
        batches = sorted(batch for batch, of_tile in kept if of_tile == tile)
        below, above = _around(batches, self._batch)
        if below == above == self._batch:
            return self._trace(self._batch, tile)
        if below is None or above is None:
            return None
        return _or_none(
            [(self._samples(batch), self._trace(batch, tile)) for batch in (below, above)], self._samples(self._batch)
        )

    def _between_tiles(self, kept: set[tuple[int, int]], tile: int) -> Trace | None:
        """By the two tiles around it, and a third one."""
        known = {side: found for side in sorted({t for _, t in kept}) if (found := self._between_batches(kept, side))}
        below, above = _around(list(known), tile)
        others = [side for side in known if side not in (below, above)]
        if below is None or above is None or not others:
            return None
        third = min(others, key=lambda side: abs(side - tile))
        return _or_none([(_pixels(side), known[side]) for side in (below, above, third)], _pixels(tile))

    def _samples(self, batch: int) -> Extent:
        train = replace(self._config.train, batch_size=batch)
        return Extent(step=batch, evaluation=train.evaluated_at_once)

    def _trace(self, batch: int, tile: int) -> Trace | None:
        if (batch, tile) not in self._read:
            with contextlib.suppress(OSError, KeyError, TypeError, ValueError, zlib.error):
                self._read[batch, tile] = _unpacked((self._folder / f"{batch}-{tile}").read_bytes())
        return self._read.get((batch, tile))


def _around(known: list[int], value: int) -> tuple[int | None, int | None]:
    """The nearest of rising values at or below one, and at or above it."""
    below, above = [k for k in known if k <= value], [k for k in known if k >= value]
    return (below[-1] if below else None), (above[0] if above else None)


def _pixels(side: int) -> Extent:
    return Extent(step=side**2, evaluation=side**2)


def _or_none(traced: list[tuple[Extent, Trace | None]], at: Extent) -> Trace | None:
    known = [(extent, trace) for extent, trace in traced if trace is not None]
    if len(known) < len(traced):
        return None
    try:
        return trace_between(known, at)
    except NotBetween:
        return None


def _packed(trace: Trace) -> bytes:
    """As JSON, compressed: of events the names, the complement of a name for its end."""
    values = {
        "events": [name if size >= 0 else ~name for name, size in trace.events],
        "blocks": [(block.size, block.on_host, _KINDS.index(block.kind)) for block in trace.blocks],
        "begins": trace.begins,
        "step": asdict(trace.step),
    }
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode())


def _unpacked(content: bytes) -> Trace:
    """A trace as it was packed.

    Raises:
        KeyError, TypeError, ValueError, zlib.error: It is none.
    """
    values = json.loads(zlib.decompress(content))
    blocks = [Block(size, on_host, _KINDS[kind]) for size, on_host, kind in values["blocks"]]
    return Trace(
        events=[(name, blocks[name].size) if name >= 0 else (~name, -1) for name in values["events"]],
        blocks=blocks,
        begins=[(Phase(phase), place) for phase, place in values["begins"]],
        step=Work(**values["step"]),
    )
