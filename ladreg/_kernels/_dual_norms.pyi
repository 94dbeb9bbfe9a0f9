from numpy import float64, intp
from numpy.typing import NDArray

Array = NDArray[float64]
Index = NDArray[intp]

def largest_parts(slope: Array, strength: Array, positive: bool, part: Array, where: Index) -> None: ...
def reaching(slope: Array, strength: Array, positive: bool, edge: Array, counts: Index, features: Index) -> int: ...
