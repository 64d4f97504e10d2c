"""What was measured of a picture: numbers only, no words yet but the colours' names."""

import attrs


@attrs.frozen
class Holding:
    """How much of a region a colour holds.

    Attributes:
        region: Which part of the picture, such as `top`; `all` for the whole.
        family: The everyday name of the colour, such as blue.
        colour: A finer name where most of the family's points here agree on it, such as navy;
            else the family.
        share: Of the region's points, 0.0 to 1.0.
        chroma: The mean colourfulness of these points, 0.0 to about 0.32.
    """

    region: str
    family: str
    colour: str
    share: float
    chroma: float


@attrs.frozen
class Tones:
    """Light and dark, 0.0 (black) to 1.0 (white).

    Attributes:
        mean: Of all pixels.
        low: Only 3 % of the pixels are darker.
        high: Only 3 % of the pixels are lighter.
        rows: Means of equal bands from top to bottom.
        columns: Means of equal bands from left to right.
        middle: Mean of the middle ninth.
        rim: Mean of the outer band.
    """

    mean: float
    low: float
    high: float
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    middle: float
    rim: float


@attrs.frozen
class Picture:
    """What was measured of a picture.

    Attributes:
        width: Pixels from left to right, as shown.
        height: Pixels from top to bottom, as shown.
        opacity: The share of points that are not transparent, 0.0 to 1.0.
        palette: The colours of the whole picture, the widest first.
        holdings: The widest colour of each region.
        tones: Light and dark, and where.
        chroma: Mean colourfulness, 0.0 (grey) to about 0.32.
        warmth: Mean pull towards orange; negative towards blue.
        acuity: Steepness of the steepest edges, 0.0 (none) to 1.0 (from one pixel to the next);
            None where there is no edge to judge.
        detail: The share of pixels that differ visibly from their neighbours.
        mirrored: How well left mirrors right, 1.0 for exactly; None where nothing varies.
        flipped: How well top mirrors bottom, 1.0 for exactly; None where nothing varies.
        fingerprint: Differs between pictures that look different.
    """

    width: int
    height: int
    opacity: float
    palette: tuple[Holding, ...]
    holdings: tuple[Holding, ...]
    tones: Tones
    chroma: float
    warmth: float
    acuity: float | None
    detail: float
    mirrored: float | None
    flipped: float | None
    fingerprint: str
