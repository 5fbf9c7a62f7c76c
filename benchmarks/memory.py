"""What `doctor` says that a run takes, and what `describe` then takes: peak resident memory above the baseline.

Promise: within 15 %. The baseline is a process that has imported everything and loaded nothing; the kernel's mark
of the peak (VmHWM) is reset there. Mapped weights count as far as they are touched. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = """
import sys, os
import torch, numpy, jinja2, tokenizers, safetensors.torch, PIL.Image, PIL.JpegImagePlugin, PIL.PngImagePlugin
import llavacli_core as core, llavacli_core.engine.engine, llavacli_core.media.tiles, llavacli.commands.describe
from llavacli.app import run
from llavacli.signals import Stopper
def memory(line):
    return next(int(row.split()[1]) * 1024 for row in open("/proc/self/status") if row.startswith(line))
baseline = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
code = run(sys.argv[1:], Stopper())
print(memory("VmHWM") - baseline, baseline, code, file=sys.stderr)
"""


def predicted(arguments: list[str]) -> int:
    """The total that doctor gives, in bytes."""
    command = [sys.executable, "-m", "llavacli", "doctor", "--json", *arguments]
    output = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return int(json.loads(output)["memory"]["total"])


def taken(arguments: list[str]) -> tuple[int, int]:
    """The peak above the baseline of describing the same, and the baseline."""
    command = [sys.executable, "-c", RUN, "describe", "-q", *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()[-1].split()
    if said[2] != "0":
        raise SystemExit(f"describe ended with {said[2]}")
    return int(said[0]), int(said[1])


def main() -> int:
    """Write checkpoints, and compare for one picture at one tile and at five, and for several."""
    import torch
    from checkpoints import write
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="0.2b")
    parser.add_argument("--quant", nargs="*", default=[])
    parser.add_argument("--stored", nargs="*", default=["float32", "bfloat16"])
    arguments = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        picture = os.path.join(temporary, "picture.jpg")
        Image.effect_noise((1200, 900), 60).convert("RGB").save(picture)
        sources = {"1 tile": ["--max-tiles", "1", picture], "5 tiles": [picture]}
        sources["2 pictures"] = ["--together", picture, picture]
        print("| stored | run in | picture | doctor | describe | ratio |\n|---|---|---|---|---|---|")
        for stored in arguments.stored:
            folder = Path(temporary, stored)
            write(folder, arguments.size, getattr(torch, stored))
            forms = [["--dtype", dtype] for dtype in ("float32", "bfloat16")]
            for form in forms + [["--quant", quant] for quant in arguments.quant]:
                for name, source in sources.items():
                    given = ["-m", str(folder), "--device", "cpu", *form, "--max-tokens", "16", *source]
                    expected, (peak, _) = predicted(given), taken(given)
                    worst = max(worst, abs(expected / peak - 1))
                    row = stored, form[1], name, f"{expected / 1e6:.0f} MB", f"{peak / 1e6:.0f} MB"
                    print(f"| {' | '.join(row)} | {expected / peak:.2f} |", flush=True)
    return int(worst > 0.15)


if __name__ == "__main__":
    sys.exit(main())
