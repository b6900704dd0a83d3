"""The commands: `terrasweep ...`, and what surrounds `sweep.py`."""
