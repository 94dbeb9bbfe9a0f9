from numpy import bool_, float64, intp
from numpy.typing import NDArray

Array = NDArray[float64]
Index = NDArray[intp]

def homotopy(
    X: Array,
    shift: Array,
    scale: Array,
    root: Array,
    y: Array,
    products: Array,
    strength: Array,
    positive: bool,
    alphas: Array,
    room: int,
    largest: int,
    reach: float,
    budget: int,
    most_knots: int,
    count: Index,
    found: Index,
    values: Array,
    n_knots: Index,
    clear: float,
    constant: float,
    uncertain: NDArray[bool_],
) -> int: ...
