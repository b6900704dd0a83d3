"""Against sequences that are worked out by hand from torch's rules; no CUDA is needed."""

import gzip
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.predict.cuda_allocator import AllocationFailed, CachingAllocator, replay, rounded_size, segment_size
from tests.recorded_allocations import played

KIB, MIB = 2**10, 2**20


@pytest.mark.parametrize(("size", "block"), [(1, 512), (512, 512), (513, 1024), (MIB, MIB), (MIB + 1, MIB + 512)])
def test_requests_are_rounded_up_to_512_bytes(size, block):
    assert rounded_size(size) == block


@pytest.mark.parametrize(
    ("size", "segment"),
    [(512, 2), (MIB, 2), (MIB + 512, 20), (10 * MIB - 512, 20), (10 * MIB, 10), (10 * MIB + 512, 12), (33 * MIB, 34)],
)
def test_segments_have_the_sizes_that_the_driver_is_asked_for(size, segment):
    assert segment_size(size) == segment * MIB


def test_small_blocks_share_a_segment_of_2_mib_and_the_next_one_gets_another():
    allocator = replay([(name, MIB // 2) for name in range(4)])
    assert (allocator.reserved, allocator.allocated) == (2 * MIB, 2 * MIB)
    allocator.allocate(4, 1)
    assert (allocator.reserved, allocator.allocated) == (4 * MIB, 2 * MIB + 512)


def test_two_large_blocks_share_a_segment_of_20_mib_and_a_third_does_not_fit():
    allocator = replay([(0, 9 * MIB), (1, 9 * MIB)])
    assert allocator.reserved == 20 * MIB
    allocator.allocate(2, 3 * MIB)  # 2 MiB are left.
    assert allocator.reserved == 40 * MIB
    allocator.allocate(3, 2 * MIB)  # And taken by what fits.
    assert allocator.reserved == 40 * MIB


def test_a_large_block_keeps_a_rest_of_1_mib_or_less():
    """Of 12 MiB, 11 are asked for: the rest of 1 MiB isn't split off, and counts as allocated."""
    allocator = replay([(0, 11 * MIB)])
    assert (allocator.reserved, allocator.allocated) == (12 * MIB, 12 * MIB)
    allocator = replay([(0, 10 * MIB + 512)])
    assert (allocator.reserved, allocator.allocated) == (12 * MIB, 10 * MIB + 512)


def test_the_smallest_free_block_that_suffices_is_taken():
    allocator = replay([(0, 40 * MIB), (1, 20 * MIB), (2, 30 * MIB), (0, -1), (1, -1), (2, -1)])
    assert allocator.reserved == 90 * MIB
    allocator.allocate(3, 25 * MIB)  # From the one of 30, of which 5 are left.
    allocator.allocate(4, 40 * MIB)
    allocator.allocate(5, 20 * MIB)
    allocator.allocate(6, 5 * MIB)
    assert (allocator.reserved, allocator.allocated) == (90 * MIB, 90 * MIB)


def test_freed_neighbours_are_joined_and_segments_are_not():
    """In one segment 4 + 4 + 4 become one block of 12; two segments of 12 never become one of 24."""
    allocator = replay([(0, 4 * MIB), (1, 4 * MIB), (2, 4 * MIB), (0, -1), (2, -1), (1, -1)])
    assert allocator.reserved == 20 * MIB
    allocator.allocate(3, 19 * MIB)
    assert allocator.reserved == 20 * MIB
    allocator = replay([(0, 12 * MIB), (1, 12 * MIB), (0, -1), (1, -1), (2, 24 * MIB)])
    assert allocator.reserved == 48 * MIB


def test_what_is_between_used_blocks_is_fragmentation():
    """Every second block of 4 MiB is freed: 10 x 4 MiB are free, and none of them serves 5 MiB."""
    taken = [(name, 4 * MIB) for name in range(20)]
    allocator = replay([*taken, *[(name, -1) for name in range(0, 20, 2)]])
    assert (allocator.reserved, allocator.allocated) == (80 * MIB, 40 * MIB)
    allocator.allocate(20, 5 * MIB)
    assert allocator.reserved == 100 * MIB


def test_small_and_large_blocks_have_pools_of_their_own():
    allocator = replay([(0, 20 * MIB), (0, -1), (1, 512)])
    assert allocator.reserved == 22 * MIB


def test_at_the_limit_free_segments_are_given_back_and_the_request_is_tried_again():
    events = [(0, 20 * MIB), (1, 30 * MIB), (0, -1)]
    allocator = replay([*events, (2, 40 * MIB)], limit=70 * MIB)
    assert (allocator.reserved, allocator.retries) == (70 * MIB, 1)
    assert replay([*events, (2, 40 * MIB)]).reserved == 90 * MIB
    with pytest.raises(AllocationFailed):
        replay([*events, (2, 40 * MIB + 1)], limit=70 * MIB)


def test_a_segment_with_a_used_block_is_not_given_back():
    allocator = replay([(0, 4 * MIB), (1, 4 * MIB), (0, -1)])
    allocator.give_back()
    assert allocator.reserved == 20 * MIB
    allocator.free(1)
    allocator.give_back()
    assert allocator.reserved == 0


def test_nothing_takes_nothing():
    allocator = replay([(0, 0), (0, -1)])
    assert (allocator.peak_reserved, allocator.peak_allocated) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 64 * MIB)), max_size=60))
def test_blocks_never_overlap_and_sums_are_kept(requests):
    """Allocate a name that is free, free one that is used: what is used lies apart and within what is reserved."""
    allocator, used = CachingAllocator(), set()
    for name, size in requests:
        if name in used:
            allocator.free(name)
            used.remove(name)
        else:
            allocator.allocate(name, size)
            used.add(name)
        spans = sorted((block.address, block.size) for block in allocator.used_blocks())
        assert all(first + size <= second for (first, size), (second, _) in itertools.pairwise(spans))
        assert sum(size for _, size in spans) == allocator.allocated <= allocator.reserved
    for name in used:
        allocator.free(name)
    allocator.give_back()
    assert (allocator.allocated, allocator.reserved) == (0, 0)


RECORDED = Path(__file__).parent / "recorded"


@pytest.mark.parametrize(
    ("name", "apart_mib"),
    [("vit_base_lora", 0), ("vit_base_full", 0), ("prithvi_300m_int8", 0), ("vit_base_nf4", 20)],
)
def test_what_was_recorded_on_an_h100_is_reserved_here(name, apart_mib):
    """A trial of ``benchmarks/memory.py`` each, from its build to its evaluation, with torch 2.11.

    Of free blocks of one size the one at the lowest address is taken, and addresses are the driver's choice: so one
    segment may be asked for sooner or later.
    """
    moments = list(played(gzip.decompress((RECORDED / f"{name}.txt.gz").read_bytes()).decode()))
    peak, said = (max(column) for column in zip(*moments, strict=True))
    assert abs(said - peak) <= apart_mib * MIB
    assert max(abs(said - reserved) for reserved, said in moments) <= 20 * MIB
    assert sum(said == reserved for reserved, said in moments) >= 0.9 * len(moments) > 20_000
