"""This machine: paths, files written safely, locks, processes, hardware, versions, process-wide settings."""
