"""FILM in overlapping tiles, as very large frames are made: no seam shows, and memory is what a tile needs."""

from __future__ import annotations

import torch
from torch import Tensor
from vsvfi.backends.film.model import Film, FilmMotion

from tests.backends.film import built, weights
from tests.golden import recipe
from vsvfi.model import Motion
from vsvfi.tiling import Tiled


class Raw(Film):
    """Answers as the network does: limited to [0, 1], half of what the recipe's weights make would be plain black."""

    def synthesize(self, motion: Motion, t: float) -> Tensor:
        assert isinstance(motion, FilmMotion)
        return self.raw(motion, t)


def pair() -> tuple[Tensor, Tensor]:
    image0, image1 = recipe.make_frames(64, 320, seed=1)
    return torch.from_numpy(image0)[None], torch.from_numpy(image1)[None]


@torch.inference_mode()
def made(overlap: int | None) -> Tensor:
    """The image in tiles of 128x64, or whole."""
    film = built(weights(), kind=Raw)
    tiled = film if overlap is None else Tiled(film, (128, 64), overlap)
    return tiled.synthesize(tiled.relate(*(tiled.encode(image) for image in pair())), 0.5)


def steps(image: Tensor) -> Tensor:
    """Mean change from each column to the next."""
    return image.diff(dim=-1).abs().mean((0, 1, 2))


def test_no_seam_shows() -> None:
    whole = steps(made(None))
    bare, overlapping = (steps(made(overlap)) / whole for overlap in (0, 16))
    assert bare[127] > 10, "without overlap the seam at column 128 is there to be seen"
    assert overlapping.max() < 2, "a column changes more than twice as much as in the whole image"
    assert overlapping.median() < 1.05


def test_tiles_hardly_change_the_image() -> None:
    whole, tiled = made(None), made(16)
    assert (tiled - whole).abs().mean() < 0.02 * whole.std()
