"""What every backend must pass, ours and other people's. docs/plugins.md shows it in use.

In a plugin's own tests:

    @pytest.mark.parametrize("check", testing.checks(plugins.spec("mine")), ids=lambda check: check.__name__)
    def test_contract(check):
        check(vsvfi.load("mine", device="cpu"))

Or all at once: `testing.check_backend("mine")`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import loading
from ..model import Model, ModelSpec, Task
from . import contract, planes
from .compare import ConformanceError as ConformanceError

if TYPE_CHECKING:
    import torch

type Check = Callable[[Model], None]

CHECKS: tuple[Check, ...] = (
    contract.spec_is_sane,
    contract.any_size_works,
    contract.batches_equal_singles,
    contract.memory_layout_does_not_matter,
    contract.stages_equal_interpolate,
    contract.same_input_same_bytes,
    contract.threads_do_not_matter,
    contract.pictures_may_come_padded,
    contract.inputs_are_left_alone,
    contract.time_goes_from_first_to_second,
    contract.a_still_picture_stays,
    contract.wrong_calls_are_refused,
    contract.options_are_checked,
    contract.explanations_fit,
)
"""For every model that makes images; two of them not for all tasks."""

PLANES_CHECKS: tuple[Check, ...] = (planes.planes_come_back_in_their_format, planes.padded_rows_do_not_matter)
"""For layout "planes" besides."""


FLOW_CHECKS: tuple[Check, ...] = (contract.spec_is_sane, contract.flows_fit)
"""For task "flow" instead."""

_FRAMES_ONLY: dict[Check, tuple[Task, ...]] = {
    contract.time_goes_from_first_to_second: ("interpolate", "transition"),
    contract.a_still_picture_stays: ("interpolate",),
}


def checks(spec: ModelSpec) -> tuple[Check, ...]:
    """The checks that a model with these facts must pass; each takes the model and raises what it finds wrong."""
    if spec.task == "flow":
        return FLOW_CHECKS
    found = tuple(check for check in CHECKS if spec.task in _FRAMES_ONLY.get(check, (spec.task,)))
    return (*found, *PLANES_CHECKS) if spec.layout == "planes" else found


def check_backend(
    name: str, *, device: str = "cpu", dtype: torch.dtype | None = None, weights: loading.Weights = None
) -> None:
    """Load a model and put it to every check.

    Raises:
        ExceptionGroup: of what failed, each noted with its check's name.
    """
    model = loading.load(name, device=device, dtype=dtype, weights=weights)
    failures = []
    for check in checks(model.spec):
        try:
            check(model)
        except Exception as error:
            error.add_note(f"in the check {check.__name__}")
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{name} breaks the contract of a model", failures)
