"""What `make mutants` found so far: per module how many mutants the tests kill, and each survivor with its change.

python benchmarks/mutants.py                    # the table of docs/testing.md
python benchmarks/mutants.py --survivors split  # and the changes in modules whose name has this in it
python benchmarks/mutants.py --names            # only the survivors' names, for mutmut show
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

from rarebird.metrics import uncertainty

# A mutant that a test ends by a failure, or by running on for ever.
KILLED = ("killed", "timeout", "segfault")


def statuses() -> dict[Path, dict[str, str]]:
    """For each module the state of its mutants, by name."""
    found = {}
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            found[path] = {name: status_by_exit_code[code] for name, code in data.exit_code_by_key.items()}
    return found


def table(found: dict[Path, dict[str, str]]) -> str:
    """Mutants, tried and killed ones of each module, and of all; where some were drawn, with the share's interval."""
    lines = ["| module | mutants | tried | killed | share |", "|---|---|---|---|---|"]
    rows = {str(path.relative_to("src/rarebird")): list(each.values()) for path, each in found.items()}
    rows |= {"all": [state for each in rows.values() for state in each]}
    for name, states in rows.items():
        tried = [state for state in states if state != "not checked"]
        killed = sum(state in KILLED for state in tried)
        lines.append(
            f"| `{name}` | {len(states)} | {len(tried)} | {killed} | {share(killed, len(tried), len(states))} |"
        )
    return "\n".join(lines)


def share(killed: int, tried: int, n: int) -> str:
    """The killed share, with Wilson's interval unless all were tried."""
    if not tried:
        return "not tried"
    low, high = uncertainty.wilson(killed / tried, tried)
    return f"{killed / tried:.1%}" + ("" if tried == n else f" ({low:.1%} to {high:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--survivors", metavar="PART", help="show the changes that no test notices")
    parser.add_argument("--names", action="store_true", help="print the survivors' names alone")
    given = parser.parse_args()
    found = statuses()
    survivors = [
        (path, name, state)
        for path, each in found.items()
        for name, state in each.items()
        if state not in (*KILLED, "not checked")
    ]
    if given.names:
        print(*(name for _, name, _ in survivors), sep="\n")
        return
    print(table(found))
    for path, name, state in survivors:
        if given.survivors is not None and given.survivors in str(path):
            changed = [line for line in get_diff_for_mutant(name, path=path).splitlines()[2:] if line[:1] in "+-"]
            print(f"\n{name} ({state})", *changed, sep="\n")


if __name__ == "__main__":
    main()
