"""Many requests on one network: made ready ahead of it, and answered by a batch, which a second thread may help."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch

from llavacli_core.engine.ahead import Ahead
from llavacli_core.engine.batch import Batch, Numbered, Ready
from llavacli_core.engine.generate import Stopped
from llavacli_core.engine.opening import Open
from llavacli_core.engine.threads import in_threads, is_tiny, may_be_helped
from llavacli_core.errors import BadOption, CoreError
from llavacli_core.events import Failed
from llavacli_core.messages import Message
from llavacli_core.options import Sampling

if TYPE_CHECKING:
    from llavacli_core.engine.engine import Engine

ROWS = 8
AUTO_ROWS = {"cpu": 24, "mps": 16, "cuda": 64}  # a CPU gains nothing beyond; memory may allow fewer
THREADS = 4

Asked = tuple[Sequence[Message], Sampling | None]


def run(
    engine: Engine,
    requests: Iterable[Asked],
    rows: int,
    stopped: Stopped,
    *,
    opening: AbstractContextManager[Open],
    threads: int = THREADS,
) -> Generator[Numbered]:
    """Events of all requests, each with its request's index. One that fails is told so, and the others go on.

    They are prepared in so many threads, their pictures opened in a way of `opening`.
    """

    def prepare(numbered: tuple[int, Asked]) -> Ready | Numbered:
        index, asked = numbered
        try:
            messages, sampling = _pair(asked)
            request = engine.processor.prepare(messages, open=open_part)
            engine.processor.check_fits(request)
            return Ready(index, request, engine.processor.settled(request, sampling or Sampling()))
        except CoreError as error:
            return index, Failed(error)

    helped = may_be_helped(engine.network, rows)
    with (
        opening as open_part,
        Ahead(enumerate(requests), prepare, depth=rows + threads, threads=threads) as ahead,
    ):
        every = torch.get_num_threads()
        count = every // 2 if helped else 1 if is_tiny(engine.network) else every
        yield from in_threads(count, Batch(engine, rows, helped=helped).serve(ahead, stopped))


def _pair(asked: Asked) -> Asked:
    """A request as it must be."""
    if not isinstance(asked, tuple | list) or len(asked) != 2:
        raise BadOption("a request is a pair of messages and sampling (or None)", hint="[(messages, None), ...]")
    if asked[1] is not None and not isinstance(asked[1], Sampling):
        raise BadOption(f"a request's sampling is core.Sampling or None, not {type(asked[1]).__name__}")
    return asked[0], asked[1]
