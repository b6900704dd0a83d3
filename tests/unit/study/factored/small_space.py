"""A space of 96 configurations with a condition: bits, rank and rate bear on quality; bits, rank and store on cost."""

import math

from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from terrasweep.study.factored.candidates import Candidates, draw_value, split_by
from terrasweep.study.factored.quantities import BearsOn, Quantity

SPACE = {
    "bits": CategoricalDistribution(["full", "few"]),
    "rank": CategoricalDistribution([1, 4, 16, 64]),
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "store": CategoricalDistribution(["keep", "half", "none"]),
}
"""``rank`` is active where ``bits`` are few."""
KEYS = split_by(("bits", "rank", "rate"), ("bits", "rank", "store"))
ACCURACY = Quantity(name="accuracy", of=BearsOn.QUALITY)
SPEED = Quantity(name="speed", of=BearsOn.COST)
MEMORY = Quantity(name="memory", of=BearsOn.COST, maximize=False)
OBJECTIVES = [ACCURACY, SPEED, MEMORY]


def draw(count, rng, held, /):
    for _ in range(count):
        settings = {}
        for name, distribution in SPACE.items():
            if name != "rank" or settings["bits"] == "few":
                settings[name] = held[name] if name in held else draw_value(distribution, rng)
        yield settings


def candidates(predict=None, seed=0, drawn=200):
    return Candidates(SPACE, draw, KEYS, predict, seed=seed, drawn=drawn)


def numbers(settings):
    """Accuracy, speed and memory of a configuration."""
    rank = settings.get("rank", 8)
    accuracy = 0.9 - 0.3 / math.sqrt(rank) - 0.05 * (math.log10(settings["rate"]) + 2) ** 2
    kept = {"keep": 1.0, "half": 0.6, "none": 0.3}[settings["store"]]
    speed = (20 if settings["bits"] == "full" else 12) * (0.5 + 0.5 * kept)
    memory = (1000 if settings["bits"] == "full" else 300) + 800 * kept + 5 * rank
    return accuracy, speed, memory


def trial(settings, values=None, state=TrialState.COMPLETE, miss=None, **attrs):
    """A trial as Optuna stores it."""
    return create_trial(
        state=state,
        values=values,
        params=settings,
        distributions={name: SPACE[name] for name in settings},
        user_attrs=attrs,
        constraints=None if miss is None else {"miss": miss},
    )
