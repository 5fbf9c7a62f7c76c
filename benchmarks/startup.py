"""How long `llavacli --help` and its kin take, as processes, from start to end.

Promise: at most 120 ms for what loads no model, whatever Python itself takes of that.
"""

from __future__ import annotations

import os
import subprocess
import sys

from report import Report, parser
from timing import alternate

LIMIT = 0.120
PROMISED = {
    "llavacli --help": ("-m", "llavacli", "--help"),
    "llavacli --version": ("-m", "llavacli", "--version"),
    "llavacli describe --help": ("-m", "llavacli", "describe", "--help"),
    "llavacli describe --modle x": ("-m", "llavacli", "describe", "--modle", "x"),
}
COMPARED = {
    "llavacli describe nope.png": ("-m", "llavacli", "describe", "nope.png"),
    "python -c pass": ("-c", "pass"),
    "python -c 'import typer'": ("-c", "import typer"),
    "python -c 'import torch'": ("-c", "import torch"),
    "python -c 'import transformers'": ("-c", "import transformers"),
}


def run(arguments: tuple[str, ...]) -> None:
    """One process, from start to end."""
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def main() -> int:
    """Measure all of them by turns."""
    repeats = parser(__doc__, repeats=3).parse_args().repeats
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    report = Report()
    everything = PROMISED | COMPARED
    seconds = alternate({name: lambda each=each: run(each) for name, each in everything.items()}, repeats)  # type: ignore[misc]
    for name, taken in seconds.items():
        report.figure(name, taken, at_most=LIMIT if name in PROMISED else None)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
