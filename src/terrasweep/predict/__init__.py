"""What a configuration will need, told before anything is trained."""
