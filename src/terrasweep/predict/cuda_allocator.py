"""What torch's CUDA caching allocator reserves for a sequence of allocations, by its own rules. Imports no torch.

The rules are those of ``c10/cuda/CUDACachingAllocator.cpp`` (torch 2.15) with its default settings, on one stream:

- a request is rounded up to 512 bytes; up to 1 MiB it is served by the pool of small blocks, else by the large one;
- of a pool's free blocks the smallest that suffices is taken, of several the one at the lowest address;
- where none does, the driver is asked for a segment: of 2 MiB for a small block, of 20 MiB for one below 10 MiB, and
  else of the size, rounded up to 2 MiB;
- what a block has left is split off where it is at least 512 bytes (small), or more than 1 MiB (large);
- a freed block is joined with its free neighbours in the segment, and stays reserved;
- at the limit, all segments without a used block go back to the driver, and the request is tried once more.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

MIB = 2**20
_SMALLEST_BLOCK = 512
_LARGEST_SMALL = MIB
_SMALL_SEGMENT = 2 * MIB
_LARGE_SEGMENT = 20 * MIB
_OWN_SEGMENT = 10 * MIB
_SEGMENT_STEP = 2 * MIB

Event = tuple[int, int]
"""An allocation: the block's name and its bytes; or its end: the name and -1."""


class AllocationFailed(Exception):
    """Within the limit there is no room, not even after all that is free was given back."""


@dataclass(eq=False, slots=True)
class _Block:
    """A part of a segment, with its neighbours in it."""

    address: int
    size: int
    segment: _Segment
    before: _Block | None = None
    after: _Block | None = None
    used: bool = False


@dataclass(eq=False, slots=True)
class _Segment:
    """What the driver gave in one piece."""

    size: int
    small: bool


@dataclass
class _Pool:
    """Free blocks by size, then by address."""

    blocks: list[tuple[int, int, _Block]] = field(default_factory=list)

    def add(self, block: _Block) -> None:
        insort(self.blocks, (block.size, block.address, block))

    def remove(self, block: _Block) -> None:
        del self.blocks[bisect_left(self.blocks, (block.size, block.address))]

    def take(self, size: int) -> _Block | None:
        """The smallest block that suffices."""
        place = bisect_left(self.blocks, (size, -1))
        return self.blocks.pop(place)[2] if place < len(self.blocks) else None


class CachingAllocator:
    """The state of the allocator; sizes are in bytes."""

    def __init__(self, limit: int | None = None) -> None:
        """Args: ``limit``: bytes that may be reserved; None: as many as are asked for."""
        self._limit = limit
        self._pools = {True: _Pool(), False: _Pool()}
        self._used: dict[int, _Block] = {}
        self._next_address = 0
        self.reserved = self.peak_reserved = 0
        self.allocated = self.peak_allocated = 0
        """In blocks that are used, as ``torch.cuda.memory_allocated`` counts them."""
        self.retries = 0
        """How often the cache was given back because of the limit."""

    def apply(self, event: Event) -> None:
        """Allocate or free.

        Raises:
            AllocationFailed: The limit is reached.
        """
        name, size = event
        if size < 0:
            self.free(name)
        else:
            self.allocate(name, size)

    def allocate(self, name: int, size: int) -> None:
        """Serve a request; one for no bytes takes no block.

        Raises:
            AllocationFailed: The limit is reached.
        """
        if size == 0:
            return
        rounded = rounded_size(size)
        small = rounded <= _LARGEST_SMALL
        block = self._pools[small].take(rounded) or self._new_segment(segment_size(rounded), small=small)
        self._split(block, rounded)
        block.used = True
        self._used[name] = block
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)

    def free(self, name: int) -> None:
        """Give a block back to its pool; one that took no bytes is none."""
        block = self._used.pop(name, None)
        if block is None:
            return
        self.allocated -= block.size
        block.used = False
        pool = self._pools[block.segment.small]
        for neighbour in (block.before, block.after):
            if neighbour is not None and not neighbour.used:
                pool.remove(neighbour)
        if block.before is not None and not block.before.used:
            block = _joined(block.before, block)
        if block.after is not None and not block.after.used:
            block = _joined(block, block.after)
        pool.add(block)

    def give_back(self) -> None:
        """Give the driver what holds no used block (``torch.cuda.empty_cache``)."""
        for pool in self._pools.values():
            for _, _, block in [entry for entry in pool.blocks if entry[2].size == entry[2].segment.size]:
                pool.remove(block)
                self.reserved -= block.size

    def used_blocks(self) -> list[_Block]:
        """The blocks that serve a request now."""
        return list(self._used.values())

    def _new_segment(self, size: int, *, small: bool) -> _Block:
        if self._limit is not None and self.reserved + size > self._limit:
            self.give_back()
            self.retries += 1
            if self.reserved + size > self._limit:
                raise AllocationFailed
        self.reserved += size
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        block = _Block(self._next_address, size, _Segment(size, small))
        self._next_address += size
        return block

    def _split(self, block: _Block, size: int) -> None:
        left = block.size - size
        if not (left >= _SMALLEST_BLOCK if block.segment.small else left > _LARGEST_SMALL):
            return
        rest = _Block(block.address + size, left, block.segment, before=block, after=block.after)
        if block.after is not None:
            block.after.before = rest
        block.size, block.after = size, rest
        self._pools[block.segment.small].add(rest)


def replay(events: Iterable[Event], limit: int | None = None) -> CachingAllocator:
    """The allocator after a sequence of allocations and their ends.

    Args:
        events: In order.
        limit: Bytes that may be reserved.

    Raises:
        AllocationFailed: They don't suffice.
    """
    allocator = CachingAllocator(limit)
    for event in events:
        allocator.apply(event)
    return allocator


def rounded_size(size: int) -> int:
    """The bytes of a block that serves a request."""
    return max(_SMALLEST_BLOCK, -(-size // _SMALLEST_BLOCK) * _SMALLEST_BLOCK)


def segment_size(rounded: int) -> int:
    """The bytes that the driver is asked for where no free block suffices."""
    if rounded <= _LARGEST_SMALL:
        return _SMALL_SEGMENT
    if rounded < _OWN_SEGMENT:
        return _LARGE_SEGMENT
    return -(-rounded // _SEGMENT_STEP) * _SEGMENT_STEP


def _joined(first: _Block, second: _Block) -> _Block:
    """Two neighbours as one free block."""
    first.size += second.size
    first.after = second.after
    if second.after is not None:
        second.after.before = first
    return first
