"""What is seen of data before training, and judged."""
