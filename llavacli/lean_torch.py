"""torch as a command wants it: imported in three quarters of the time, with large pages, and threads that wait briefly.

What only its compilers ask for is left out: the shape functions of its operators.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from types import ModuleType

from llavacli.failures import folder_is_gone

TRACING = "torch._meta_registrations"  # and torch's decompositions, which it imports in turn
# Read once, by torch's allocator. A batch makes and drops large tensors all the time, and their pages, 4 KB each, are
# a sixth of what it takes. Elsewhere than on Linux this does nothing.
LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
# How often a thread of GNU's OpenMP, which torch brings, looks whether the others have come before it sleeps: a
# millisecond instead of fifteen. It waits no longer than that between two operations, and a core that a busy process
# wants is given up all the sooner: then a token takes a quarter of the time (decision 0027).
WAITING = {"GOMP_SPINCOUNT": "20000"}


def import_torch(*, tracing: bool) -> None:
    """Import torch; without `tracing`, an empty module stands in for `TRACING` meanwhile.

    torch imports that one last of all and uses nothing of it, but `torch.compile` and its kin do: whoever runs code of
    others that may call them asks for it, now or when torch is there already.
    """
    try:
        os.getcwd()
    except OSError as error:  # torch's libraries would end the process
        raise folder_is_gone() from error
    if "torch" not in sys.modules:
        waiting = {} if "OMP_WAIT_POLICY" in os.environ else WAITING  # which says it in other words
        for name, value in (LARGE_PAGES | waiting).items():
            os.environ.setdefault(name, value)
        sys.modules[TRACING] = ModuleType(TRACING)
        try:
            import_module("torch")
        finally:
            sys.modules.pop(TRACING, None)
        _complete_generators()
    if tracing:
        import_module(TRACING)


def use_threads(*, one: bool) -> None:
    """Have torch compute with one thread, or with as many as at first: its own choice, or the user's."""
    if not one and "torch" not in sys.modules:
        return
    import torch

    every = _threads_at_first()
    torch.set_num_threads(1 if one else every)


@cache
def _threads_at_first() -> int:
    import torch

    return torch.get_num_threads()


def _complete_generators() -> None:
    """Let random generators be made, which torch 2.13 refuses until a module of its compilers gave them a metaclass."""
    import torch

    try:
        torch.Generator()
    except RuntimeError:
        try:
            from torch._opaque_base import OpaqueBaseMeta

            torch._C._set_generator_metaclass(OpaqueBaseMeta)
        except (ImportError, AttributeError):
            import_module("torch._prims.rng_prims")  # which does so, and takes as long as was saved
