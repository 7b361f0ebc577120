#!/usr/bin/env bash
# Pictures of every room for docs/tui.md, of the store in KARL_HOME (after `make demo`: .karl). Run it from the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
karl=${KARL:-.venv/bin/karl}
mkdir -p docs/tui
for room in home launch run traces graphs ask evals; do
  "$karl" tui --room "$room" --size 140x42 --svg "docs/tui/$room.svg"
done
"$karl" tui --room run --size 140x42 --theme karl-light --svg docs/tui/run-light.svg
