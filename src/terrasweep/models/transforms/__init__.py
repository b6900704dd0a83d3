"""What is done to a built backbone: quantization, adapters, checkpointing, and the way back."""
