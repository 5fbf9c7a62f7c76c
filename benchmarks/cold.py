"""The first word of a cold start: from starting the process to the first byte on stdout, against a minimal script.

Promise: at most 0.6 of the time of a transformers script that loads the processor, the class, and generates one token,
with a checkpoint of 0.8B parameters in bfloat16 (`--size 0.5b`, after its decoder) whose weights are in the page cache,
on a CPU that computes in bfloat16. On others, and at tiny sizes, which show the start alone, nothing is promised.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from checkpoints import TOWERS, write
from prepare import photo
from report import Report, parser
from timing import rounds

from llavacli_core.checkpoint.host import computes_bfloat16

GOAL = 0.6
QUESTION = "Describe this image in detail."
OURS = ("-m", "llavacli", "describe", "--max-tokens", "1", "--prompt", QUESTION)
THEIRS = """
import sys
import torch
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration, TextStreamer

folder, picture, dtype, question = sys.argv[1:]
processor = AutoProcessor.from_pretrained(folder)
model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=getattr(torch, dtype))
content = [{"type": "image"}, {"type": "text", "text": question}]
prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
inputs = processor(images=Image.open(picture), text=prompt, return_tensors="pt").to(model.dtype)
streamer = TextStreamer(processor.tokenizer, skip_prompt=True)
model.generate(**inputs, max_new_tokens=1, do_sample=False, pad_token_id=0, streamer=streamer)
"""


def first_byte(arguments: list[str]) -> tuple[float, str]:
    """Seconds from a process's start to its first byte, and all that it said."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        taken = time.perf_counter() - started
        said = (first + process.stdout.read()).decode()
    if not first or process.returncode:
        raise SystemExit(f"no answer, and exit code {process.returncode}: {' '.join(arguments)}")
    return taken, said.strip()


def compare(report: Report, size: str, dtype: str, repeats: int) -> None:
    """Write a checkpoint and start both by turns."""
    with tempfile.TemporaryDirectory() as name:
        folder, picture = Path(name), Path(name) / "photo.jpg"
        write(folder, size, getattr(torch, dtype), tiled=False)
        for_auto_processor(folder, size)
        picture.write_bytes(photo(640, 480))
        starts = {
            "ours": [*OURS, "--model", name, "--dtype", dtype, str(picture)],
            "theirs": ["-c", THEIRS, name, str(picture), dtype, QUESTION],
        }
        runs = rounds(starts, repeats, first_byte)
    if dtype == "float32" and len({said for run in runs.values() for _, said in run}) > 1:
        raise SystemExit("the two do not say the same")
    ours, theirs = (statistics.median(seconds for seconds, _ in runs[side]) for side in starts)
    promised = size == "0.5b" and dtype == "bfloat16" and computes_bfloat16()
    report.figure(f"{size} {dtype}, cold `describe` to its first byte", ours, theirs, at_most=GOAL, promised=promised)


def for_auto_processor(folder: Path, size: str) -> None:
    """What AutoProcessor wants to know besides."""
    values = {
        "processor_class": "LlavaProcessor",
        "patch_size": TOWERS[size][-1],
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "image_token": "<image>",
    }
    (folder / "processor_config.json").write_text(json.dumps(values))


def main() -> int:
    """Measure the sizes asked for."""
    flags = parser(__doc__, repeats=2, sizes=("2-layers",))
    flags.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    arguments = flags.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    os.environ["HF_HUB_OFFLINE"] = "1"
    report = Report()
    for size in arguments.size:
        compare(report, size, arguments.dtype, arguments.repeats)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
