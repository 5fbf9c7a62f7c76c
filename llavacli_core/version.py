"""The version, in one place: the wheel, `--version` and `core.__version__` read it here."""

__version__ = "0.1.0"
