"""Changes files at random and loads them: ``python -m tests.fuzz [--count N] [--seconds S] [--seed N] [FILES…]``."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from tests.format.page import CODES
from tests.fuzz.campaign import Finding, Report, run
from tests.fuzz.examine import LOADS
from tests.fuzz.reduction import outcome, reduced
from tests.fuzz.seeds import seeds


def main() -> int:
    """Run a campaign; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="files or folders to start from; by default all there are")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many files (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--seed", type=int, default=0, help="the number that the random choices follow from")
    parser.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="a folder for what is found")
    given = parser.parse_args()
    start = seeds(given.files)
    print(f"{len(start)} files to start from, {sum(len(seed.data) for seed in start) // len(start)} bytes on average")
    report = run(start, given.count, number=given.seed, workers=given.workers, seconds=given.seconds)
    show(report)
    firsts = {finding.signature: finding for finding in reversed(report.findings)}
    for finding in firsts.values():
        keep(finding, given.findings)
    return 1 if firsts else 0


def show(report: Report) -> None:
    """Print the counts."""
    for code, count in report.outcomes.most_common():
        print(f"{count:>10,}  {code}")
    print(
        f"{report.done:>10,}  files in {report.seconds:.0f} s: {report.done / max(report.seconds, 1e-9):,.0f} a second"
    )
    print(f"{report.memory // 2**20:>10,}  MiB at most in a process")
    print("not reached: " + (", ".join(sorted({*CODES, LOADS} - set(report.outcomes))) or "none"))
    print(f"{len(report.findings)} findings")


def keep(finding: Finding, folder: Path) -> None:
    """Write a finding, made small, and the way to it."""
    folder.mkdir(parents=True, exist_ok=True)
    seen = outcome(finding.data)
    small = reduced(finding.data, lambda data: outcome(data) == seen) if seen not in {*CODES, LOADS} else finding.data
    place = folder / f"{hashlib.sha256(finding.signature.encode()).hexdigest()[:8]}.msgpack"
    place.write_bytes(small)
    steps = "\n".join(finding.steps)
    text = f"{finding.signature}\n(by itself: {seen})\nindex {finding.index}\n{steps}\n\n{finding.details}"
    place.with_suffix(".txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    print(f"\n{finding.signature}\n  {place}: {len(small)} bytes, of {len(finding.data)}\n  {steps[:300]}")


if __name__ == "__main__":
    sys.exit(main())
