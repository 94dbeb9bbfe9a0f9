from typing import Any

from numpy.typing import NDArray

def crossings(
    residual: NDArray[Any],
    moved: NDArray[Any],
    weight: NDArray[Any],
    reach: float,
    lengths: NDArray[Any],
    rises: NDArray[Any],
) -> int: ...
def weighted_select(values: NDArray[Any], weights: NDArray[Any], goal: float, rate: float = 0.0) -> float: ...
def advance(residual: NDArray[Any], moved: NDArray[Any], length: float, changed: NDArray[Any]) -> int: ...
def crossed(residual: NDArray[Any], moved: NDArray[Any], slack: float, rows: NDArray[Any]) -> int: ...
def within(residual: NDArray[Any], radius: float, rows: NDArray[Any]) -> int: ...
def sides(
    residual: NDArray[Any],
    lengths: NDArray[Any],
    radius: float,
    above: NDArray[Any],
    near: NDArray[Any],
    turned: NDArray[Any],
) -> tuple[int, int]: ...
def off_ends(
    residual: NDArray[Any],
    dual: NDArray[Any],
    weight: NDArray[Any],
    lower: float,
    upper: float,
    rows: NDArray[Any],
) -> tuple[int, float]: ...
