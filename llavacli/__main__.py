"""`python -m llavacli`, and the console script: signals first, so that even Ctrl-C during the imports is quiet."""

import contextlib
import sys

from llavacli import signals


def main() -> None:
    """Run the command line and leave with its exit code."""
    stopper = signals.Stopper()
    stopper.install()
    code = 0
    try:
        from llavacli.app import run

        code = run(sys.argv[1:], stopper)
        stopper.finish()
    except BaseException:
        if stopper.signum is None:
            raise
    if stopper.signum is not None:
        code = stopper.exit_code
    elif "torch" not in sys.modules:
        sys.exit(code)
    _flush()
    signals.leave_at_once(code)  # tearing torch down takes as long as many an answer, and when half imported it crashes


def _flush() -> None:
    """Write what Python still holds; our own output is unbuffered, a library's may not be."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


if __name__ == "__main__":
    main()
