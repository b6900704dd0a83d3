"""What leaves the device while it is not needed: activations by torch, the rest by DeepSpeed."""
