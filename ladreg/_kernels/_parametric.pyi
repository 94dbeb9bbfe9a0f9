from numpy import float64, intp
from numpy.typing import NDArray

Array = NDArray[float64]
Index = NDArray[intp]

def parametric(
    rows: Array,
    columns: Array,
    y: Array,
    weight: Array,
    strength: Array,
    centre: Array,
    widening: bool,
    lower: float,
    upper: float,
    kind: Index,
    size: int,
    basis: Index,
    active: Index,
    sign: Array,
    inverse: Array,
    side: Array,
    alpha: float,
    alphas: Array,
    knots: Array | None,
    by_long_steps: bool,
    near: int,
    coef: Array,
    dual: Array,
    sizes: Index,
    exchanges: Index,
    read: Index,
    most: int,
) -> tuple[int, int, int, float, int, int]: ...
