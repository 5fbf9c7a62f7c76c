"""Pictures in the terminal: the right protocol, never more cells than there are, proportions and colours kept."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from llavacli.render.preview import depth, preview, protocol
from llavacli.render.preview_sheet import GAP_COLOUR

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


def flag(width: int = 40, height: int = 40) -> Pictures.Image:
    """Red above, blue below."""
    picture = Pictures.new("RGB", (width, height), RED)
    picture.paste(BLUE, (0, height // 2, width, height))
    return picture


def drawn(output: str, columns: int = 80, rows: int = 24) -> list[list[tuple[str, str, str]]]:
    """The cells that are not empty, as (character, colour, background), line by line."""
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed(output.replace("\n", "\r\n"))
    lines = [[screen.buffer[row][col] for col in range(columns)] for row in range(rows)]
    return [[(cell.data, cell.fg, cell.bg) for cell in line if cell.data != " "] for line in lines]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, "blocks"),
        ({}, "blocks"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color", "WT_SESSION": "x"}, "blocks"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TERM": "xterm-256color", "TMUX": "/x", "TERM_PROGRAM": "iTerm.app"}, "blocks"),
        ({"TERM": "dumb", "LC_TERMINAL": "iTerm2"}, "blocks"),
    ],
)
def test_the_protocol_is_read_off_the_environment(environment: dict[str, str], expected: str) -> None:
    assert protocol("auto", environment, color=True) == expected
    assert protocol("auto", environment, color=False) == "blocks"
    assert protocol("sixel", environment, color=True) == "sixel"
    assert protocol("none", environment, color=True) == "none"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "full"),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, "full"),
        ({"TERM": "xterm-256color", "COLORTERM": "yes"}, "256"),
        ({"WT_SESSION": "x"}, "full"),
        ({"TERM": "xterm-direct"}, "full"),
    ],
)
def test_colours_are_read_off_the_environment(environment: dict[str, str], expected: str) -> None:
    assert depth(environment, color=True) == expected
    assert depth(environment, color=False) == "grey"


def test_half_blocks() -> None:
    output = preview([flag()], columns=20, rows=24, protocol="blocks")
    lines = [line for line in drawn(output) if line]
    assert len(lines) == 10  # as high as wide
    assert lines[0] == [("▀", "ff0000", "ff0000")] * 20
    assert lines[9] == [("▀", "0000ff", "0000ff")] * 20
    assert output.count("\x1b[") == 20  # colours are said once a line, and taken back


def test_an_odd_row_of_pixels_leaves_half_a_cell_empty() -> None:
    (line,) = [line for line in drawn(preview([flag(3, 1)], columns=9, rows=9, protocol="blocks")) if line]
    assert line == [("▀", "0000ff", "default")] * 3


def test_256_colours() -> None:
    colours = [RED, (95, 135, 175), (128, 128, 128), (3, 3, 3), (250, 250, 250)]
    picture = Pictures.new("RGB", (len(colours), 2))
    for at, colour in enumerate(colours):
        picture.paste(colour, (at, 0, at + 1, 2))
    output = preview([picture], columns=20, rows=5, protocol="blocks", depth="256")
    assert re.findall(r"38;5;(\d+)", output) == ["196", "67", "244", "16", "231"]
    assert "38;2" not in output


def test_without_colour_characters_stand_for_greys() -> None:
    picture = Pictures.new("RGB", (8, 4))
    picture.paste((255, 255, 255), (4, 0, 8, 4))
    picture.paste((128, 128, 128), (0, 2, 4, 4))
    assert preview([picture], columns=8, rows=9, protocol="blocks", depth="grey") == "    @@@@\n++++@@@@\n"


@pytest.mark.parametrize("protocol_", ["blocks", "kitty", "iterm2", "sixel"])
@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (0, 24), (80, 0), (-1, 5)])
def test_a_terminal_without_room_gets_nothing(protocol_: str, columns: int, rows: int) -> None:
    assert preview([flag()], columns=columns, rows=rows, protocol=protocol_) == ""  # type: ignore[arg-type]
    assert preview([], columns=80, rows=24, protocol=protocol_) == ""  # type: ignore[arg-type]


def test_none_draws_nothing() -> None:
    assert preview([flag()], columns=80, rows=24, protocol="none") == ""


@given(st.integers(1, 60), st.integers(1, 30), st.integers(1, 300), st.integers(1, 300), st.integers(1, 7))
@settings(deadline=None)
def test_no_more_cells_than_there_are(columns: int, rows: int, width: int, height: int, count: int) -> None:
    grid = {1: (0, 0), 5: (2, 2), 4: (1, 3), 7: (3, 2)}.get(count, (0, 0))
    pictures = [flag(width, height)] * count
    for colours in ("full", "grey"):
        lines = preview(
            pictures,
            columns=columns,
            rows=rows,
            protocol="blocks",
            depth=colours,
            grid=grid,  # type: ignore[arg-type]
        ).splitlines()
        assert len(lines) <= rows
        assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= columns for line in lines)
    if count == 1 and lines:  # proportions: within a pixel
        scale = min(columns / width, 2 * rows / height, 1)
        assert len(lines) == -(-max(int(height * scale), 1) // 2)


def test_tiles_stand_beside_their_overview_with_gaps() -> None:
    tiles = [Pictures.new("RGB", (30, 30), colour) for colour in (BLACK, RED, GREEN, BLUE, (9, 9, 9), RED, GREEN)]
    lines = [line for line in drawn(preview(tiles, columns=80, rows=4, protocol="blocks", grid=(2, 3))) if line]
    gap = bytes(GAP_COLOUR).hex()
    assert [colour for _, colour, _ in lines[0]] == (
        ["000000"] * 3 + [gap] * 2 + ["ff0000"] * 3 + [gap] + ["00ff00"] * 3 + [gap] + ["0000ff"] * 3
    )
    assert lines[1][5] == ("▀", "ff0000", gap)  # between the rows, too
    assert lines[2][0][1] == gap  # below the overview


def test_frames_fill_the_room_and_are_left_out_where_there_are_too_many() -> None:
    frames = [Pictures.new("RGB", (30, 30), (level, 0, 0)) for level in range(0, 240, 10)]
    (line, *_) = drawn(preview(frames[:4], columns=80, rows=4, protocol="blocks"))
    assert [colour for _, colour, _ in line[::9]] == ["000000", "0a0000", "140000", "1e0000"]
    few = preview(frames, columns=20, rows=2, protocol="blocks")
    shown = {colour for line in drawn(few) for _, colour, _ in line}
    assert "000000" in shown
    assert len(shown) == 4  # three frames, and the gap


def test_kitty_gets_a_png_in_chunks_and_is_told_not_to_answer() -> None:
    noise = Pictures.effect_noise((320, 160), 90).convert("RGB")
    output = preview([noise], columns=40, rows=20, protocol="kitty")
    commands = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", output)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in commands) + "\n" == output
    assert commands[0][0] == "a=T,f=100,q=2,c=40,r=10,m=1"
    assert {keys for keys, _ in commands[1:-1]} == {"q=2,m=1"}
    assert commands[-1][0] == "q=2,m=0"
    assert all(len(data) <= 4096 for _, data in commands)
    png = Pictures.open(io.BytesIO(b64decode("".join(data for _, data in commands))))
    assert png.tobytes() == noise.tobytes()


def test_a_small_picture_takes_one_command() -> None:
    assert re.fullmatch(
        r"\x1b_Ga=T,f=100,q=2,c=1,r=1,m=0;[^\x1b]*\x1b\\\n", preview([flag(4, 4)], columns=40, rows=9, protocol="kitty")
    )


def test_iterm2_gets_a_file() -> None:
    output = preview([flag(80, 160)], columns=40, rows=5, protocol="iterm2")
    match = re.fullmatch(
        r"\x1b\]1337;File=inline=1;size=(\d+);width=5;height=5;preserveAspectRatio=1:([^\x07]*)\x07\n", output
    )
    assert match
    data = b64decode(match[2])
    assert len(data) == int(match[1])
    assert Pictures.open(io.BytesIO(data)).size == (40, 80)


def decoded_sixel(text: str) -> Pictures.Image:
    """A sixel picture as a terminal reads it."""
    header, body = re.fullmatch(r'\x1bP0;1q("1;1;\d+;\d+)(.*)\x1b\\\n', text, re.DOTALL).groups()  # type: ignore[union-attr]
    width, height = map(int, header.split(";")[2:])
    picture = Pictures.new("RGB", (width, height), (1, 2, 3))
    colours: dict[str, tuple[int, ...]] = {}
    x = top = 0
    for number, levels, repeated, dots, control in re.findall(
        r"#(\d+)(?:;2;([\d;]+))?|(?:!(\d+))?([?-~])|([$-])", body
    ):
        if levels:
            colours[number] = tuple(round(int(level) * 2.55) for level in levels.split(";"))
        elif number:
            colour = colours[number]
        elif control:
            x, top = 0, top + 6 * (control == "-")
        else:
            count = int(repeated or 1)
            for bit in range(6):
                if ord(dots) - 63 >> bit & 1:
                    picture.paste(colour, (x, top + bit, x + count, top + bit + 1))
            x += count
    return picture


def test_sixel() -> None:
    picture = flag(50, 32)
    picture.paste(GREEN, (7, 3, 20, 29))
    assert decoded_sixel(preview([picture], columns=40, rows=9, protocol="sixel")).tobytes() == picture.tobytes()
    gradient = Pictures.linear_gradient("L").convert("RGB")
    output = preview([gradient], columns=80, rows=40, protocol="sixel")
    assert max(abs(a - b) for a, b in zip(decoded_sixel(output).tobytes(), gradient.tobytes(), strict=True)) <= 4
    assert len(output) < 20_000  # runs are counted
    large = preview([Pictures.new("RGB", (4000, 4000), RED)], columns=10, rows=10, protocol="sixel")
    assert decoded_sixel(large).size == (80, 80)
