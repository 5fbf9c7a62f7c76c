"""`python -m llavacli`, and the console script: signals first, so that even Ctrl-C during the imports is quiet."""

import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until ours is there: Python's own would leave a traceback
    from llavacli import signals

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
            try:
                stream.flush()
            except (OSError, ValueError):
                continue


if __name__ == "__main__":
    main()
