"""torch, imported in three quarters of the time: without the shape functions that only its compilers ask for."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

TRACING = "torch._meta_registrations"  # and torch's decompositions, which it imports in turn


def import_torch(*, tracing: bool) -> None:
    """Import torch; without `tracing`, an empty module stands in for `TRACING` meanwhile.

    torch imports that one last of all and uses nothing of it, but `torch.compile` and its kin do: whoever runs code of
    others that may call them asks for it, now or when torch is there already.
    """
    if "torch" not in sys.modules:
        sys.modules[TRACING] = ModuleType(TRACING)
        try:
            import_module("torch")
        finally:
            sys.modules.pop(TRACING, None)
    if tracing:
        import_module(TRACING)
