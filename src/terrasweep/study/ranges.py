"""One key's range: from Hydra's grammar to Optuna's distribution, from there to a suggestion or to a grid's values.

The distributions are those of hydra-optuna-sweeper, to the last step and flag: Optuna refuses to continue a stored
study with others.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, ulp
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Transformer,
)
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial

MOST_VALUES = 10_000
"""How many values a range may hold that are listed one by one, as those of a grid are."""
_WAY_OUT = "use choice(...), range(...) or interval(...)"


def read_range(override: Override) -> BaseDistribution:
    """The distribution that a sweep override stands for.

    Args:
        override: ``KEY=choice(...)``, ``KEY=range(...)`` (its stop is exclusive) or ``KEY=interval(...)``, which
            ``tag(log, interval(...))`` puts on a logarithmic scale.

    Raises:
        ValueError: It can't be searched, or holds no value.
    """
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return _choices(override)
    if isinstance(value, RangeSweep):
        return _range(override, value)
    if isinstance(value, IntervalSweep):
        return _interval(value)
    raise ValueError(f"it can't be searched; {_WAY_OUT}")


def read_meanings(override: Override) -> dict[str, Any]:
    """What choices stand for that are stored as text in Hydra's grammar: lists, maps, and texts in quotes.

    Raises:
        ValueError: Two different choices are the same text.
    """
    if not isinstance(override.value(), ChoiceSweep):
        return {}
    meanings: dict[str, Any] = {}
    for choice in override.sweep_iterator():
        text, meant = Transformer.encode(choice), _plain(choice)
        if isinstance(text, str) and meanings.setdefault(text, meant) != meant:
            raise ValueError(f"the list and the text {text} can't both be choices; drop one")
    return {text: meant for text, meant in meanings.items() if text != meant}


def _plain(value: Any) -> Any:
    """A value of Hydra's parser as plain lists, maps, texts and numbers."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    return value


def suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Ask an Optuna trial for a key's value; the distribution is one of Optuna's three."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        scale: dict[str, Any] = {"step": distribution.step, "log": distribution.log}
        return trial.suggest_int(name, distribution.low, distribution.high, **scale)
    assert isinstance(distribution, FloatDistribution)
    scale = {"step": distribution.step, "log": distribution.log}
    return trial.suggest_float(name, distribution.low, distribution.high, **scale)


def grid_values(distribution: BaseDistribution) -> list[Any]:
    """Every value of a distribution, in order.

    Raises:
        ValueError: It is continuous, or holds too many.
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        refuse_too_many((distribution.high - distribution.low) // distribution.step + 1)
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        # In decimals, as people write them: 0.1 + 2 * 0.1 is 0.3.
        low, high, step = (Decimal(str(part)) for part in (distribution.low, distribution.high, distribution.step))
        steps = int((high - low) / step)
        refuse_too_many(steps + 1)
        return [float(low + number * step) for number in range(steps)] + [distribution.high]
    raise ValueError("a grid takes discrete values alone; use choice(...) or range(...)")


def _choices(override: Override) -> CategoricalDistribution:
    choices: list[Any] = list(override.sweep_iterator(transformer=Transformer.encode))
    return CategoricalDistribution(choices)


def _range(override: Override, value: RangeSweep) -> BaseDistribution:
    if value.step == 0:
        raise ValueError("its step is zero")
    values = value.range()
    start, stop, step = (Decimal(part) for part in (values.start, values.stop, values.step))
    if not all(part.is_finite() for part in (start, stop, step)):
        raise ValueError("its ends and its step have to be finite numbers")
    count = ceil((Fraction(stop) - Fraction(start)) / Fraction(step))
    if count <= 0:
        raise ValueError("it holds no value")
    low, high = sorted((start, start + (count - 1) * step))  # Optuna's end is inclusive.
    if value.shuffle or value.transformers:
        return _listed(override, count)
    if isinstance(values, range):
        return IntDistribution(int(low), int(high), step=abs(values.step))
    if not _are_floats(low, high, abs(step)):
        return _listed(override, count)
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def _listed(override: Override, count: int) -> CategoricalDistribution:
    """The values of a range as choices, where they are not too many."""
    refuse_too_many(count)
    return _choices(override)


def refuse_too_many(count: int) -> None:
    """See that values can be listed one by one.

    Raises:
        ValueError: They can't.
    """
    if count > MOST_VALUES:
        number = f"{count:,}" if count < 10**15 else f"{Decimal(count):.0e}"
        raise ValueError(
            f"it holds {number} values, of which {MOST_VALUES:,} can be listed one by one; use a larger step, or "
            "interval(...)"
        )


def _are_floats(low: Decimal, high: Decimal, step: Decimal) -> bool:
    """Whether binary floats hold a range of decimals as it is written, with steps that they can tell apart."""
    exact = all(Decimal(str(float(part))) == part for part in (low, high, step))
    return exact and (low == high or float(step) >= max(ulp(float(low)), ulp(float(high))))


def _interval(value: IntervalSweep) -> IntDistribution | FloatDistribution:
    low, high, log = value.start, value.end, "log" in value.tags
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    assert low is not None
    assert high is not None
    return FloatDistribution(low, high, log=log)
