"""``python -m bench [name …]``: measure the product beside bare operations on this machine, in one run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench import batches, pages, registry, results, verification, workers
from bench.instance import Instance, running_instance, serving
from bench.results import Result
from bench.world import World, make_world


def measure(instance: Instance, world: World, wanted: set[str]) -> list[Result]:
    """Measure what is wanted, the pages first; what leaves the server most to clean up comes last."""
    found: list[Result] = []
    with serving() as address, serving("bench.empty:app", "/") as empty:
        work = {
            "page_home": lambda: pages.page_home(world, address, empty),
            "board": lambda: batches.board(instance, world, address),
            "answer_save": lambda: pages.answer_save(instance, world, address),
            "verify_page": lambda: pages.verify_page(instance, address, empty),
        }
        found += [_said(name, call()) for name, call in work.items() if name in wanted]
    offline = {
        "certificate": lambda: batches.certificate(instance, world),
        "two_workers": lambda: workers.two_workers(instance),
        "verify_pdf": lambda: verification.verify_pdf(instance),
        "face": lambda: batches.face(instance, world),
        "status_list": lambda: batches.status_list(instance),
        "import_rows": lambda: batches.import_rows(instance),
        "registry_append": lambda: registry.registry_append(instance),
        "proof": lambda: registry.proof(instance),
    }
    return found + [_said(name, call()) for name, call in offline.items() if name in wanted]


def _said(name: str, result: Result) -> Result:
    print(f"{name}: {result.value:.2f} {result.unit}, ratio {result.ratio}", file=sys.stderr, flush=True)
    return result


def fsync_figures(instance: Instance) -> str:
    """Return what the disk can do, by PostgreSQL's own tool; the durable figures hang on it."""
    tool = instance.bin_dir / "pg_test_fsync"
    if not tool.exists():
        return "pg_test_fsync is missing from the server's programs"
    target: Path = instance.settings.home / "fsync-probe"
    printed = subprocess.run([tool, "-s", "1", "-f", target], capture_output=True, text=True, check=True).stdout
    target.unlink(missing_ok=True)
    first = printed.split("Compare file sync methods using two")[0]
    return "pg_test_fsync, one 8 kB write:\n" + "\n".join(line for line in first.splitlines() if "ops/sec" in line)


def main() -> int:
    """Run, print, write; the exit code tells whether all floors hold."""
    wanted = set(sys.argv[1:]) or set(results.FLOORS)
    started = time.monotonic()
    with running_instance() as instance:
        world = make_world(instance)
        print(f"the province stands after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        found = measure(instance, world, wanted)
        fsync = fsync_figures(instance)
    if wanted == set(results.FLOORS):
        results.write(found)
    print(f"\n{results.table(found)}\n\n{fsync}\n\nmeasured in {time.monotonic() - started:.0f} s")
    return 0 if all(map(results.holds, found)) else 1


if __name__ == "__main__":
    sys.exit(main())
