"""Proofs: the certificate of a fit, the face of optima that its dual describes, and the canonical optimum on it."""

from ladreg._certificate.canonical import canonical_optimum
from ladreg._certificate.certificate import (
    Proof,
    certify,
    is_unique,
    prove,
    prove_from_products,
    relative_gap,
    slope_margin,
)
from ladreg._certificate.open_face import OpenFace, Spread
from ladreg._certificate.optimal_face import column_rank, tied_rows
from ladreg._certificate.path_certificates import Answers, costs, largest_parts, proofs, reaching
from ladreg._certificate.sums_of_squares import Curved, Kink, SquareSums, SumProof, prove_from_sums
from ladreg._certificate.uniqueness import is_determined, missed_slopes
from ladreg._certificate.vertex_certificates import VertexRows, prove_vertices

__all__ = [
    "Answers",
    "Curved",
    "Kink",
    "OpenFace",
    "Proof",
    "Spread",
    "SquareSums",
    "SumProof",
    "VertexRows",
    "canonical_optimum",
    "certify",
    "column_rank",
    "costs",
    "is_determined",
    "is_unique",
    "largest_parts",
    "missed_slopes",
    "proofs",
    "prove",
    "prove_from_products",
    "prove_from_sums",
    "prove_vertices",
    "reaching",
    "relative_gap",
    "slope_margin",
    "tied_rows",
]
