"""Marks drawn: which pixels change, by how much, and where nothing does."""

from __future__ import annotations

import io
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from llavacli_core.errors import BadOption, MissingInput, UnsuitableOption
from llavacli_core.marks import MAX_POINTS, Mark
from llavacli_core.media import marking
from llavacli_core.media.marking import TILE, draw, draw_marks
from tests.media.files import noise, stored

RED, GREY = (255, 0, 0), (90, 100, 110)


def drawn(*texts, size=(200, 100), background=GREY):
    """The marks on a picture of one colour, [H, W, 3]."""
    return np.asarray(draw(Image.new("RGB", size, background), [Mark.parse(text) for text in texts]))


def painted(*texts, size=(200, 100)):
    """Which pixels are wholly of the marks' red, [H, W]."""
    return (drawn(*texts, size=size) == RED).all(axis=-1)


def changed(*texts, size=(200, 100)):
    """Which pixels a mark touches at all, [H, W]."""
    return (drawn(*texts, size=size) != GREY).any(axis=-1)


def amount(*texts, size=(200, 100)):
    """How many pixels' worth of red there is, parts of pixels included."""
    return ((drawn(*texts, size=size)[..., 0].astype(float) - GREY[0]) / (255 - GREY[0])).sum()


def from_segment(points, size=(200, 100)):
    """The distance of each pixel's centre from a line through two points, [H, W]."""
    (x1, y1), (x2, y2) = points
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    along = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2), 0, 1)
    return np.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1))


def test_a_box_is_a_crisp_frame_inside_its_corners():
    expected = np.zeros((100, 200), bool)
    expected[20:60, 10:50] = True
    expected[23:57, 13:47] = False
    assert np.array_equal(painted("box:10,20,50,60:width=3"), expected)
    assert np.array_equal(changed("box:10,20,50,60:width=3"), expected)
    for same in ("box:50,60,10,20:width=3", "box:5%,20%,25%,60%:width=3%", "box:0.05,0.2,0.25,0.6:width=3.0"):
        assert np.array_equal(painted(same), expected), same


def test_a_box_is_cut_to_the_picture_and_filled_where_its_lines_meet():
    assert np.array_equal(painted("box:-50,-50,500,500:width=2"), painted("box:0,0,200,100:width=2"))
    assert painted("box:10,10,14,20:width=2").sum() == 40
    assert painted("box:10.2,10,10.3,20:width=2").sum() == 10  # never thinner than a pixel


def test_an_ellipse_and_a_circle_are_rings_inside_their_bounds():
    y, x = np.mgrid[:100, :200] + 0.5
    for text, centre, radii in (
        ("ellipse:20,10,120,70:width=6", (70, 40), (50, 30)),
        ("circle:70,40,30:width=6", (70, 40), (30, 30)),
        ("circle:35%,40%,30%:width=6", (70, 40), (30, 30)),
    ):
        outer = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
        inner = np.hypot((x - centre[0]) / (radii[0] - 6), (y - centre[1]) / (radii[1] - 6))
        slack = 1.5 / min(radii)
        assert painted(text)[(outer < 1 - slack) & (inner > 1 + slack)].all()
        assert not changed(text)[(outer > 1 + slack) | (inner < 1 - slack)].any()


def test_a_point_is_a_disc():
    y, x = np.mgrid[:100, :200] + 0.5
    distance = np.hypot(x - 100, y - 50)
    for text, radius in (
        ("point:0.5,0.5:radius=10", 10),
        ("point:50%,50%:radius=10%", 10),
        ("point:100,50", 200 * 8 / 336),
    ):
        assert painted(text)[distance < radius - 0.8].all()
        assert not changed(text)[distance > radius + 0.8].any()


def test_an_arrow_ends_at_its_tip_where_its_head_is():
    touched = changed("arrow:20,50,120,50:width=4")
    columns = np.flatnonzero(touched.any(axis=0))
    assert (columns[0], columns[-1]) == pytest.approx((20, 119), abs=1)
    breadth = touched.sum(axis=0)
    assert breadth[40] in (4, 5)
    assert breadth[101] > 15
    assert breadth[118] < 4
    assert changed("arrow:20,50,22,50:width=10").any()  # shorter than its head


@pytest.mark.parametrize("text", ["polygon:20,20,150,30,60,90:width=5", "polygon:20,20,150,30,60,90,20,20:width=5"])
def test_a_polygon_is_outlined_and_closed(text):
    corners = [(20, 20), (150, 30), (60, 90)]
    distance = np.minimum.reduce([from_segment((corners[i], corners[i - 1])) for i in range(3)])
    assert painted(text)[distance < 1.7].all()
    assert not changed(text)[distance > 3.3].any()


def test_a_scribble_passes_smoothly_through_its_points():
    points = [(20, 80), (60, 20), (100, 80), (180, 20)]
    text = "scribble:20,80,60,20,100,80,180,20:width=4"
    red = painted(text)
    assert all(red[y - 1 : y + 1, x - 1 : x + 1].any() for x, y in points)
    corner = from_segment(((20, 80), (60, 20))) < 3
    assert changed(text)[~corner].sum() > changed("scribble:60,20,100,80:width=4").sum()  # it curves beyond the chords
    straight = from_segment(((20, 80), (60, 20)))
    assert painted("scribble:20,80,60,20:width=4")[straight < 1.2].all()
    assert not changed("scribble:20,80,60,20:width=4")[straight > 2.8].any()


def test_a_scribble_is_even_however_many_points_lie_on_it():
    few, many = ((x, 50) for x in (20, 180)), ((x / 4, 50) for x in range(80, 721))
    a, b = (painted(f"scribble:{','.join(f'{x},{y}' for x, y in points)}:width=5") for points in (few, many))
    assert np.array_equal(a, b)
    assert changed("scribble:20,50,20.000001,50,180,50:width=5").any()


def test_the_longest_scribble_is_drawn_in_time():
    random = np.random.default_rng(0)
    points = random.uniform(0, (1000, 800), (MAX_POINTS, 2))
    text = "scribble:" + ",".join(f"{number:.1f}" for number in points.ravel())
    started = time.process_time()
    assert painted(text, size=(1000, 800)).mean() > 0.9
    assert time.process_time() - started < 5


def test_a_line_broader_than_the_picture_covers_it():
    assert painted("scribble:10,10,190,90,10,90:width=1000").all()
    assert painted("polygon:10,10,190,90,10,90:width=1000000").all()


def test_a_mask_is_filled_half_through():
    picture = drawn("mask:20,20,120,20,120,80,20,80")
    assert np.abs(picture[50, 70] - (np.array(RED) + GREY) / 2).max() <= 1
    assert tuple(picture[10, 70]) == GREY
    opaque = painted("mask:20,20,120,20,120,80,20,80:alpha=1")
    assert opaque[21:79, 21:119].all()
    assert not opaque[:19].any()


@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.9])
def test_alpha_blends(alpha):
    expected = [round(alpha * a + (1 - alpha) * b) for a, b in zip((0, 0, 255), GREY, strict=True)]
    picture = drawn(f"box:10,10,60,60:blue:alpha={alpha}:width=5")
    assert np.abs(picture[12, 30].astype(int) - expected).max() <= 1


def test_later_marks_lie_over_earlier_ones():
    picture = drawn("point:50,50:red:radius=20", "point:50,50:blue:radius=10")
    assert tuple(picture[50, 50]) == (0, 0, 255)
    assert tuple(picture[50, 65]) == RED


def test_edges_are_smooth():
    shades = {tuple(pixel) for pixel in drawn("arrow:10,90,190,13:width=6").reshape(-1, 3)}
    assert len(shades) > 8


@pytest.mark.parametrize("shape", ["box:20%,20%,80%,80%", "ellipse:20%,20%,80%,80%", "arrow:0.2,0.2,0.8,0.8"])
def test_lines_grow_with_the_picture(shape):
    small, large = (amount(shape, size=(size, size)) / size**2 for size in (336, 1344))
    assert small == pytest.approx(large, rel=0.1)
    assert changed(shape, size=(8, 8)).any()


def test_the_picture_itself_is_left_as_it_was():
    picture = noise(60, 40)
    before = picture.tobytes()
    assert draw(picture, ()) is picture
    assert draw(picture, [Mark.parse("box:1,1,30,30")]) is not picture
    assert draw_marks(picture, []) is not picture
    assert picture.tobytes() == before


def test_nothing_else_changes():
    picture = noise(200, 100)
    touched = changed("scribble:10,10,90,80,150,20:alpha=0.5")
    marked = np.asarray(draw(picture, [Mark.parse("scribble:10,10,90,80,150,20:alpha=0.5")]))
    assert np.array_equal(marked[~touched], np.asarray(picture)[~touched])


def test_tiles_leave_no_seams(monkeypatch):
    size = TILE + 70, TILE + 50
    marks = [
        *("box:10%,10%,90%,90%", "circle:0.5,0.5,0.45", "polygon:3,3,560,40,500,550", "mask:3,3,560,40,500,550"),
        "scribble:3,3,560,40,500,550,20,530",
    ]
    tiled = drawn(*marks, size=size)
    monkeypatch.setattr(marking, "TILE", 2 * TILE)
    assert np.array_equal(tiled, drawn(*marks, size=size))


@pytest.mark.parametrize(
    "text",
    [
        "box:300,10,400,50",
        "box:-20,-20,-5,-5",
        "point:210,50:radius=5",
        "point:-20%,50%:radius=5",
        "arrow:300,300,400,400",
        "scribble:-50,-50,-30,-90",
        "ellipse:-1000,-1000,1000,1000:width=2",  # its line runs round the picture
    ],
)
def test_a_mark_that_covers_nothing_is_refused_with_the_pictures_size(text):
    with pytest.raises(UnsuitableOption, match=r"^-: mark .* covers nothing of the picture, which has 200x100 pixels"):
        drawn(text)


def test_the_picture_that_a_mark_misses_is_named(tmp_path):
    path = tmp_path / "small.png"
    path.write_bytes(stored(noise(20, 10)))
    with pytest.raises(UnsuitableOption, match="covers nothing") as caught:
        draw_marks(path, [Mark.parse("box:300,10,400,50")])
    assert str(caught.value).startswith(f"{path}: mark 'box:300,10,400,50:red' ")


def test_what_runs_over_the_edge_is_cut_off():
    assert amount("circle:0,0,40:width=4") == pytest.approx(math.pi * (40**2 - 36**2) / 4, rel=0.02)
    assert changed("arrow:-1000000,50,100,50:width=4")[50, :90].all()


COORDINATE = st.floats(-300, 300)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["box", "ellipse", "arrow", "scribble", "polygon", "mask"]),
    st.lists(COORDINATE, min_size=6, max_size=6),
    st.floats(0.1, 100),
)
def test_any_coordinates_are_drawn_or_refused(shape, numbers, width):
    count = 4 if shape in ("box", "ellipse", "arrow") else 6
    options = "" if shape == "mask" else f":width={width:.3f}"
    text = f"{shape}:{','.join(f'{number:.4f}px' for number in numbers[:count])}{options}"
    try:
        picture = drawn(text, size=(40, 30))
    except (BadOption, UnsuitableOption):
        return
    assert (picture != GREY).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_coordinates_are_those_of_the_upright_picture(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = stored(Image.new("RGB", (60, 30), GREY), "PNG", exif=exif)
    marked = draw_marks(data, [Mark.parse("box:0,0,10,20:width=2")])
    assert marked.size == ((60, 30) if orientation < 5 else (30, 60))
    red = (np.asarray(marked) == RED).all(axis=-1)
    assert (red[0, :10].all(), red[:20, 0].all(), red.sum()) == (True, True, 10 * 20 - 6 * 16)


def test_resolution_and_colour_profile_are_kept_where_they_still_hold():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = profile[:16] + b"GRAY" + profile[20:]
    data = stored(noise(30, 20), "JPEG", icc_profile=profile, dpi=(300, 200))
    assert draw_marks(data, []).info == {"icc_profile": profile, "dpi": (300, 200)}
    assert draw_marks(stored(noise(30, 20), "TIFF", dpi=(1e6, 1e6)), []).info == {}
    exif = Image.Exif()
    exif[0x0112] = 6
    assert draw_marks(stored(noise(30, 20), "JPEG", dpi=(300, 200), exif=exif), []).info == {"dpi": (200, 300)}
    assert draw_marks(stored(noise(30, 20).convert("L"), "JPEG", icc_profile=grey), []).info == {}


def test_a_picture_that_is_not_there():
    with pytest.raises(MissingInput):
        draw_marks("nope.png", [])


def test_a_pil_image_may_be_marked():
    image = Image.open(io.BytesIO(stored(noise(60, 40).convert("P"))))
    assert draw_marks(image, [Mark.parse("box:1,1,30,30")]).mode == "RGB"
