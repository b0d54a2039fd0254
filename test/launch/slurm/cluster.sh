#!/usr/bin/env bash
# cluster.sh FOLDER PORT PORT PORT: a cluster of Slurm on this machine, two nodes of four cores and four GPUs each. As root.
#
# Says "ready" once it takes jobs. Ends with its standard input: whoever holds that end leaves nothing running, even when
# it is killed. SLURM_CONF=FOLDER/slurm.conf makes Slurm's commands speak to it; FOLDER/log has what its daemons say.
set -euo pipefail
folder=$1 controller_port=$2 first_port=$3 second_port=$4
host=$(hostname -s)
export SLURM_CONF=$folder/slurm.conf

mkdir -p "$folder"/{log,munge,state,spool-one,spool-two,pmix,pmix-one,pmix-two}
# munged wants every user to get to its socket.
chmod 755 "$folder"
head -c 256 /dev/urandom > "$folder/munge/key"
chmod 400 "$folder/munge/key"

# Any character device passes for a GPU.
cat > "$folder/gres.conf" << END
NodeName=one,two Name=gpu File=/dev/null
NodeName=one,two Name=gpu File=/dev/zero
NodeName=one,two Name=gpu File=/dev/full
NodeName=one,two Name=gpu File=/dev/urandom
END

# Where processes of a step find each other; each node has its own (see below).
echo "PMIxCliTmpDirBase=$folder/pmix" > "$folder/mpi.conf"

# Jobs that are queued again start within seconds (cred_expire); a busy machine may take its time to answer.
cat > "$SLURM_CONF" << END
ClusterName=slalom-test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd-%n
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmUser=root
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=3,sched_min_interval=1,bf_interval=3
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
MinJobAge=3600
MessageTimeout=60
SlurmdTimeout=600
GresTypes=gpu
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$first_port CPUs=4 RealMemory=4000 Gres=gpu:4
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$second_port CPUs=4 RealMemory=4000 Gres=gpu:4
PartitionName=main Nodes=one,two Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=small Nodes=one MaxTime=01:00:00 State=UP
END

daemons=()

daemon() {
  local name=$1
  shift
  "$@" < /dev/null > "$folder/log/$name.out" 2>&1 &
  daemons=("$!" "${daemons[@]}")
}

# A tenth of a second, or the end where standard input has ended.
pause() { read -r -t 0.1 || [ $? -gt 128 ] || exit 1; }

jobs_left() { timeout 20 squeue --noheader --format=%A 2> /dev/null || true; }

# Processes of this cluster's jobs, and of steps that outlive their daemon.
processes_left() {
  local environment
  for environment in /proc/[0-9]*/environ; do
    if tr '\0' '\n' < "$environment" 2> /dev/null | grep -qxF "SLURM_CONF=$SLURM_CONF"; then
      environment=${environment#/proc/}
      [ "${environment%/environ}" = "$$" ] || printf '%s\n' "${environment%/environ}"
    fi
  done
}

stop_all() {
  trap '' INT TERM HUP
  local jobs pid
  jobs=$(jobs_left)
  # shellcheck disable=SC2086
  [ -z "$jobs" ] || timeout 20 scancel --signal=KILL --full $jobs 2> /dev/null || true
  # shellcheck disable=SC2086
  [ -z "$jobs" ] || timeout 20 scancel $jobs 2> /dev/null || true
  for _ in {1..100}; do
    [ -n "$(jobs_left)" ] || break
    sleep 0.1
  done
  for pid in "${daemons[@]}"; do kill -TERM "$pid" 2> /dev/null || true; done
  for _ in {1..100}; do
    kill -0 "${daemons[@]}" 2> /dev/null || break
    sleep 0.1
  done
  for pid in "${daemons[@]}" $(processes_left); do kill -KILL "$pid" 2> /dev/null || true; done
}
trap stop_all EXIT
trap 'exit 1' INT TERM HUP

daemon munged munged --foreground --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" --log-file="$folder/log/munged"
for _ in {1..600}; do
  [ ! -S "$folder/munge/socket" ] || break
  pause
done
daemon slurmctld slurmctld -D -c
# The nodes would meet in one folder of PMIx, as they are one machine: each sees a folder of its own under that name.
own_folder() {
  # shellcheck disable=SC2016
  exec unshare --mount sh -c 'mount --bind "$1-$2" "$1" && shift 2 && exec "$@"' sh "$folder/pmix" "$@"
}
for node in one two; do
  if (own_folder "$node" true) 2> /dev/null; then
    daemon "slurmd-$node" own_folder "$node" slurmd -D -N "$node"
  else
    daemon "slurmd-$node" slurmd -D -N "$node"
  fi
done

for _ in {1..600}; do
  if [ "$(timeout 20 sinfo --noheader --Node --partition=main --states=idle --format=%N 2> /dev/null | wc -l)" = 2 ]; then
    echo ready
    cat > /dev/null
    exit 0
  fi
  pause
done
echo "the cluster did not start:" >&2
tail -n 5 "$folder"/log/* >&2
exit 1
