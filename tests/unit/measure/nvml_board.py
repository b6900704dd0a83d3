"""In place of NVML: a board that a test makes up."""

import pynvml


class NvmlBoard:
    """NVML with one GPU; each answer is a value, or an error that is raised."""

    def nvmlInit(self):  # noqa: N802 - NVML's name
        pass

    @staticmethod
    def answer(value):
        if isinstance(value, Exception):
            raise value
        return value

    def take_the_place_of_nvml(self, monkeypatch):
        for name in (name for name in dir(self) if name.startswith("nvml")):
            monkeypatch.setattr(pynvml, name, getattr(self, name))
