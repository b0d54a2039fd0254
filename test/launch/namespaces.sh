#!/usr/bin/env bash
# namespaces.sh FOLDER COMMAND...: runs a command on the first of two machines that a cable joins. As root.
#
# Machines are network namespaces of this one, called one and two. FOLDER/hosts names them for mpirun, FOLDER/agent starts
# a program on one of them as ssh does. FOLDER/travelled has the bytes that came through the cable. Everything is within
# namespaces of processes and of mounts that end with this script: whoever kills it leaves nothing.
set -euo pipefail
if [ "${SLALOM_TEST_INSIDE:-}" = "" ]; then
  export SLALOM_TEST_INSIDE=1
  exec unshare --mount --pid --fork --kill-child --mount-proc bash "${BASH_SOURCE[0]}" "$@"
fi
unset SLALOM_TEST_INSIDE
folder=$1
shift

# Names of network namespaces are files below /run.
mount -t tmpfs tmpfs /run
for machine in one two; do
  ip netns add "$machine"
  ip -n "$machine" link set lo up
done
ip link add cable netns one type veth peer name cable netns two
ip -n one address add 10.213.0.1/24 dev cable
ip -n two address add 10.213.0.2/24 dev cable
for machine in one two; do ip -n "$machine" link set cable up; done

printf '10.213.0.1 slots=1\n10.213.0.2 slots=1\n' > "$folder/hosts"
cat > "$folder/agent" << 'END'
#!/bin/sh
case $1 in
10.213.0.1) machine=one ;;
10.213.0.2) machine=two ;;
*) exit 1 ;;
esac
shift
exec ip netns exec "$machine" unshare --uts sh -c "hostname $machine && exec $*"
END
chmod +x "$folder/agent"

code=0
ip netns exec one unshare --uts sh -c 'hostname one && exec "$@"' sh "$@" || code=$?
ip netns exec one cat /sys/class/net/cable/statistics/rx_bytes > "$folder/travelled"
exit "$code"
