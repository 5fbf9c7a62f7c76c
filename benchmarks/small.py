"""Every benchmark at its smallest, one after another in one process: transformers is imported once for all of them.

Exit code 1 if any promise was not kept.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module

from report import in_large_pages

SCRIPTS: dict[str, tuple[str, ...]] = {
    "startup": ("--repeats", "2"),
    "cold": (),
    "prepare": (),
    "load": (),
    "decode": ("--repeats", "3"),
    "ttft": ("--repeats", "3"),
    "turns": (),
    "video": (),
    "workers": ("--repeats", "2"),
    "quantization": ("--repeats", "3"),
    "caption": ("--pictures", "96", "--repeats", "1"),
}


def main() -> int:
    """Run them; one that breaks off holds no other back."""
    failed = False
    for name, flags in SCRIPTS.items():
        sys.argv = [f"{name}.py", *flags]
        try:
            failed |= bool(import_module(name).main())
        except SystemExit as error:
            print(f"{name}.py: {error}", file=sys.stderr)
            failed = True
        except Exception:
            traceback.print_exc()
            failed = True
        print()
    return int(failed)


if __name__ == "__main__":
    in_large_pages()
    sys.exit(main())
