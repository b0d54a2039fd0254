#!/usr/bin/env bash
#SBATCH --job-name=slalom-ex4
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --exclusive
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
#
# Exercise 4: one training on 1, 2, 4, ... devices: what they gain at batches of 50, 500 and 5,000, and what a larger batch
# costs in epochs. Devices are the cores of this machine, as threads and as processes over MPI. It measures: leave the
# machine to it.
#
#     bash exercises/ex4-devices/launch_ex4.sh            here
#     sbatch exercises/ex4-devices/launch_ex4.sh          on a cluster, on a node of its own
#     bash exercises/ex4-devices/launch_ex4.sh --dry-run  says what it would do
#     bash exercises/ex4-devices/launch_ex4.sh --short    in a minute, with small batches and no accuracy to reach
#
# Other arguments: --out DIR; --ranks N, the most ranks, one a core by default.
set -euo pipefail

folder=exercises/ex4-devices

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
short=0
out=
most=${SLURM_CPUS_PER_TASK:-$(getconf _NPROCESSORS_ONLN)}
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=1 ;;
    --short) short=1 ;;
    --out | -o) out=${2:?--out wants a folder} && shift ;;
    --ranks) most=${2:?--ranks wants a number} && shift ;;
    *)
      echo "$1: unknown; expected --dry-run, --short, --out DIR or --ranks N." >&2
      exit 2
      ;;
  esac
  shift
done

# 1,2,4 up to the most.
powers_of_two() {
  local ranks=1 list=1
  while [ $((2 * ranks)) -le "$1" ]; do
    ranks=$((2 * ranks))
    list=$list,$ranks
  done
  printf '%s\n' "$list"
}

root=$(find_root)
cd "$root"
# shellcheck source=../environment.sh
. exercises/environment.sh
need_node
need_package
look_for_onednn

slalom() { perform_interruptible node dist/cli/main.js "$@"; }

# over_mpi PROCESSES WORDS...: all of them together are the ranks.
over_mpi() {
  local processes=$1
  shift
  perform_interruptible mpirun ${mpi_words[@]+"${mpi_words[@]}"} -np "$processes" node dist/cli/main.js "$@"
}

if [ "$short" = 1 ]; then
  : "${out:=$root/runs/short/ex4}"
  strong=64,256
  weak=32,128
  steps=5
  accuracy=()
else
  : "${out:=$root/runs/ex4}"
  # Of all ranks together, and of each.
  strong=50,500,5000
  weak=50,500,2500
  steps=10
  accuracy=(--target 0.98 --rule kept,linear,sqrt)
fi
ranks=$(powers_of_two "$most")
most=${ranks##*,}

mpi_words=()
has_processes=0
if [ "$most" -lt 2 ]; then
  say "Processes are not measured: one core is one rank."
elif ! command -v mpirun > /dev/null 2>&1; then
  say "Processes are not measured: mpirun was not found. sudo apt-get install openmpi-bin libopenmpi3, or module load openmpi"
else
  has_processes=1
  if mpirun --version 2> /dev/null | grep -q 'Open MPI'; then
    mpi_words=(--bind-to none)
    [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
fi

# Both ways of scaling: strong, where ranks divide a batch, and weak, where each has one.
measure=(scale "$folder/study.ts" --steps "$steps")
slalom "${measure[@]}" --mode strong --batch "$strong" --ranks "$ranks" ${accuracy[@]+"${accuracy[@]}"} --out "$out/threads"
slalom "${measure[@]}" --mode weak --batch "$weak" --ranks "$ranks" --out "$out/threads"
if [ "$has_processes" = 1 ]; then
  for mode in strong weak; do
    batches=${!mode}
    over_mpi "$most" "${measure[@]}" --mode "$mode" --batch "$batches" --ranks "$most" --out "$out/processes"
    [ "$most" -lt 4 ] ||
      over_mpi $((most / 2)) "${measure[@]}" --mode "$mode" --batch "$batches" --ranks "$most" --out "$out/both"
  done
fi
[ "$short" = 0 ] || exit 0

# Where the time of a training goes.
slalom run "$folder/trainings.ts" --resume --ranks 1 --workers 1 --no-figures --out "$out/ledgers/1"
if [ "$most" -ge 2 ]; then
  slalom run "$folder/trainings.ts" --resume --ranks "$most" --workers 1 --no-figures --out "$out/ledgers/threads"
fi
if [ "$has_processes" = 1 ]; then
  over_mpi "$most" run "$folder/trainings.ts" --resume --no-figures --out "$out/ledgers/processes"
fi
perform node_modules/.bin/jiti "$folder/findings.ts" "$out"
