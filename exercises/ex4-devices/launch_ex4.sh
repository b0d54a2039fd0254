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
# costs in epochs. Devices are the cores of this machine, as threads and as processes over MPI, and its GPUs, driven by one
# process and by one each. It measures: leave the machine to it.
#
#     bash exercises/ex4-devices/launch_ex4.sh            here
#     sbatch exercises/ex4-devices/launch_ex4.sh          on a cluster, on a node of its own
#     bash exercises/ex4-devices/launch_ex4.sh --gpus 4   on 1, 2 and 4 GPUs too: here, or in a job that it submits
#     bash exercises/ex4-devices/launch_ex4.sh --dry-run  says what it would do
#     bash exercises/ex4-devices/launch_ex4.sh --short    in a minute, with small batches and no accuracy to reach
#
# Other arguments: --out DIR; --ranks N, the most ranks, one a core by default. Without --gpus it takes the GPUs that are
# here, such as sbatch --gres=gpu:4 gives them. Of one GPU the steps are measured, and more are a forecast.
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
gpus=
given=()
most=${SLURM_CPUS_PER_TASK:-$(getconf _NPROCESSORS_ONLN)}
while [ $# -gt 0 ]; do
  [ "$1" = --dry-run ] || given+=("$1")
  case $1 in
    --dry-run) dry_run=1 ;;
    --short) short=1 ;;
    --out | -o) out=${2:?--out wants a folder} ;;
    --ranks) most=${2:?--ranks wants a number} ;;
    --gpus) gpus=${2:?--gpus wants a number} ;;
    *)
      echo "$1: unknown; expected --dry-run, --short, --out DIR, --ranks N or --gpus N." >&2
      exit 2
      ;;
  esac
  case $1 in --out | -o | --ranks | --gpus) given+=("$2") && shift ;; esac
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

# multiples N BATCH...: each batch, or the next one that N ranks divide, as a list.
multiples() {
  local of=$1 list=
  shift
  for batch in "$@"; do list=$list,$(((batch + of - 1) / of * of)); done
  printf '%s\n' "${list#,}"
}

# most_of RANKS BATCH: of a list of numbers of ranks the largest that divides a batch.
most_of() {
  local found=1 ranks
  for ranks in ${1//,/ }; do [ $(($2 % ranks)) != 0 ] || found=$ranks; done
  printf '%s\n' "$found"
}

root=$(find_root)
cd "$root"
# shellcheck source=../environment.sh
. exercises/environment.sh

# GPUs that are not here may be where Slurm is.
here=$(gpus_here)
: "${gpus:=$here}"
if [ "$gpus" -gt "$here" ]; then
  if [ -z "${SLURM_JOB_ID:-}" ] && command -v sbatch > /dev/null 2>&1; then
    perform sbatch --gres="gpu:$gpus" "$root/$folder/launch_ex4.sh" "${given[@]}"
    [ "$dry_run" = 1 ] || exit 0
    say "The job:"
  else
    lacking="$gpus GPUs were asked for, and $here can be used here; expected at most as many. A job has them: sbatch --gres=gpu:$gpus $folder/launch_ex4.sh"
    [ "$dry_run" = 1 ] || stop "$lacking"
    say "would end: $lacking"
    say "With $gpus GPUs:"
  fi
fi
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
  strong=(64 256)
  weak=32,128
  steps=5
  accuracy=()
else
  : "${out:=$root/runs/ex4}"
  # Of all ranks together, and of each.
  strong=(50 500 5000)
  weak=50,500,2500
  steps=10
  accuracy=(--target 0.98 --rule kept,linear,sqrt)
fi
ranks=$(powers_of_two "$most")
most=${ranks##*,}

gpu_ranks=$(powers_of_two "$gpus")
most_gpus=${gpu_ranks##*,}

mpi_words=()
has_mpirun=0
if command -v mpirun > /dev/null 2>&1; then
  has_mpirun=1
  if mpirun --version 2> /dev/null | grep -q 'Open MPI'; then
    mpi_words=(--bind-to none)
    # It takes the one task of the job for the one process that there may be.
    [ -z "${SLURM_JOB_ID:-}" ] || mpi_words+=(--oversubscribe)
    [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
elif [ "$most" -ge 2 ] || [ "$most_gpus" -ge 2 ]; then
  say "Processes are not measured: mpirun was not found. sudo apt-get install openmpi-bin libopenmpi3, or module load openmpi"
fi
[ "$most" -ge 2 ] || say "Processes are not measured: one core is one rank."
[ "$gpus" -gt 0 ] || say "GPUs are not measured: none can be used here."

measure=(scale "$folder/study.ts" --steps "$steps")

# by_one FOLDER RANKS,... WORDS...: one process, whose ranks divide a batch (strong, and how far it trains) or have one each.
by_one() {
  local place=$1 list=$2 batches
  shift 2
  batches=$(multiples "${list##*,}" "${strong[@]}")
  slalom "${measure[@]}" "$@" --mode strong --batch "$batches" --ranks "$list" ${accuracy[@]+"${accuracy[@]}"} --out "$out/$place"
  slalom "${measure[@]}" "$@" --mode weak --batch "$weak" --ranks "$list" --out "$out/$place"
}

# by_several PROCESSES FOLDER RANKS WORDS...: processes over MPI, whose ranks are so many in all, held against one.
by_several() {
  local processes=$1 place=$2 all=$3 batches
  shift 3
  batches=$(multiples "$all" "${strong[@]}")
  over_mpi "$processes" "${measure[@]}" "$@" --mode strong --batch "$batches" --ranks "$all" --out "$out/$place"
  over_mpi "$processes" "${measure[@]}" "$@" --mode weak --batch "$weak" --ranks "$all" --out "$out/$place"
}

by_one threads "$ranks"
if [ "$has_mpirun" = 1 ] && [ "$most" -ge 2 ]; then
  by_several "$most" processes "$most"
  [ "$most" -lt 4 ] || by_several $((most / 2)) both "$most"
fi
if [ "$gpus" -gt 0 ]; then
  by_one gpus "$gpu_ranks" --backend cuda --forecast 2,4,8 --link nvlink
  if [ "$has_mpirun" = 1 ] && [ "$most_gpus" -ge 2 ]; then
    by_several "$most_gpus" gpu-processes "$most_gpus" --backend cuda
  fi
fi
[ "$short" = 0 ] || exit 0

# Where the time of a training goes: an epoch at each size of batch, on the most ranks that divide it.
epoch=(run "$folder/trainings.ts" --resume --no-figures)

# ledgers FOLDER RANKS,... WORDS...
ledgers() {
  local place=$1 list=$2 batch
  shift 2
  for batch in 50 500 5000; do
    slalom "${epoch[@]}" --only "ex4-batch-$batch" "$@" --ranks "$(most_of "$list" "$batch")" --workers 1 --out "$out/ledgers/$place"
  done
}

# ledgers_by_several FOLDER RANKS,... WORDS...: a process for each rank.
ledgers_by_several() {
  local place=$1 list=$2 batch
  shift 2
  for batch in 50 500 5000; do
    over_mpi "$(most_of "$list" "$batch")" "${epoch[@]}" --only "ex4-batch-$batch" "$@" --out "$out/ledgers/$place"
  done
}

ledgers 1 1
if [ "$most" -ge 2 ]; then
  ledgers threads "$ranks"
  [ "$has_mpirun" = 0 ] || ledgers_by_several processes "$ranks"
fi
if [ "$gpus" -gt 0 ]; then
  ledgers gpus-1 1 --backend cuda
  if [ "$most_gpus" -ge 2 ]; then
    ledgers gpus "$gpu_ranks" --backend cuda
    [ "$has_mpirun" = 0 ] || ledgers_by_several gpu-processes "$gpu_ranks" --backend cuda
  fi
fi
perform node_modules/.bin/jiti "$folder/findings.ts" "$out"
