#!/usr/bin/env bash
# Installs what Slalom is measured against into folders that git ignores; nothing of it is a dependency of Slalom.
#
#   bench/peers/install.sh            both
#   bench/peers/install.sh node       TensorFlow.js and jax-js into bench/peers/node_modules
#   bench/peers/install.sh python     PyTorch (CPU), JAX and optax into bench/peers/.venv
set -euo pipefail
cd "$(dirname "$0")"
what="${1:-both}"

if [[ "$what" == node || "$what" == both ]]; then
  npm install --prefix . --no-package-lock --no-audit --no-fund
fi

if [[ "$what" == python || "$what" == both ]]; then
  python3 -m venv .venv
  # pip installs; a machine that wants PyTorch's CPU-only wheels names their index in PIP_EXTRA_INDEX_URL.
  .venv/bin/pip install --quiet -r requirements.txt
fi
