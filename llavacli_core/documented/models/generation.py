"""`generate`."""

from __future__ import annotations


class GenerationMixin:
    """Stub."""
