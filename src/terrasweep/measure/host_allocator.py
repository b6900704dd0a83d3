"""The C library's allocator while a peak is taken: what is freed leaves the resident set at once (Linux, glibc)."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KIB, _MIB = 2**10, 2**20
_OWN_MAPPING = 128 * _KIB
"""Blocks of this size and above get a mapping of their own, which ends with the block."""
_USUAL_MMAP_THRESHOLD, _USUAL_TRIM_THRESHOLD = 32 * _MIB, 64 * _MIB
"""At which glibc's own adaptation ends on 64-bit systems (mallopt(3))."""
_LARGEST_HOLE = 2**30


class _Statistics(ctypes.Structure):
    """``struct mallinfo2`` (mallinfo(3)): ten numbers, the fourth of which is how many blocks have own mappings."""

    _fields_ = (("before", ctypes.c_size_t * 3), ("mapped_blocks", ctypes.c_size_t), ("after", ctypes.c_size_t * 6))


class _OlderStatistics(ctypes.Structure):
    """``struct mallinfo``, of glibc before 2.33."""

    _fields_ = (("before", ctypes.c_int * 3), ("mapped_blocks", ctypes.c_int), ("after", ctypes.c_int * 6))


class FreedAtOnce:
    """Between :meth:`begin` and :meth:`end`, the resident set holds what is in use, whatever was in use before.

    glibc gives a large block its own mapping only where no hole in its heap is large enough; a block in a hole stays
    resident when it is freed. What holes there are is chance: of what was imported, and of the timed steps before an
    evaluation, whose peak one run in two took 15 % higher for them. So the holes are occupied meanwhile, untouched.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL("libc.so.6")
        self._libc.malloc.argtypes, self._libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        self._libc.free.argtypes, self._libc.free.restype = [ctypes.c_void_p], None
        newer = hasattr(self._libc, "mallinfo2")
        self._statistics = self._libc.mallinfo2 if newer else self._libc.mallinfo
        self._statistics.restype = _Statistics if newer else _OlderStatistics
        self._in_holes: list[int] = []

    def begin(self) -> None:
        """From here on a block of 128 KiB or more is resident as long as it lives."""
        self._set_thresholds(_OWN_MAPPING, _OWN_MAPPING)
        size = _LARGEST_HOLE
        while size >= _OWN_MAPPING:
            block = self._block_in_hole(size)
            if block is None:
                size //= 2
            else:
                self._in_holes.append(block)

    def end(self) -> None:
        """From here on the allocator is as usual."""
        while self._in_holes:
            self._libc.free(self._in_holes.pop())
        self._set_thresholds(_USUAL_MMAP_THRESHOLD, _USUAL_TRIM_THRESHOLD)

    def _block_in_hole(self, size: int) -> int | None:
        """A block in the heap; None where no hole takes one of this size."""
        mapped: int = self._statistics().mapped_blocks
        block: int | None = self._libc.malloc(size)
        if block is None or self._statistics().mapped_blocks == mapped:
            return block
        self._libc.free(block)
        return None

    def _set_thresholds(self, mmap: int, trim: int) -> None:
        self._libc.mallopt(_M_MMAP_THRESHOLD, mmap)
        self._libc.mallopt(_M_TRIM_THRESHOLD, trim)
        self._libc.malloc_trim(0)
