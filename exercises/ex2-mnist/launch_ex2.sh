#!/usr/bin/env bash
#SBATCH --job-name=slalom-ex2
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=02:00:00
#SBATCH --output=%x-%j.out
#
# Exercise 2: optimizers on MNIST: all learning rates, 30 epochs, 5 seeds. What is stored already is not repeated.
#
#     bash exercises/ex2-mnist/launch_ex2.sh            here
#     sbatch exercises/ex2-mnist/launch_ex2.sh          on a cluster
#     bash exercises/ex2-mnist/launch_ex2.sh --dry-run  says what it would do
#
# Other arguments go to `slalom run`: --out DIR, --workers N, --gemm LIBRARY; --epochs N, --steps N, --seeds N for a short form.
set -euo pipefail

folder=exercises/ex2-mnist
studies="ex2-mnist ex2-mnist-unshuffled ex2-mnist-fine ex2-mnist-perceptron"

# Slurm runs a copy of this file from a folder of its own: then the repository is where the job was submitted, or above the
# file that was submitted.
find_root() {
  local submitted= start
  if [ -n "${SLURM_JOB_ID:-}" ] && command -v scontrol > /dev/null 2>&1; then
    submitted=$(scontrol show job "$SLURM_JOB_ID" 2> /dev/null | sed -n 's/^ *Command=\([^ ]*\).*/\1/p' | head -n 1)
  fi
  for start in "$(dirname "${BASH_SOURCE[0]}")" "${submitted:+$(dirname "$submitted")}" "${SLURM_SUBMIT_DIR:-}" "$PWD"; do
    [ -n "$start" ] && start=$(cd "$start" 2> /dev/null && pwd) || continue
    while [ "$start" != / ]; do
      [ -f "$start/$folder/study.ts" ] && printf '%s\n' "$start" && return
      start=$(dirname "$start")
    done
  done
  echo "The repository was not found: submit from inside it, or set SLURM_SUBMIT_DIR to its folder." >&2
  return 1
}

dry_run=0
arguments=()
for argument in "$@"; do
  if [ "$argument" = --dry-run ]; then dry_run=1; else arguments+=("$argument"); fi
done

root=$(find_root)
cd "$root"
# shellcheck source=../environment.sh
. exercises/environment.sh
launch "$folder/study.ts" ${arguments[@]+"${arguments[@]}"}
