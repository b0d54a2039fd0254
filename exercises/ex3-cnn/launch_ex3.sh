#!/usr/bin/env bash
#SBATCH --job-name=slalom-ex3
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=10
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR2@120
#SBATCH --output=%x-%j.out
#
# Exercise 3: a convolutional network on MNIST, 30 epochs, 10 seeds, a core each. What is stored already is not repeated.
#
# Two minutes before its time is over, and when it is preempted, the job keeps every training where it stands and asks to
# be queued again; it goes on from there, bit for bit.
#
#     bash exercises/ex3-cnn/launch_ex3.sh            here
#     sbatch exercises/ex3-cnn/launch_ex3.sh          on a cluster
#     bash exercises/ex3-cnn/launch_ex3.sh --dry-run  says what it would do
#     bash exercises/ex3-cnn/launch_ex3.sh --ladder   climbs to higher accuracy afterwards
#
# Other arguments go to `slalom run`: --out DIR, --workers N, --gemm LIBRARY, --precision bfloat16; --epochs N, --steps N, --seeds N for a short form.
set -euo pipefail

folder=exercises/ex3-cnn
studies="ex3-cnn"

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
ladder=0
arguments=()
for argument in "$@"; do
  case $argument in
    --dry-run) dry_run=1 ;;
    --ladder) ladder=1 ;;
    *) arguments+=("$argument") ;;
  esac
done

root=$(find_root)
cd "$root"
# shellcheck source=../environment.sh
. exercises/environment.sh
launch "$folder/study.ts" ${arguments[@]+"${arguments[@]}"}
[ "$short" = 1 ] || perform node_modules/.bin/jiti "$folder/misclassified.ts" "$out"
if [ "$ladder" = 1 ]; then
  studies=
  launch "$folder/ladder.ts" ${arguments[@]+"${arguments[@]}"}
  [ "$short" = 1 ] || perform node_modules/.bin/jiti "$folder/ladderTable.ts" "$out"
fi
