"""The text of a mark: which unit its numbers have, what it may hold, and what a mistake is answered with."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import llavacli_core as core
from llavacli_core.errors import BadOption
from llavacli_core.marks import FORMS, LIMIT, MAX_POINTS, Length, Mark, _is_straight


@pytest.mark.parametrize(
    ("text", "unit", "numbers"),
    [
        ("box:12,30,200,180", "pixels", (12, 30, 200, 180)),
        ("box:0,0,1,1", "pixels", (0, 0, 1, 1)),
        ("box:0.0,0.0,1.0,1.0", "fraction", (0, 0, 1, 1)),
        ("box:0,0,0.5,1", "fraction", (0, 0, 0.5, 1)),
        ("box:0.,0,1,1", "fraction", (0, 0, 1, 1)),
        ("box:.5,.5,1,1", "fraction", (0.5, 0.5, 1, 1)),
        ("box:0.5,0.5,1.5,1", "pixels", (0.5, 0.5, 1.5, 1)),
        ("box:-0.5,0,0.5,1", "pixels", (-0.5, 0, 0.5, 1)),
        ("box:12.5,30,200.25,180", "pixels", (12.5, 30, 200.25, 180)),
        ("box:10%,10%,60%,60.5%", "percent", (10, 10, 60, 60.5)),
        ("box:0.5%,0%,1%,1%", "percent", (0.5, 0, 1, 1)),
        ("box:0.5px,0px,1px,1px", "pixels", (0.5, 0, 1, 1)),
        (" BOX : 12 , 30,200, 180 : Red ", "pixels", (12, 30, 200, 180)),
        ("box:-10,+5,99,7.", "pixels", (-10, 5, 99, 7)),
    ],
)
def test_units(text, unit, numbers):
    mark = Mark.parse(text)
    assert (mark.shape, mark.unit, mark.coordinates, mark.color) == ("box", unit, numbers, "red")


@pytest.mark.parametrize("shape", FORMS)
def test_the_example_of_every_shape_is_right(shape):
    assert Mark.parse(f"{shape}:{FORMS[shape].example}").shape == shape


@pytest.mark.parametrize(
    "text",
    [
        "box:10%,10%,60%,60%:blue:alpha=0.5:width=8",
        "box:10%,10%,60%,60%:width=8:alpha=50%:blue",
        "BOX:10%,10%,60%,60%:ALPHA = .5:Blue:Width=8px",
        "box:10%,10%,60%,60%:colour=blue:alpha=0.5:width=8",
    ],
)
def test_options_stand_in_any_order(text):
    assert Mark.parse(text) == Mark("box", (10, 10, 60, 60), "percent", "blue", 0.5, Length(8))


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("point:1,1", (255, 0, 0)),
        ("point:1,1:lime", (0, 255, 0)),
        ("point:1,1:RebeccaPurple", (102, 51, 153)),
        ("point:1,1:#0f8", (0, 255, 136)),
        ("point:1,1:#00FF88", (0, 255, 136)),
    ],
)
def test_colours(text, rgb):
    assert Mark.parse(text).rgb == rgb


def test_canonical_text():
    assert str(Mark.parse("Arrow: 0.90,.9, 1,0.5 :width=2%")) == "arrow:0.9,0.9,1.0,0.5:red:width=2%"
    assert str(Mark.parse("point:12.0,30:#F00:radius=0.01px:alpha=1")) == "point:12,30:#f00:alpha=1:radius=0.01px"
    assert str(Mark("point", (0.5, 1))) == "point:0.5px,1px:red"


@pytest.mark.parametrize("coordinates", ["10,10,60,60", "10%,10%,60%,60%", "0.1,0.1,0.6,0.6"])
@pytest.mark.parametrize(
    ("width", "length"),
    [
        ("1", Length(1)),
        ("1.0", Length(1)),
        ("2.5", Length(2.5)),
        ("8px", Length(8)),
        ("0.5px", Length(0.5)),
        ("2%", Length(2, "percent")),
        ("0.5%", Length(0.5, "percent")),
    ],
)
def test_a_plain_width_is_pixels_whatever_the_coordinates(coordinates, width, length):
    assert Mark.parse(f"box:{coordinates}:width={width}").width == length


NUMBERS = {
    "pixels": st.floats(-LIMIT["pixels"], LIMIT["pixels"]),
    "percent": st.floats(-LIMIT["percent"], LIMIT["percent"]),
    "fraction": st.floats(0, 1),
}


@st.composite
def marks(draw):
    shape = draw(st.sampled_from(sorted(FORMS)))
    unit = draw(st.sampled_from(sorted(NUMBERS)))
    number, form = NUMBERS[unit], FORMS[shape]
    count = form.numbers + (2 * draw(st.integers(0, 4)) if form.coordinates.endswith("...") else 0)
    given = {"alpha": draw(st.none() | st.floats(0, 1, exclude_min=True))}
    for name in set(form.options) - {"alpha"}:
        size = st.floats(0, 1000, exclude_min=True)
        given[name] = draw(st.none() | st.builds(Length, size, st.sampled_from(["pixels", "percent"])))
    numbers = draw(st.lists(number, min_size=count, max_size=count))
    points = list(zip(numbers[::2], numbers[1::2], strict=False))
    assume(len(set(points)) >= form.distinct)
    assume(shape not in ("polygon", "mask") or not _is_straight(points))
    assume(shape not in ("box", "ellipse") or (numbers[0] != numbers[2] and numbers[1] != numbers[3]))
    assume(shape != "circle" or numbers[2] > 0)
    return Mark(shape, tuple(numbers), unit, draw(st.sampled_from(["red", "#0f0", "#12ab34"])), **given)


@given(marks())
def test_a_marks_text_reads_back_to_the_last_bit(mark):
    assert Mark.parse(str(mark)) == mark
    assert str(Mark.parse(str(mark))) == str(mark)


def refusal(text):
    """What is said against a text; nothing against one that describes a mark."""
    try:
        Mark.parse(text)
    except BadOption as error:
        return [str(error), error.hint]
    return []


@given(st.text() | st.text("box:circlepont,0123456789.%-+=# \n\x1b").map("box:{}".format))
def test_whatever_is_refused_is_refused_in_one_line(text):
    assert all(line and line.isprintable() for line in refusal(text))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "there is no shape ''", "the shapes are box, ellipse, circle"),
        ("boxx:1,2,3,4", "there is no shape 'boxx'", "the shapes are box"),
        ("box", "takes 4 numbers, not 0", "box:X1,Y1,X2,Y2, e.g. box:10%,10%,60%,60%:red"),
        ("box:1,2,3", "takes 4 numbers, not 3", "box:X1,Y1,X2,Y2"),
        ("box:1,2,3,4,5,6", "takes 4 numbers, not 6", "box:X1,Y1,X2,Y2"),
        ("box:1,2,3,red", "'red' is not a number", "box:X1,Y1,X2,Y2"),
        ("box:nan,2,3,4", "'nan' is not a number", "box:X1"),
        ("box:1,2,inf,4", "'inf' is not a number", "box:X1"),
        ("box:1e3,2,3,4", "'1e3' is not a number", "box:X1"),
        ("box:1,2,,4", "'' is not a number", "box:X1"),
        ("box:1,2,3,9999999", "1e+07 is not within -1000000..1000000 (pixels)", "box:X1"),
        ("box:1%,2%,3%,2000%", "2000 is not within -1000..1000 (percent)", "box:X1"),
        ("box:10%,10%,60,60", "its numbers have different units", "all with %"),
        ("box:10px,10,60,60", "its numbers have different units", "all plain"),
        ("box:5,5,5,9", "has no area", "box:X1"),
        ("ellipse:5,9,7,9", "has no area", "ellipse:X1"),
        ("circle:5,5,0", "the radius must be above 0, not 0", "circle:X,Y,RADIUS"),
        ("circle:5,5,-3", "the radius must be above 0, not -3", "circle:X,Y,RADIUS"),
        ("circle:5,5", "takes 3 numbers, not 2", "circle:X,Y,RADIUS"),
        ("arrow:5,5,5,5", "needs 2 different points", "arrow:X1"),
        ("polygon:1,1,2,2", "takes at least 6 numbers, an even count, not 4", "polygon:X1,Y1,X2,Y2,X3,Y3,..."),
        ("polygon:1,1,2,2,3,3,4", "an even count, not 7", "polygon:X1"),
        ("polygon:1,1,2,2,1,1", "needs 3 different points", "polygon:X1"),
        ("polygon:1,1,2,2,3,3", "polygon has no area", "polygon:X1"),
        ("mask:10%,50%,20%,50%,10%,50%,90%,50%", "mask has no area", "mask:X1"),
        ("mask:0.1,0.2,0.2,0.4,0.3,0.6", "mask has no area", "mask:X1"),
        ("scribble:1,1,2", "takes at least 4 numbers, an even count, not 3", "scribble:X1"),
        ("mask:1,1,2,2,3,3:width=3", "there is no option 'width' here", "a colour, alpha="),
        ("box:1,1,2,2:radius=3", "there is no option 'radius' here", "a colour, alpha= and width="),
        ("point:1,1:width=3", "there is no option 'width' here", "alpha= and radius="),
        ("box:1,1,2,2:reddish", "there is no colour 'reddish'", "#rrggbb"),
        ("box:1,1,2,2:#ff00", "there is no colour '#ff00'", "#rrggbb"),
        ("box:1,1,2,2:", "there is no colour ''", "#rrggbb"),
        ("box:1,1,2,2:rgb(1,2,3)", "there is no colour", "#rrggbb"),
        ("box:1,1,2,2:red:blue", "two colours are given", "box:X1"),
        ("box:1,1,2,2:width=2:width=3", "width is given twice", "box:X1"),
        ("box:1,1,2,2:alpha=0", "alpha must be above 0 and at most 1, not 0", "alpha=0.5"),
        ("box:1,1,2,2:alpha=128", "alpha must be above 0 and at most 1, not 128", "alpha=0.5"),
        ("box:1,1,2,2:alpha=half", "alpha must be a number, not 'half'", "alpha=0.5"),
        ("box:1,1,2,2:width=0", "width must be above 0, not 0", "width=8"),
        ("box:1,1,2,2:width=-2", "width must be above 0, not -2", "width=8"),
        ("box:1,1,2,2:width=", "width must be one number, not ''", "width=8"),
        ("box:1,1,2,2:width=0.02", "width=0.02 is less than a pixel", "width=2% for a share of the shorter edge"),
        ("point:0.5,0.5:radius=.5", "radius=.5 is less than a pixel", "or radius=.5px"),
        ("box:1,1,2,2:width=0.0", "width must be above 0, not 0", "width=8"),
        ("box:1,1,2,2:width=1,2", "width must be one number, not '1,2'", "width=8"),
    ],
)
def test_a_mistake_is_told_with_the_right_form(text, message, hint):
    with pytest.raises(BadOption) as caught:
        Mark.parse(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"mark {text!r}: ")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mark("box", (float("nan"), 1, 2, 3)),
        lambda: Mark("box", (1, 2, float("inf"), 3)),
        lambda: Mark("box", (0, 0, 1.5, 1), "fraction"),
        lambda: Mark("box", (1, 2, 3, 4), "inches"),
        lambda: Mark("star", (1, 2, 3, 4)),
        lambda: Mark("point", (1, 2), alpha=float("nan")),
        lambda: Mark("point", (1, 2), radius=Length(float("nan"))),
        lambda: Mark("point", (1, 2), color="none"),
        lambda: Mark("point", (1, 2), color=(255, 0, 0)),
        lambda: Mark("point", ("a", 2)),
        lambda: Mark("point", None),
        lambda: Mark("point", (1, 2), radius=3),
        lambda: Mark("point", (1, 2), radius=Length(0.5, "fraction")),
        lambda: Mark("mask", (0, 0, 1, 1, 2, 2)),
        lambda: core.Image("a.png", marks=["box:1,2,3,4"]),
        lambda: core.Image("a.png", marks="box:1,2,3,4"),
    ],
)
def test_in_the_library_too(make):
    with pytest.raises(BadOption):
        make()


@pytest.mark.parametrize("shape", ["scribble", "polygon", "mask"])
def test_points_are_counted(shape):
    numbers = [f"{(7 * n) % 100},{n}" for n in range(MAX_POINTS + 1)]
    assert len(Mark.parse(f"{shape}:{','.join(numbers[:-1])}").coordinates) == 2 * MAX_POINTS
    with pytest.raises(BadOption, match=f"{shape} has {MAX_POINTS + 1} points, and may have {MAX_POINTS}") as caught:
        Mark.parse(f"{shape}:{','.join(numbers)}")
    assert len(str(caught.value)) < 200


def test_a_line_that_doubles_back_has_an_area_where_it_leaves_itself():
    assert Mark.parse("polygon:0,0,10,0,5,0,5,1").shape == "polygon"


def test_a_pictures_marks_are_kept_in_order():
    first, second = Mark.parse("box:1,2,3,4"), Mark.parse("point:1,2")
    assert core.Image("a.png", marks=[first, second]).marks == (first, second)
    assert core.Mark is Mark
    assert hash(core.Image("a.png", marks=[first]))
