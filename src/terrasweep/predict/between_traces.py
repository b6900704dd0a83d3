"""The trace of a batch, or of a tile, between others that were traced. Imports no torch.

A tensor's bytes are affine in the number of samples, and at most quadratic in the number of a tile's pixels (attention
without a fused kernel keeps a square of its tokens). Where all of them allocate in the same order, each block's size
follows from those that were traced, to the byte, and with them peaks and fragmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from operator import mul

from terrasweep.predict.trace import Block, Phase, Trace, Work


class NotBetween(Exception):
    """Traces allocate in another order, or bytes that are no polynomial: nothing follows for what lies between."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much a trial computes at once: samples, or pixels of a tile."""

    step: int
    """Of what its steps see."""
    evaluation: int
    """Of what its evaluation sees."""


def trace_between(traced: Sequence[tuple[Extent, Trace]], at: Extent) -> Trace:
    """The trace of an extent, by the polynomial through two (a line), three (a parabola) or more that were traced.

    Args:
        traced: Extents that differ, with their traces.
        at: The extent that is asked for.

    Raises:
        NotBetween: The traces differ in more than sizes, or a block would have a part of a byte.
    """
    first = traced[0][1]
    if any(_order(trace) != _order(first) for _, trace in traced[1:]):
        raise NotBetween
    steps = _shares([extent.step for extent, _ in traced], at.step)
    evaluations = _shares([extent.evaluation for extent, _ in traced], at.evaluation)
    in_evaluation = _in_evaluation(first)
    known = [[block.size for block in trace.blocks] for _, trace in traced]
    found = [
        evaluated if later else stepped
        for later, stepped, evaluated in zip(
            in_evaluation, _combined(known, steps), _combined(known, evaluations), strict=True
        )
    ]
    sizes = [size for size in found if size is not None]
    if len(sizes) < len(found):
        raise NotBetween
    return Trace(
        events=[(name, size if size < 0 else sizes[name]) for name, size in first.events],
        blocks=[Block(size, block.on_host, block.kind) for block, size in zip(first.blocks, sizes, strict=True)],
        begins=first.begins,
        step=_work([trace.step for _, trace in traced], steps),
    )


def _order(trace: Trace) -> tuple[object, ...]:
    """What has to be equal: which block begins or ends when, where it lies, and what it is for."""
    kinds = [(block.on_host, block.kind) for block in trace.blocks]
    return [(name, size < 0) for name, size in trace.events], kinds, trace.begins


def _shares(known: list[int], at: int) -> list[Fraction]:
    """Lagrange's weights of the values at known places for the one asked for; of equal places the first counts."""
    places = dict.fromkeys(known)
    shares = dict[int, Fraction]()
    for place in places:
        shares[place] = Fraction(1)
        for other in places:
            if other != place:
                shares[place] *= Fraction(at - other, place - other)
    return [shares.pop(place, Fraction(0)) for place in known]


def _combined(known: list[list[int]], shares: list[Fraction]) -> list[int | None]:
    """By block its sizes in all traces, each with its share; None where that is a part of a byte, or less than none."""
    common = lcm(*(share.denominator for share in shares))
    factors = [share.numerator * (common // share.denominator) for share in shares]
    totals = [sum(map(mul, factors, sizes)) for sizes in zip(*known, strict=True)]
    return [None if total < 0 or total % common else total // common for total in totals]


def _in_evaluation(trace: Trace) -> list[bool]:
    """By block, whether it begins in the evaluation."""
    later = [False] * len(trace.blocks)
    ends = [place for _, place in trace.begins[1:]] + [len(trace.events)]
    for (phase, begin), end in zip(trace.begins, ends, strict=True):
        if phase is Phase.EVALUATION:
            for name, size in trace.events[begin:end]:
                later[name] = later[name] or size >= 0
    return later


def _whole(size: Fraction | int) -> int:
    if size != int(size) or size < 0:
        raise NotBetween
    return int(size)


def _work(works: list[Work], shares: list[Fraction]) -> Work:
    """What a step computes; some operators without tensors of their own come once per sample."""
    return Work(
        flops=float(sum(share * Fraction(work.flops) for share, work in zip(shares, works, strict=True))),
        moved_bytes=round(sum(share * work.moved_bytes for share, work in zip(shares, works, strict=True))),
        kernels=_whole(sum(share * work.kernels for share, work in zip(shares, works, strict=True))),
    )
