"""Training and evaluation: TerraTorch's tasks, losses, optimizers, and the trainer."""
