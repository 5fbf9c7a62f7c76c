"""Settings of this room's tests."""

from hypothesis import settings

settings.register_profile("shared machine", deadline=None)  # others may be using the cores
settings.load_profile("shared machine")
