"""What a campaign found, as one Markdown table and a line for each failure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

COLUMNS = ("problems", "uncertified", "refused", "comparisons", "disagreements", "silent wrong", "unwarned", "faults")


@dataclass
class Tally:
    """Sums over verdicts."""

    counts: dict[str, Counter] = field(default_factory=dict)
    failures: list = field(default_factory=list)

    def add(self, verdict):
        count = self.counts.setdefault(verdict.name, Counter())
        count["problems"] += 1
        count["uncertified"] += bool(verdict.warned)
        count["refused"] += bool(verdict.refused)
        count["comparisons"] += verdict.compared
        count["disagreements"] += verdict.disagreements > 0
        count["unwarned"] += verdict.is_unwarned
        count["faults"] += verdict.is_fault
        known = verdict.disagreements > 0 or verdict.is_unwarned or verdict.is_fault
        count["silent wrong"] += bool(verdict.complaints) and not known
        if verdict.complaints:
            self.failures.append(verdict)

    @property
    def total(self):
        return sum(self.counts.values(), Counter())

    def table(self):
        rows = [*sorted(self.counts.items()), ("**total**", self.total)]
        lines = [f"| estimator | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
        lines += [f"| {name} | {' | '.join(str(count[column]) for column in COLUMNS)} |" for name, count in rows]
        return "\n".join(lines)

    def report(self):
        lines = [self.table()]
        lines += [f"\n{told(verdict)}" for verdict in sorted(self.failures, key=lambda one: one.seed)]
        return "\n".join(lines)


def told(verdict):
    """What is wrong with one problem, and how to see it again."""
    lines = [f"--replay {verdict.seed}: {verdict.name}({verdict.parameters})", f"  {verdict.ills}"]
    return "\n".join(lines + [f"  {text}" for text in verdict.complaints[:4]])
