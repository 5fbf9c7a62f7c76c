"""A marked picture is another picture: what was computed for the one does not answer for the other."""

from __future__ import annotations

from PIL import Image as Pictures

from llavacli_core.marks import Mark
from llavacli_core.media.marking import draw
from llavacli_core.messages import Image, Message
from llavacli_core.options import Sampling

PICTURE = Pictures.new("RGB", (90, 60), (40, 90, 160))
MARKS = [Mark.parse("box:10%,10%,60%,60%:red"), Mark.parse("point:0.8,0.8:lime")]
SAMPLING = Sampling(max_tokens=6)


def test_the_model_sees_the_marks(engine):
    network = engine("next-vicuna")
    *_, marked = network.generate([Message("user", [Image(PICTURE, marks=MARKS), "What?"])], SAMPLING)
    *_, drawn = network.generate([Message("user", [Image(draw(PICTURE, MARKS)), "What?"])], SAMPLING)
    assert marked.token_ids == drawn.token_ids
    assert marked.images[0].marks == ("box:10%,10%,60%,60%:red", "point:0.8,0.8:lime")
    assert drawn.images[0].marks == ()
    assert marked.images[0].sha256 != drawn.images[0].sha256  # it is of the picture as it was given


def test_a_session_tells_them_apart(engine):
    session = engine("next-vicuna").session()
    for marks in ((), MARKS, MARKS[:1], ()):
        session.messages.clear()
        *_, done = session.generate([Image(PICTURE, marks=marks), "What?"], SAMPLING)
        *_, alone = session.engine.generate([Message("user", [Image(PICTURE, marks=marks), "What?"])], SAMPLING)
        assert done.token_ids == alone.token_ids
        assert done.usage.cached_tokens < done.usage.image_tokens
    *_, again = session.generate("And now?", SAMPLING)
    assert again.usage.cached_tokens > again.usage.image_tokens
