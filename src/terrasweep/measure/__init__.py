"""Meters: what is measured while a trial builds, trains and evaluates."""
