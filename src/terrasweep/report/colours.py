"""The colours of states and of the knee, on the page and in print."""

from __future__ import annotations

from terrasweep.results.states import State

STATE_COLOURS = {
    State.COMPLETE: "#0072B2",
    State.INFEASIBLE: "#E69F00",
    State.PRUNED: "#7A7A7A",
    State.FAILED: "#D55E00",
}
"""From the palette of Okabe and Ito (2008), which people with any colour vision tell apart."""
COMPLETE_COLOUR = STATE_COLOURS[State.COMPLETE]
KNEE_COLOUR = "#CC79A7"
"""Reddish purple of the same palette."""
