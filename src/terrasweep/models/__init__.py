"""The model of a trial: a backbone and its weights, transformed, adapted, checkpointed, offloaded, in this order."""
