"""Load on loopback: wrk for pages, pgbench for statements."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 32
MEASURE_S = 5
WARM_UP_S = 2

# Each request takes the next target; numbers begin at the microsecond of the clock, so that each
# saved answer is a new one.
_SCRIPT = """
local targets = {%(targets)s}
local n = %(base)d
function request()
  n = n + 1
  local one = targets[n %% #targets + 1]
  local body = one.body and one.body:gsub("SEQ", string.format("%%d", n)):gsub("ITEM", n %% 20 + 1)
  return wrk.format(one.method, one.path, one.headers, body)
end
"""
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_TOTAL = re.compile(r"(\d+) requests in")
_TPS = re.compile(r"tps = ([\d.]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """One request. ``SEQ`` in the body becomes a growing number, ``ITEM`` one from 1 to 20."""

    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """What a run did: per second, and in all."""

    per_s: float
    n: int


def wrk(address: str, targets: Sequence[Target], *, duration_s: int = MEASURE_S) -> Rate:
    """Ask for the targets in turn over 32 connections. Raises RuntimeError when any answer is not 2xx."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % {"targets": ",\n".join(map(_lua, targets)), "base": time.time_ns() // 1000})
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{duration_s}s", "-s", script.name, address]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(f"{targets[0].path}: {printed}")
    return Rate(_number(_RATE, printed), int(_number(_TOTAL, printed)))


def probe(address: str, target: Target, marker: str) -> None:
    """Ask once and look at the answer: a redirect or an error page is fast too. Raises RuntimeError."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    body = target.body.replace("SEQ", "1").replace("ITEM", "1") if target.body else None
    connection.request(target.method, target.path, body=body, headers=dict(target.headers))
    answer = connection.getresponse()
    shown = answer.read().decode()
    connection.close()
    if answer.status != 200 or marker not in shown:
        raise RuntimeError(f"{target.path} answers {answer.status} without {marker!r}: {shown[:500]}")


def _lua(target: Target) -> str:
    headers = ", ".join(f"[{json.dumps(name)}]={json.dumps(value)}" for name, value in target.headers)
    body = f", body=[[{target.body}]]" if target.body else ""
    return f"{{method={json.dumps(target.method)}, path={json.dumps(target.path)}, headers={{{headers}}}{body}}}"


def pgbench(bin_dir: Path, url: str, script: str) -> Rate:
    """Run ``script`` over 32 connections with prepared statements."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = [bin_dir / "pgbench", "-n", "-M", "prepared", f"-c{CONNECTIONS}", "-j1", f"-T{MEASURE_S}"]
        printed = subprocess.run([*command, "-f", file.name, url], capture_output=True, text=True, check=True).stdout
    return Rate(_number(_TPS, printed), int(_number(re.compile(r"processed: (\d+)"), printed)))


def _number(pattern: re.Pattern[str], printed: str) -> float:
    found = pattern.search(printed)
    if found is None:
        raise RuntimeError(f"cannot read: {printed}")
    return float(found[1])
