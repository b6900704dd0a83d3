"""Recordings of torch's allocator on a GPU, and what is said of them here.

A line each: ``a`` with the bytes that were asked for; ``f`` for the end of what was asked for so many requests ago;
``s`` and ``r`` with the MiB that the driver gave and got back, the latter all at once where the cache was emptied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from terrasweep.predict.cuda_allocator import MIB, CachingAllocator


def recording(events: Iterable[dict[str, Any]]) -> str:
    """The lines of what ``torch.cuda.memory._snapshot()["device_traces"]`` holds of a device."""
    lines, live, requests = [], dict[int, int](), 0
    for event in events:
        action, address, size = event["action"], event["addr"], event["size"]
        if action == "alloc":
            lines.append(f"a{size}")
            live[address] = requests
            requests += 1
        elif action == "free_completed" and address in live:
            lines.append(f"f{requests - live.pop(address)}")
        elif action in ("segment_alloc", "segment_free"):
            lines.append(f"{'s' if action == 'segment_alloc' else 'r'}{size // MIB}")
    return "\n".join(lines)


def played(lines: str) -> Iterator[tuple[int, int]]:
    """Bytes reserved on the GPU, and by :class:`CachingAllocator`, after each request."""
    allocator, reserved, requests, emptied = CachingAllocator(), 0, 0, False
    for line in lines.splitlines():
        kind, number = line[0], int(line[1:])
        if kind == "a":
            allocator.allocate(requests, number)
            requests += 1
            yield reserved, allocator.reserved
        elif kind == "f":
            allocator.free(requests - number)
        else:
            reserved += (number if kind == "s" else -number) * MIB
        if kind == "r" and not emptied:
            allocator.give_back()
        emptied = kind == "r"
