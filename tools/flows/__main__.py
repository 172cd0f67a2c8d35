"""Print how many files and frames of ours the flows go through.

python -m tools.flows            a table
python -m tools.flows --stacks   with the deepest stack of each flow, a frame a line
"""

from __future__ import annotations

import argparse

from tests.support.flows import FLOWS
from tools.flows.counting import MOST_FILES, MOST_FRAMES, measure, table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.flows")
    parser.add_argument("--stacks", action="store_true", help="Print the deepest stack of each flow too.")
    asked = parser.parse_args()
    traces = [measure(flow) for flow in FLOWS]
    print(table(traces))
    print(f"budget: {MOST_FILES} files and {MOST_FRAMES} frames")
    for trace in traces if asked.stacks else ():
        print(f"\n{trace.flow.name}")
        print("\n".join(f"  {hop}" for hop in trace.deepest))


if __name__ == "__main__":
    main()
