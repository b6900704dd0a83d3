"""Studies whose learning curves, costs and true front are known: families of curves that make an early end hard."""

import math
import random
from dataclasses import dataclass

from terrasweep.results.optimistic_bound import FinishedTraining, TrainingUnderWay, find_beating
from terrasweep.results.study_record import Objective

VALIDATIONS = 12
START = 0.1
OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
]
SCORE_NOISE, RATE_NOISE = 0.006, 0.02
"""Standard deviations: of a validation, and of a rate as a part of itself."""


@dataclass(frozen=True, kw_only=True)
class SimulatedTraining:
    """A trial that could be run to its end."""

    truth: tuple[float, float, float]
    """Accuracy, throughput, memory without noise."""
    found: list[float]
    """By its validations."""
    throughput: float
    """As measured over the whole training."""
    early_throughput: float
    """As measured over its first steps."""
    cost_key: str

    @property
    def finished(self):
        parts = [(number + 1) / VALIDATIONS for number in range(VALIDATIONS)]
        values = {
            "accuracy": self.found[-1],
            "throughput_samples_per_s": self.throughput,
            "peak_memory_mib": self.truth[2],
        }
        curves = {"accuracy": list(zip(parts, self.found, strict=True))}
        return FinishedTraining(number=0, objective_values=values, curves=curves, cost_key=self.cost_key)

    def under_way(self, validations):
        costs = {"throughput_samples_per_s": self.early_throughput, "peak_memory_mib": self.truth[2]}
        found, part = {"accuracy": self.found[:validations]}, validations / VALIDATIONS
        return TrainingUnderWay(part=part, found=found, costs=costs, cost_key=self.cost_key)


def power_law(chance, best, slowness):
    """Some curves fast, some slow, whatever they reach."""
    scale, power = math.exp(chance.uniform(math.log(0.02), math.log(0.3))), chance.uniform(0.5, 1.5)
    return lambda part: best - (best - START) * (1 + part / scale) ** -power


def crossing(chance, best, slowness):
    """The slower a curve, the more it reaches in the end."""
    reached = best * (0.8 + 0.3 * slowness)
    return lambda part: reached - (reached - START) / (1 + part / (0.02 + 0.4 * slowness))


def sudden(chance, best, slowness):
    """Nothing is learnt for a while, then all at once, early or late."""
    middle, width = 0.05 + 0.6 * slowness**2, chance.uniform(0.03, 0.15)
    return lambda part: START + (best - START) / (1 + math.exp(-(part - middle) / width))


def mixed(chance, best, slowness):
    """Any of the others in one study."""
    return chance.choice((power_law, crossing, sudden))(chance, best, slowness)


FAMILIES = (power_law, crossing, sudden, mixed)


def simulated_training(chance, family):
    """A trial at random: four knobs with costs of their own, of which the learning rate has none."""
    rank, rate = chance.randrange(6), chance.choice((0.3, 0.6, 0.8, 1.0))
    bits, checkpoints, batch = chance.choice((4, 8, 16)), chance.random() < 0.5, chance.choice((1, 2, 4))
    best = 0.35 + 0.25 * rate + 0.2 * (1 - math.exp(-rank / 2)) - 0.02 * (bits == 4) + chance.uniform(-0.01, 0.01)
    curve = family(chance, best, chance.random())
    scores = [curve((number + 1) / VALIDATIONS) for number in range(VALIDATIONS)]
    memory = 100 + 10 * bits + 40 * batch * (0.4 if checkpoints else 1) + 3 * rank
    speed = 100 * (0.75 if checkpoints else 1) * (0.7 if bits < 16 else 1) * batch**0.5 * (1 - 0.01 * rank)
    throughput = speed * (1 + chance.gauss(0, RATE_NOISE))
    return SimulatedTraining(
        truth=(scores[-1], speed, memory),
        found=[score + chance.gauss(0, SCORE_NOISE) for score in scores],
        throughput=throughput,
        early_throughput=throughput * (1 + chance.gauss(0, RATE_NOISE / 2)),
        cost_key=f"{rank} {bits} {checkpoints} {batch}",
    )


def run_study(seed, family, trials, margins):
    """One study, trial after trial.

    Returns:
        How many trials are truly on the front, how many of those were stopped, and which part of the steps was saved.
    """
    chance = random.Random(seed)
    drawn = [simulated_training(chance, family) for _ in range(trials)]
    finished, stopped, saved = [], set(), 0
    for number, training in enumerate(drawn):
        for validations in range(1, VALIDATIONS):
            if find_beating(training.under_way(validations), finished, OBJECTIVES, margins):
                stopped.add(number)
                saved += VALIDATIONS - validations
                break
        else:
            finished.append(training.finished)
    front = [n for n, one in enumerate(drawn) if not any(dominates(other.truth, one.truth) for other in drawn)]
    return len(front), sum(n in stopped for n in front), saved / (VALIDATIONS * trials)


def dominates(one, other):
    ahead = [a - b for a, b in zip(one[:2], other[:2], strict=True)] + [other[2] - one[2]]
    return min(ahead) >= 0 and max(ahead) > 0


def losses_and_savings(family, seeds, trials, margins):
    """Over studies of a family: the part of the true fronts that was lost, and of the training that was saved."""
    outcomes = [run_study(seed, family, trials, margins) for seed in seeds]
    members, lost, saved = (sum(column) for column in zip(*outcomes, strict=True))
    return lost / members, saved / len(outcomes)
