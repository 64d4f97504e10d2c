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
    """

    region: str
    family: str
    colour: str
    share: float


@attrs.frozen
class Colours:
    """Which colours, and where.

    Attributes:
        palette: The colours of the whole picture, the widest first.
        vivid: The families whose points are on the whole strongly coloured.
        holdings: The widest colour of each region.
        opacity: How solid the points are on the whole, 0.0 (nothing is seen) to 1.0.
        veiled: The share of what is seen through which something else is seen.
        lightness: Mean lightness as it is felt, in OKLab: of pure blue 0.45, of middle grey 0.6.
        chroma: Mean colourfulness, 0.0 (grey) to about 0.32.
        highest_chroma: The colourfulness that only 5 in 1,000 points exceed.
        warmth: Mean pull towards orange; negative towards blue.
    """

    palette: tuple[Holding, ...]
    vivid: frozenset[str]
    holdings: tuple[Holding, ...]
    opacity: float
    veiled: float
    lightness: float
    chroma: float
    highest_chroma: float
    warmth: float

    @property
    def pull(self) -> float:
        """The warmth as a share of all colour; 0.0 where there is hardly any."""
        return self.warmth / self.chroma if abs(self.warmth) > 0.025 else 0.0


@attrs.frozen
class Tones:
    """Light and dark, 0.0 (black) to 1.0 (white).

    Attributes:
        mean: Of all pixels.
        low: Only 3 % of the pixels are darker.
        high: Only 3 % of the pixels are lighter.
        span: From the darkest to the lightest, but for 2 in 1,000 pixels at either end.
        rows: Means of equal bands from top to bottom.
        columns: Means of equal bands from left to right.
        middle: Mean of the middle ninth.
        rim: Mean of the outer band.
    """

    mean: float
    low: float
    high: float
    span: float
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    middle: float
    rim: float

    @property
    def range(self) -> float:
        """From the dark tones to the light ones, without the few beyond them."""
        return self.high - self.low


@attrs.frozen
class Edges:
    """How steep the edges are, how many, and which way they run.

    Attributes:
        acuity: Steepness of the steepest, 0.0 (none) to 1.0 (from one pixel to the next).
        sharpest: The same for the very few steepest, which may be above 1.0.
        across: The share of pixels that differ visibly from the pixel to their right.
        down: The share of pixels that differ visibly from the pixel below.
    """

    acuity: float
    sharpest: float
    across: float
    down: float

    @property
    def detail(self) -> float:
        """The share of neighbours that differ visibly, 0.0 to 1.0."""
        return (self.across + self.down) / 2

    @property
    def crossing(self) -> float:
        """Visible steps from side to side for each from top to bottom; 1.0 where few are."""
        if max(self.across, self.down) < 0.025:
            return 1.0
        return max(self.across, 0.001) / max(self.down, 0.001)


@attrs.frozen
class Picture:
    """What was measured of a picture.

    Attributes:
        width: Pixels from left to right, as shown.
        height: Pixels from top to bottom, as shown.
        colours: Which colours, and where.
        tones: Light and dark, and where.
        variation: The widest difference between any two pixels in red, green or blue, 0.0 to 1.0.
        unevenness: The same between any two of 36 equal parts of the picture.
        edges: How steep, how many, which way; None where the picture is too small to tell.
        mirrored: How well left mirrors right, 1.0 for exactly, 0.0 where nothing varies.
        flipped: How well top mirrors bottom, 1.0 for exactly, 0.0 where nothing varies.
        fingerprint: Differs between pictures that look different.
    """

    width: int
    height: int
    colours: Colours
    tones: Tones
    variation: float
    unevenness: float
    edges: Edges | None
    mirrored: float
    flipped: float
    fingerprint: str

    @property
    def clear(self) -> bool:
        """Whether there is nothing to be seen."""
        return not self.colours.palette

    @property
    def plain(self) -> bool:
        """Whether one even colour fills the picture."""
        return self.colours.opacity == 1 and self.variation < 0.05
