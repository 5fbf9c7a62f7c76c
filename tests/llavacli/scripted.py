"""llavacli over a core that answers from a script, without torch: `python -m tests.llavacli.scripted ARGS`.

The script (JSON in the variable SCRIPT) may hold: `pieces`, of every answer; `fail`, from a source to an error's code;
`load` and `fail_late`, an error's code; `warnings`; `captioner`, if it is one; `wait`, where to hang ("load", "prepare"
or "answer", after the pieces) until a signal comes, once the file `ready` exists (`deaf`: heeding neither `stop()` nor
exceptions);
`slow`, seconds between a batch's events; `log`, a file that gets a line of JSON for every load and every question.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import llavacli_core as core

ERRORS = {error.code: error for error in vars(core.errors).values() if isinstance(error, type)}
INFO = SimpleNamespace(
    id="scripted",
    revision=None,
    family="llava_next",
    dtype="float32",
    quant="none",
    device="cpu",
    template="vicuna",
    template_origin="chat_template.jinja",
    max_positions=2048,
    takes_prompt=True,
    takes_videos=True,
    several_images=False,
)
CAPTIONER = SimpleNamespace(**{**vars(INFO), "template": None, "template_origin": None, "takes_prompt": False})


def error(code: str) -> Exception:
    """An error of the core's tree, or for "fault" one that is nobody's."""
    if code == "fault":
        return RuntimeError("something broke")
    return ERRORS[code](f"it is {code}", hint="do something")


class Script:
    """What the core is to do."""

    def __init__(self, lines: dict[str, Any]) -> None:
        self.lines = lines

    def functions(self) -> dict[str, Any]:
        """What takes the place of the core's own."""
        return {
            "load": self.load,
            "download": self.download,
            "is_cached": lambda model, revision=None: not model.startswith("org/absent"),
            "refuse_impossible": lambda model, placement, revision=None: None,  # there is always room
        }

    def load(self, model: str, **options: Any) -> Engine:
        """Stands in for core.load."""
        self.log({"model": model} | options)
        self.wait("load")
        if "load" in self.lines:
            raise error(self.lines["load"])
        return Engine(self)

    def download(self, model: str, *, revision: str | None = None) -> Iterator[core.Progress]:
        """Stands in for core.download."""
        self.log({"download": model})
        if self.lines.get("unknown"):
            raise error("model_missing")
        yield from (core.Progress(done, 200) for done in (0, 100, 200))

    def log(self, entry: dict[str, Any]) -> None:
        """Leave a line in the log."""
        if "log" in self.lines:
            with Path(self.lines["log"]).open("a") as file:
                file.write(json.dumps(entry) + "\n")

    def wait(self, where: str) -> None:
        """Hang here if the script says so."""
        if self.reaches(where):
            while True:
                with suppress(BaseException if "deaf" in self.lines else ()):
                    time.sleep(0.01)  # a long sleep may begin just after the signal came, and not notice it

    def reaches(self, where: str) -> bool:
        """Whether this is where to hang; then say that it has come to this."""
        if self.lines.get("wait") != where:
            return False
        Path(self.lines["ready"]).touch()
        return True

    def seen(self, image: core.Image) -> core.SeenImage:
        """A picture, not looked at."""
        assert isinstance(image.source, (str, bytes))
        if isinstance(image.source, str) and os.path.basename(image.source) in self.lines.get("fail", {}):
            raise error(self.lines["fail"][os.path.basename(image.source)])
        data = image.source if isinstance(image.source, bytes) else Path(image.source).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        marks = tuple(map(str, image.marks))
        return core.SeenImage(source="core's name", sha256=digest, width=4, height=3, tiles=1, tokens=5, marks=marks)

    def seen_video(self, video: core.Video) -> core.SeenVideo:
        """A clip of a hundred frames, not looked at."""
        assert isinstance(video.source, (str, bytes))
        data = video.source if isinstance(video.source, bytes) else Path(video.source).read_bytes()
        count = video.frames or 2
        return core.SeenVideo(
            source="core's name",
            sha256=hashlib.sha256(data).hexdigest(),
            width=16,
            height=9,
            frames=tuple(index * 100 // count for index in range(count)),
            tokens=count,
        )


class Engine:
    """Stands in for core.Engine."""

    load_ms = 7.2
    is_tiny = False

    def __init__(self, script: Script) -> None:
        self.script = script
        self.info = CAPTIONER if script.lines.get("captioner") else INFO

    def generate(self, messages: Sequence[core.Message], sampling: core.Sampling) -> Generation:
        system = [message.text for message in messages if message.role == "system"]
        kinds = [type(part).__name__ for part in messages[-1].parts]
        self.script.log({"system": system, "prompt": messages[-1].text, "parts": kinds} | vars(sampling))
        self.script.wait("prepare")
        images = [self.script.seen(image) for each in messages for image in each.images]
        videos = [self.script.seen_video(video) for each in messages for video in each.videos]
        return Generation(self.script, images, videos, sampling.max_tokens)

    def batch(self, requests: Iterable[Any], rows: int | str = 8, workers: core.Workers | None = None) -> Batch:
        self.script.log({"rows": rows})
        return Batch(self, requests)

    def session(self) -> Session:
        return Session(self)


class Batch(Iterator[Any]):
    """Stands in for a batch: one request after the other, with `slow` seconds before each event."""

    def __init__(self, engine: Engine, requests: Iterable[Any]) -> None:
        self.engine = engine
        self.answer: Generation | None = None
        self.stopped = False
        self.events = self.answers(requests)

    def __next__(self) -> Any:
        return next(self.events)

    def stop(self) -> None:
        self.stopped = True
        if self.answer is not None:
            self.answer.stop()

    def close(self) -> None:
        self.events.close()

    def answers(self, requests: Iterable[Any]) -> Generator[Any]:
        for index, (messages, sampling) in enumerate(requests):
            if self.stopped:
                return
            try:
                self.answer = self.engine.generate(messages, sampling)
            except core.errors.CoreError as error:
                yield index, core.Failed(error)
                continue
            for event in self.answer:
                time.sleep(self.engine.script.lines.get("slow", 0))
                yield index, event


class Session:
    """Stands in for core.Session: an answer joins the messages when it is done."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        engine.processor = SimpleNamespace(
            settled=lambda _, sampling: SimpleNamespace(max_tokens=sampling.max_tokens or 256)
        )
        self.messages: list[core.Message] = []
        self.request = None

    def open(self, part: core.Image | core.Video) -> SimpleNamespace:
        script = self.engine.script
        return SimpleNamespace(seen=script.seen(part) if isinstance(part, core.Image) else script.seen_video(part))

    def plan(self, parts: Sequence[Any] = ()) -> SimpleNamespace:
        """A token for each word, and five for a picture."""
        parts = [part for message in self.messages for part in message.parts] + list(parts)
        tokens = sum(len(part.split()) if isinstance(part, str) else 5 for part in parts)
        positions = self.engine.script.lines.get("positions", 2048)
        request = SimpleNamespace(image_tokens=sum(5 for part in parts if not isinstance(part, str)))
        return SimpleNamespace(request=request, prompt_tokens=tokens, positions=positions, room=positions - tokens)

    def generate(self, parts: Sequence[Any], sampling: core.Sampling) -> Generation:
        turn = core.Message("user", parts)
        generation = self.engine.generate([*self.messages, turn], sampling)
        generation.events = self.kept(generation.events, [*self.messages, turn])
        return generation

    def go_on(self, sampling: core.Sampling) -> Generation:
        generation = self.engine.generate(self.messages[:-1], sampling)
        generation.events = self.kept(generation.events, self.messages[:-1])
        return generation

    def kept(self, events: Iterator[core.Event], before: Sequence[core.Message]) -> Iterator[core.Event]:
        for event in events:
            if isinstance(event, core.Done):
                self.messages[:] = [*before, core.Message("assistant", event.text)]
            yield event


class Generation(Iterator[core.Event]):
    """The script's pieces, one by one."""

    def __init__(
        self,
        script: Script,
        images: Sequence[core.SeenImage],
        videos: Sequence[core.SeenVideo],
        max_tokens: int | None,
    ) -> None:
        self.script = script
        self.images = images
        self.videos = videos
        self.max_tokens = max_tokens or (20 if script.lines.get("captioner") else 256)
        self.stopped = False
        self.events = self.answer()

    def __next__(self) -> core.Event:
        return next(self.events)

    def stop(self) -> None:
        self.stopped = "deaf" not in self.script.lines

    def answer(self) -> Iterator[core.Event]:
        lines = self.script.lines
        said = []
        for piece in lines.get("pieces", ["A red", " circle."]):
            said.append(piece)
            yield core.Text(piece)
        if self.script.reaches("answer"):
            while not self.stopped:
                time.sleep(0.01)
        if "fail_late" in lines:
            raise error(lines["fail_late"])
        yield core.Done(
            text="".join(said),
            token_ids=tuple(range(len(said))),
            finish_reason="interrupted" if self.stopped else "stop",
            prompt_text="USER: <image>\nWhat? ASSISTANT:",
            images=tuple(self.images),
            usage=core.Usage(prompt_tokens=7, image_tokens=5, cached_tokens=0, completion_tokens=len(said)),
            timing=core.Timing(prepare=1.4, vision=2.5, prefill=3.6, decode=4.2, total=11.7),
            warnings=tuple(lines.get("warnings", ())),
            videos=tuple(self.videos),
            max_tokens=self.max_tokens,
        )


if __name__ == "__main__":
    for name, function in Script(json.loads(os.environ.get("SCRIPT", "{}"))).functions().items():
        setattr(core, name, function)
    from llavacli import lean_torch
    from llavacli.__main__ import main

    lean_torch.import_torch = lambda *, tracing: None  # nothing here computes, and it takes a second or two

    main()
