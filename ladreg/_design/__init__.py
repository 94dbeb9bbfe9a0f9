"""Design matrices, dense or sparse."""

from ladreg._design.base import CONSTANT, Design
from ladreg._design.block_structure import BlockGram
from ladreg._design.dense import DenseDesign, as_design
from ladreg._design.doubled_sum import DoubledSum, hides_digits
from ladreg._design.sparse import SparseDesign

__all__ = ["CONSTANT", "BlockGram", "DenseDesign", "Design", "DoubledSum", "SparseDesign", "as_design", "hides_digits"]
