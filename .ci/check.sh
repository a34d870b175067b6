#!/usr/bin/env bash
# Every check, fail fast, the same on a laptop and in CI. `.ci/fix.sh` is its repairing twin.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
step() { printf '\n== %s\n' "$1"; }
step format;       biome check --config-path=.ci/format.json .
step types;        tsc
step lint;         eslint --config .ci/eslint.config.js --cache --cache-location .cache/eslint .
step dependencies; depcruise --config .ci/dependency-cruiser.cjs parley.ts shared client coordinator scenarios test bench
step dead-code;    knip --config .ci/knip.json --no-progress
step tests;        vitest run --config .ci/vitest.config.ts --reporter=default --reporter=json --outputFile.json=.cache/tests.json "$@"
node -e 'const r = JSON.parse(require("fs").readFileSync(".cache/tests.json")); console.log(`${r.numPassedTests} passed, ${r.numFailedTests} failed`)'
