#!/usr/bin/env bash
# Repairs what a tool can repair: formatting, import order, fixable lint.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
biome check --config-path=.ci/format.json --write .
eslint --config .ci/eslint.config.js --fix . || true
