"""Traces come back as they were kept, and what lies between them follows from them."""

from dataclasses import replace

import pytest

from terrasweep.predict.kept_traces import KeptTraces
from terrasweep.predict.trace import Block, Kind, Phase, Trace, Work
from tests.composing import compose_trial


def kept(folder, batch, tile=64, *knobs):
    return KeptTraces(folder, compose_trial(f"train.batch_size={batch}", f"data.tile_px={tile}", *knobs))


def trace_of(batch, tile):
    """A block that stays, and one that grows with the batch and the square of the tile's pixels."""
    size = 3 * batch * tile**4
    return Trace(
        events=[(0, 10), (1, size), (1, -1)],
        blocks=[Block(10, True, Kind.WEIGHTS), Block(size, False, Kind.ACTIVATIONS)],
        begins=[(Phase.BUILD, 0), (Phase.STEADY_STEP, 1)],
        step=Work(flops=1.5 * size, moved_bytes=size, kernels=2),
    )


def keep(folder, batch, tile):
    kept(folder, batch, tile).keep(trace_of(batch, tile))


def test_a_trace_comes_back_as_it_was(tmp_path):
    keep(tmp_path, 8, 64)
    assert kept(tmp_path, 8).between() == trace_of(8, 64)


def test_a_batch_between_two_follows_and_one_beyond_does_not(tmp_path):
    assert kept(tmp_path, 8).between() is None
    for batch in (2, 4, 16):
        keep(tmp_path, batch, 64)
    assert kept(tmp_path, 8).between() == trace_of(8, 64)
    assert kept(tmp_path, 32).between() is None
    assert kept(tmp_path, 8, 96).between() is None


def test_a_tile_between_two_follows_where_there_is_a_third(tmp_path):
    for tile in (32, 128):
        keep(tmp_path, 2, tile)
        keep(tmp_path, 8, tile)
    assert kept(tmp_path, 4, 64).between() is None
    keep(tmp_path, 4, 256)
    assert kept(tmp_path, 4, 64).between() == trace_of(4, 64)


def test_traces_of_another_order_say_nothing_of_what_lies_between(tmp_path):
    keep(tmp_path, 4, 64)
    other = trace_of(16, 64)
    kept(tmp_path, 16).keep(replace(other, events=[*other.events, (0, -1)]))
    assert kept(tmp_path, 8).between() is None
    assert kept(tmp_path, 4).between() == trace_of(4, 64)


def test_images_that_are_resized_are_of_one_size(tmp_path):
    """Also where nobody knows the tile that they are resized from."""
    for batch in (4, 16):
        kept(tmp_path, batch, "null", "data.resize_px=64").keep(trace_of(batch, 64))
    assert kept(tmp_path, 8, "null", "data.resize_px=64").between() == trace_of(8, 64)
    assert kept(tmp_path, 8, 224, "data.resize_px=64").between() == trace_of(8, 64)


def test_parts_of_unequal_size_are_traced(tmp_path):
    for batch in (4, 8):
        keep(tmp_path, batch, 64)
    assert kept(tmp_path, 6, 64, "train.accumulate=2").between() == trace_of(6, 64)
    assert kept(tmp_path, 6, 64, "train.accumulate=4").between() is None
    kept(tmp_path, 7, 64, "train.accumulate=4").keep(trace_of(7, 64))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["4-64", "8-64"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\x78\x9c\x03\x00"])
def test_a_file_that_cannot_be_read_is_none(tmp_path, content):
    keep(tmp_path, 4, 64)
    (tmp_path / "8-64").write_bytes(content)
    assert kept(tmp_path, 6).between() is None
    assert kept(tmp_path, 8).between() is None
