"""A prediction with another optimizer, from one with the usual one. Imports no torch.

Of a step's peak that lies in its forward or backward pass an optimizer bears on its state alone, which lies beside what
the passes hold. Its size is that of any trial with the same parameters that learn.
"""

from __future__ import annotations

from dataclasses import replace

from terrasweep.predict.prediction import Memory, Prediction
from terrasweep.predict.trace import Kind, Phase

_AFTER_UPDATES = (Phase.STEADY_STEP, Phase.EVALUATION)
_STATES_PER_WEIGHT = 2
"""AdamW's moments."""
_IN_AN_UPDATE = 4
"""How often an update may hold the bytes of what learns, beside weights, gradients and state; it is one copy or two."""


def with_other_optimizer(usual: Prediction, reference: Prediction) -> Prediction | None:
    """What a trial with AdamW would need with another optimizer; None where that has to be traced.

    Args:
        usual: Of the trial with AdamW.
        reference: Of a trial with the other optimizer and the same parameters that learn, on the same device.
    """
    memory = usual.on_device or usual.on_host
    state = _state(usual)
    learning = state / _STATES_PER_WEIGHT
    steps = [memory.get(phase, {}) for phase in (Phase.FIRST_STEP, Phase.STEADY_STEP)]
    if not state or any(kinds.get(Kind.ACTIVATIONS, 0.0) <= _IN_AN_UPDATE * learning for kinds in steps):
        return None  # The peak may lie in the update itself.
    if memory[Phase.FIRST_STEP].get(Kind.OPTIMIZER):
        return None
    other = _state(reference)
    changed: Memory = {
        phase: {**kinds, Kind.OPTIMIZER: other} if phase in _AFTER_UPDATES else kinds for phase, kinds in memory.items()
    }
    reserved = {
        phase: size + other - state if phase in _AFTER_UPDATES else size for phase, size in usual.reserved.items()
    }
    if usual.on_device:
        return replace(usual, on_device=changed, reserved=reserved, notes=reference.notes)
    return replace(usual, on_host=changed, notes=reference.notes)


def _state(prediction: Prediction) -> float:
    memory = prediction.on_device or prediction.on_host
    return memory.get(Phase.STEADY_STEP, {}).get(Kind.OPTIMIZER, 0.0)
