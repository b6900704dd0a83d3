"""Builds the model of a trial: TerraTorch, then quantization, adapters, checkpointing and offload, in this order."""
