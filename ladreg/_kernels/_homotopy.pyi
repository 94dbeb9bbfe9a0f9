from numpy import float64, intp
from numpy.typing import NDArray

Array = NDArray[float64]
Index = NDArray[intp]

def homotopy(
    X: Array,
    shift: Array,
    scale: Array,
    root: Array,
    y: Array,
    strength: Array,
    positive: bool,
    alphas: Array,
    largest: int,
    reach: float,
    budget: int,
    count: Index,
    found: Index,
    values: Array,
    n_knots: Index,
) -> int: ...
