#!/usr/bin/env bash
#SBATCH --job-name=slalom-ex1
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=2G
#SBATCH --time=00:10:00
#SBATCH --output=%x-%j.out
#
# Exercise 1: optimizers on a linear model: about a second of training. What is stored already is not repeated.
#
#     bash exercises/ex1-linear-model/launch_ex1.sh            here
#     sbatch exercises/ex1-linear-model/launch_ex1.sh          on a cluster
#     bash exercises/ex1-linear-model/launch_ex1.sh --dry-run  says what it would do
#
# Other arguments go to `slalom run`: --out DIR, --workers N, --gemm LIBRARY; --epochs N, --steps N, --seeds N for a short form.
set -euo pipefail

folder=exercises/ex1-linear-model
studies="ex1-linear-model ex1-momentum-plane"

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
