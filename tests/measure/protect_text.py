"""What protect=True does to a still overlay over motion: every second frame left out and rebuilt, with and without.

    python -m tests.measure.protect_text CLIPS

PSNR over RGB inside the overlay's box and over the whole frame. `tos_subtitles` has subtitles burnt in; the others get
a line of text with dark rims and soft edges, drawn onto every frame, so that the truth is known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import vapoursynth as vs

import vsvfi
from vsvfi.evaluate import metrics, rebuild

CLIPS = ("tos_subtitles", "tos_fast", "sintel_fast", "dog_run", "bbb_pan", "cups")
# y, height of the two lines, in the derived clip; frames in which the same subtitle stands in both neighbours
SUBTITLES, SHOWN = (200, 60), [*range(9, 27), *range(31, 48)]


def titled(clip: vs.VideoNode) -> tuple[vs.VideoNode, tuple[int, int]]:
    """The clip with a line of text near its foot, and the rows it takes."""
    height, width = clip.height, clip.width
    text, rim = (np.zeros((height, width), np.uint8) for _ in range(2))
    place, face = (width // 6, height - 40), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(rim, "SUBTITLES STAND STILL", place, face, 1.1, 255, 7, cv2.LINE_AA)
    cv2.putText(text, "SUBTITLES STAND STILL", place, face, 1.1, 255, 2, cv2.LINE_AA)

    def draw(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        luma = np.asarray(frame[0])
        for mask, level in ((rim, 16), (text, 235)):
            weight = mask.astype(np.float32) / 255
            luma[...] = np.rint(luma * (1 - weight) + level * weight)
        return frame

    return clip.std.ModifyFrame(clip, draw), (height - 75, 50)


def measured(clip: vs.VideoNode, rows: tuple[int, int], frames: list[int]) -> dict[bool, tuple[float, float]]:
    """Mean PSNR (box, whole frame) without and with protection."""
    truth = rebuild.to_rgb(clip)
    found = {}
    for protect in (False, True):
        kept = clip.std.SelectEvery(2, [0])
        made = rebuild.to_rgb(vsvfi.Interpolate(kept, "flow", 2, False, protect=protect))
        box, whole = [], []
        for n in frames:
            a, b = rebuild.picture(truth.get_frame(n)), rebuild.picture(made.get_frame(n))
            top, height = rows
            box.append(metrics.psnr(a[top : top + height], b[top : top + height]))
            whole.append(metrics.psnr(a, b))
        found[protect] = float(np.mean(box)), float(np.mean(whole))
    return found


def prepared(path: Path) -> tuple[vs.VideoNode, tuple[int, int], list[int]]:
    """A clip with a still overlay, the overlay's rows, the frames to be rebuilt."""
    clip = vs.core.bs.VideoSource(str(path), cachemode=0)
    if path.stem == "tos_subtitles":
        return clip, SUBTITLES, [n for n in SHOWN if n % 2]
    clip, rows = titled(clip)
    return clip, rows, list(range(1, clip.num_frames - 1, 2))


def main() -> None:
    print("| clip | box, without | box, protect | frame, without | frame, protect |\n|---|---:|---:|---:|---:|")
    for name in CLIPS:
        found = measured(*prepared(Path(sys.argv[1]) / f"{name}.mp4"))
        (box, whole), (box_p, whole_p) = found[False], found[True]
        print(f"| {name} | {box:.2f} | {box_p:.2f} | {whole:.2f} | {whole_p:.2f} |")


if __name__ == "__main__":
    main()
