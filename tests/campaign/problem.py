"""One problem of the campaign, derived from one integer: drawn, fitted, judged."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np

from tests.campaign import block_folds, blocks, far_folds, folds, largest, options, outliers
from tests.campaign.centre import off_centre
from tests.campaign.claims import broken_claims
from tests.campaign.draws import ALL_KINDS, ALL_OPTIONS, draw
from tests.campaign.exact import optimal_point
from tests.campaign.judge import complaints, refuted
from tests.campaign.models import draw_model, drawn_name, run
from tests.campaign.oracles import linear_rival
from tests.campaign.relations import broken

# Parts of the problems that are tiny, so that their optimum is known exactly, and that are asked more than once.
TINY, RIVALS, RELATIONS = 0.06, 0.03, 0.03
# The part whose optimum, where it is not unique, is compared with the canonical one.
CENTRES = 0.2


@dataclass
class Verdict:
    """What one problem showed."""

    seed: int
    name: str
    ills: list[str]
    parameters: dict
    warned: bool = False
    refused: str = ""
    compared: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def disagreements(self):
        return sum(any(word in text for word in ("disagreement", "false proof")) for text in self.complaints)

    @property
    def is_fault(self):
        """Whether all that is wrong is an error, a stray warning or the end of the process: no answer is at stake."""
        faults = ("leaked ", "Error: ", "the process ended")
        return bool(self.complaints) and all(any(fault in text for fault in faults) for text in self.complaints)

    @property
    def is_unwarned(self):
        """Whether all that is wrong is a claim that misses the tolerance, of an answer that is right."""
        return bool(self.complaints) and all("no warning:" in text for text in self.complaints)


def judged(seed, only=""):
    """The verdict on the problem of an integer; None if its estimator's name does not contain `only`."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    name = drawn_name(rng)
    if only.lower() not in name.lower():
        return None
    model, case, chances = posed(rng, name, seed)
    # Most tables are small: every second integer has them solved as large ones are.
    with patch("ladreg._piecewise.cascade.solve_vertex", lambda *_: None) if seed % 2 else nullcontext():
        outcome = run(model, case)
    verdict = Verdict(seed, model.name, case.ills, model.parameters, outcome.warned, outcome.refused)
    verdict.complaints += outcome.complaints + options.broken(model, outcome)
    for formula, answer in outcome.answers:
        spoiled = case.outliers is not None
        verdict.complaints += outliers.judge(formula, answer, case) if spoiled else complaints(formula, answer)
    verdict.complaints += broken_claims(seed, model, case, outcome.fitted)
    if case.outliers is None and not verdict.complaints:
        _ask_others(rng, verdict, model, case, outcome, chances)
    for number, other in ((1, folds), (3, blocks), (5, block_folds), (7, largest), (9, far_folds)):
        if not verdict.complaints:
            _ask_about(other, number, verdict)
    return verdict


def _ask_about(other, number, verdict):
    """A share of the integers stand for a problem of another kind as well, drawn by a generator of its own.

    These are held-out rows of cross-validations, near the origin and far from it, tables in blocks, cross-validations
    of these, and largest alphas.
    """
    rng = np.random.default_rng(np.random.SeedSequence([verdict.seed, number]))
    if rng.random() >= other.SHARE:
        return
    verdict.compared += 1
    try:
        model, case, said = other.found(rng)
    except Exception as error:  # every one is a finding; the model that was drawn is lost with it
        verdict.name = other.__name__.rpartition(".")[2]
        verdict.complaints = [f"{type(error).__name__}: {error}"]
        return
    if said:
        verdict.name, verdict.ills, verdict.parameters, verdict.complaints = (
            model.name,
            case.ills,
            model.parameters,
            said,
        )


def posed(rng, name, seed):
    """The model, the case, and the three chances that decide who else is asked."""
    chances = rng.random(3)
    case = draw(rng, tiny=chances[0] < TINY, all_kinds=seed >= ALL_KINDS)
    model = draw_model(rng, name, case)
    if case.all_kinds:
        outliers.spoil(np.random.default_rng([seed, 1]), model, case)
    if seed >= ALL_OPTIONS:
        options.add(np.random.default_rng([seed, 2]), model, case)
    return model, case, chances


def replayed(seed):
    """Model and case of an integer, to look at."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    return posed(rng, drawn_name(rng), seed)[:2]


def _ask_others(rng, verdict, model, case, outcome, chances):
    for formula, answer in outcome.answers:
        rivals = []
        if chances[0] < TINY:
            rivals.append(("exact arithmetic", optimal_point(formula)))
        if chances[1] < RIVALS:
            rivals.append(("the linear program", linear_rival(formula)))
        if chances[1] > 1 - CENTRES:
            verdict.complaints += off_centre(formula, answer)
        for name, rival in rivals:
            if rival is not None:
                verdict.compared += 1
                verdict.complaints += refuted(formula, answer, *rival, name)
    if outcome.answers and chances[2] < RELATIONS and not outcome.warned:
        verdict.compared += 1
        verdict.complaints += broken(rng, model, case, outcome)
