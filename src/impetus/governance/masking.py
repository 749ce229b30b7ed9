"""Pictures without people: so coarse a mosaic that no face can be recognised in it.

Not the faces that a detector found are hidden, but everything: a detector misses some. 24 blocks along the longer side
leave a face that fills a third of the picture 8 blocks wide; people do not recognise faces reliably below about 16
(Bachmann 1991, European Journal of Cognitive Psychology 3; Harmon and Julesz 1973, Science 180). The scene (where
people are, how many, which way they go) stays visible.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

from impetus.model import NotAllowed

BLOCKS: Final = 24
"""Blocks along the longer side."""
SHOWN_PIXELS: Final = 480
"""Pixels along the longer side of the masked picture."""
PIXELS_LIMIT: Final = 50_000_000
FORMATS: Final = ("PNG", "JPEG")


def is_text(data: bytes) -> bool:
    """Whether this is plain text, in which nobody's face can be."""
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def masked(data: bytes) -> bytes:
    """A PNG with the picture as a coarse mosaic, without any metadata; text as it is.

    Raises `NotAllowed` for what cannot be masked, such as video: it is seen unmasked by those entitled, or not at all.
    """
    if is_text(data):
        return data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > PIXELS_LIMIT:
                    raise ValueError("too large")
                scale = BLOCKS / max(width, height)
                blocks = (max(1, round(width * scale)), max(1, round(height * scale)))
                coarse = picture.convert("RGB").resize(blocks, Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise NotAllowed(
            "this evidence cannot be masked, so it is not shown masked",
            hint="Ask for it unmasked, with the reason, if its alert is confirmed.",
        ) from error
    block = SHOWN_PIXELS // BLOCKS
    shown = coarse.resize((blocks[0] * block, blocks[1] * block), Image.Resampling.NEAREST)
    written = io.BytesIO()
    shown.save(written, "PNG")
    return written.getvalue()
