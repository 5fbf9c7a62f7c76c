"""`python -m llavacli`, and the console script: signals first, so that even Ctrl-C during the imports is quiet."""

import sys

from llavacli import signals


def main() -> None:
    """Run the command line and leave with its exit code."""
    stopper = signals.Stopper()
    stopper.install()
    try:
        from llavacli.app import run

        code = run(sys.argv[1:], stopper)
    except BaseException:
        if stopper.signum is None:
            raise
        code = 0
    if stopper.signum is not None:
        signals.leave_at_once(stopper.exit_code)  # a half-imported torch must not be torn down
    sys.exit(code)


if __name__ == "__main__":
    main()
