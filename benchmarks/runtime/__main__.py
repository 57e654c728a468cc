"""The command line: ``python -m benchmarks.runtime``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import rax
from benchmarks.runtime import report, timing
from benchmarks.runtime.rows import ROWS, Row
from benchmarks.runtime.timing import Spread


def main() -> None:
    """Time rax beside the libraries that are installed; results that differ are an error, slowness is not."""
    parser = argparse.ArgumentParser("python -m benchmarks.runtime", description=main.__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument(
        "--quick", action="store_true", help="small sizes and few rounds: does every row run and agree?"
    )
    parser.add_argument("--cpu", action="store_true", help="count the processor's time: for a busy machine")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the table there")
    parser.add_argument("--profile", choices=ROWS, metavar="ROW", help="show where rax's time goes in a row, no more")
    parser.add_argument("--trace", type=Path, metavar="FILE.json", help="with --profile: write a trace for Perfetto")
    options = parser.parse_args()
    pace = dataclasses.replace(timing.QUICK if options.quick else timing.FULL, cpu=options.cpu)
    if options.profile:
        work = ROWS[options.profile].work(options.quick)
        profile = rax.compile(work.trace()).profile(*work.arguments)
        print(profile)
        if options.trace:
            profile.save_trace(options.trace)
        return
    preface = report.heading(options.quick, options.cpu)
    print("\n".join(preface))
    measured: dict[str, tuple[Row, dict[str, Spread]]] = {}
    for name in options.rows:
        row = ROWS[name]
        figures = row.measure(row.work(options.quick), pace)
        measured[name] = row, figures
        print("\n".join(report.text(name, row, figures)), flush=True)
    if options.write:
        options.write.write_text(report.markdown(measured, preface), encoding="utf-8")


if __name__ == "__main__":
    main()
