"""What is said of a name that matches none of a backbone's linear layers."""

from __future__ import annotations

_EXAMPLES = 4


def no_match(linears: list[str]) -> str:
    """Reason and way out: some of the layers that are there, or that there is none, as in a convolutional backbone.

    Args:
        linears: Dotted names of the backbone's linear layers.
    """
    if not linears:
        return "the backbone has no linear layer at all; use tuning=full or frozen, and quantization=none"
    more = " ..." if len(linears) > _EXAMPLES else ""
    return f"no linear layer of the backbone matches (it has {', '.join(linears[:_EXAMPLES])}{more}); name others"
