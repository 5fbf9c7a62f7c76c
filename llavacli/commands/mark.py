"""`llavacli mark`: a picture with marks drawn on it, as a model would see it, written to a file."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llavacli.failures import UsageError
from llavacli.options import OUTPUT, MarkOptions, TerminalOptions, flag
from llavacli.sources import STDIN, Source, named, unreadable
from llavacli.streams import Output
from llavacli.writing import write_file

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

STDOUT = "-"
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {  # as little as possible is lost: thin red lines suffer first
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
    ".bmp": ("BMP", {}),
}

PictureName = Annotated[
    str | None, typer.Argument(metavar="IMG", show_default=False, help="A picture: a path, a URL, or - for stdin.")
]
OutputName = Annotated[
    str | None,
    flag(
        "--output", "-o", panel=OUTPUT, metavar="OUT", help="Where to; its ending says the format. - is stdout, as PNG."
    ),
]
Force = Annotated[bool, flag("--force", panel=OUTPUT, help="Overwrite a file that exists.")]


def mark(
    picture: PictureName = None,
    *,
    marks: MarkOptions,
    output: OutputName = None,
    force: Force = False,
    terminal: TerminalOptions,
) -> int:
    """Draw marks on a picture, as describe --mark does, and write it.

    \b
    Examples:
      llavacli mark cat.jpg --mark box:10%,10%,60%,60%:red -o marked.png
      llavacli mark cat.jpg --mark arrow:0.9,0.9,0.5,0.5:blue --mark point:320,240:lime:radius=12 -o marked.png
      llavacli mark cat.jpg --mark mask:40,20,90,20,65,80:yellow:alpha=0.4 -o - | llavacli describe -
    """
    import llavacli_core as core

    if not marks.mark:
        raise UsageError("no mark given", hint="e.g. --mark box:10%,10%,60%,60%:red")
    parsed = [core.Mark.parse(text) for text in marks.mark]
    (source,) = named([] if picture is None else [picture])
    error = unreadable(source)
    if error is not None:
        raise error
    if source.is_clip:
        raise UsageError(
            f"{source.name}: marks are drawn on pictures, and this is a clip", hint="mark one of its frames"
        )
    path, kind = _target(output, source, force=force)
    stdout = Output(terminal.color) if path is None else None
    if stdout is not None and stdout.is_terminal:
        raise UsageError("a picture cannot be shown on a terminal", hint="redirect it, or name a file: -o marked.png")
    data = _encoded(core.draw_marks(source.content, parsed), kind)
    if stdout is not None:
        stdout.write_bytes(data)
    elif path is not None:
        write_file(path, data)
    return 0


def _target(output: str | None, source: Source, *, force: bool) -> tuple[str | None, str]:
    """The path to write to (None for stdout) and the ending that says the format; refused before anything is read."""
    if not output:
        what = "nowhere to write to" if output is None else "the name to write to is empty"
        raise UsageError(what, hint="name a file, -o marked.png, or -o - for stdout")
    if output == STDOUT:
        return None, ".png"
    ending = os.path.splitext(output)[1].lower()
    if ending not in FORMATS and _is_device(output):
        return output, ".png"
    if ending not in FORMATS:
        raise UsageError(f"{output}: its ending names no known format", hint=f"one of {' '.join(FORMATS)}")
    if os.path.isdir(output):
        raise UsageError(f"{output}: is a folder", hint="name a file in it")
    if os.path.isfile(output) and not force:
        is_input = source.name != STDIN and os.path.exists(source.name) and os.path.samefile(source.name, output)
        what = "is the picture itself" if is_input else "exists already"
        raise UsageError(f"{output}: {what}", hint="choose another name, or add --force to overwrite it")
    return output, ending


def _is_device(path: str) -> bool:
    """Whether it is a pipe or a device, as `-o >(command)` and /dev/stdout are."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _encoded(picture: Picture, ending: str) -> bytes:
    """The picture as a file's bytes, with its resolution and colour profile where the format has room for them."""
    name, options = FORMATS[ending]
    file = io.BytesIO()
    try:
        picture.save(file, name, **options, **{str(key): value for key, value in picture.info.items()})
    except (OSError, ValueError) as error:  # JPEG and WebP have a longest edge
        raise UsageError(f"cannot be written as {name}: {error}", hint="choose another format, e.g. .png") from error
    return file.getvalue()
