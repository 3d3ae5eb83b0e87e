"""HDR10's static metadata: the display a film was graded on and its brightest light, handed to encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import vapoursynth as vs

type Point = tuple[float, float]


@dataclass(frozen=True)
class Hdr:
    """SMPTE ST 2086 and CTA-861.3, as far as the source says.

    Attributes:
        points: chromaticities (x, y) of red, green, blue and white; None: not said.
        luminance: of the display, (most, least) in cd/m2.
        light: brightest pixel and brightest frame on average, in cd/m2; None: not said.
    """

    points: tuple[Point, Point, Point, Point] | None = None
    luminance: tuple[float, float] = (0.0, 0.0)
    light: tuple[int, int] | None = None

    def mastering(self, chromaticity: float, luminance: float) -> str:
        """The display as x264, x265 and SVT-AV1 read it: G(x,y)B(x,y)R(x,y)WP(x,y)L(most,least), in these units."""
        assert self.points is not None, "asked only where it is known"
        red, green, blue, white = (_pair(p, chromaticity) for p in self.points)
        return f"G({green})B({blue})R({red})WP({white})L({_pair(self.luminance, luminance)})"

    def arguments(self, codec: str) -> dict[str, str]:
        """Option names and values of x264 ("h264"), x265 ("hevc") or SVT-AV1 ("av1"), without dashes."""
        names = {
            "h264": ("mastering-display", "cll"),
            "hevc": ("master-display", "max-cll"),
            "av1": ("mastering-display", "content-light"),
        }[codec]
        # SVT-AV1 takes decimals; the others whole multiples of the standards' units.
        units = (1.0, 1.0) if codec == "av1" else (0.00002, 0.0001)
        said = {}
        if self.points is not None:
            said[names[0]] = self.mastering(*units)
        if self.light is not None:
            said[names[1]] = f"{self.light[0]},{self.light[1]}"
        return said


def hdr_of(frame: vs.VideoFrame) -> Hdr | None:
    """What the properties of a frame say; None where they say nothing of the kind."""
    props: Any = frame.props
    points = None
    if "MasteringDisplayPrimariesX" in props and "MasteringDisplayWhitePointX" in props:
        xs = [*props["MasteringDisplayPrimariesX"], props["MasteringDisplayWhitePointX"]]
        ys = [*props["MasteringDisplayPrimariesY"], props["MasteringDisplayWhitePointY"]]
        red, green, blue, white = zip(xs, ys, strict=True)
        points = (red, green, blue, white)
    light = None
    if "ContentLightLevelMax" in props:
        light = (int(props["ContentLightLevelMax"]), int(props.get("ContentLightLevelAverage", 0)))
    if points is None and light is None:
        return None
    luminance = (props.get("MasteringDisplayMaxLuminance", 0.0), props.get("MasteringDisplayMinLuminance", 0.0))
    return Hdr(points, luminance, light)


def _pair(values: tuple[float, float], unit: float) -> str:
    if unit == 1.0:
        return ",".join(f"{value:.6g}" for value in values)
    return ",".join(str(round(value / unit)) for value in values)
