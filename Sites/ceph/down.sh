#!/bin/bash
# down.sh DIR: ends the daemons that up.sh started there, by the pids it wrote and only where such a pid is still a
# daemon of Ceph's that works in DIR. Succeeds when there are none.
set -u

[ -d "$1" ] || exit 0
dir=$(cd "$1" && pwd)
ours() {
    local command
    command=$(cat "/proc/$1/comm" 2>/dev/null) || return 1
    case $command in
    ceph-mon* | ceph-osd* | radosgw*) ;;
    *) return 1 ;;
    esac
    # It may end while it is looked at, and one that has ended has no environment.
    cat "/proc/$1/environ" 2>/dev/null | tr '\0' '\n' | grep -qxF "CEPH_CONF=$dir/ceph.conf"
}

[ -d "$dir/pids" ] || exit 0
running=()
for file in "$dir"/pids/*; do
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    [[ $pid =~ ^[0-9]+$ ]] && ours "$pid" && running+=("$pid")
done
# Nothing here is worth an orderly end: the state is thrown away.
for pid in ${running[@]+"${running[@]}"}; do kill -KILL "$pid" 2>/dev/null; done
for pid in ${running[@]+"${running[@]}"}; do
    for _ in $(seq 100); do
        ours "$pid" || break
        sleep 0.1
    done
done
rm -rf "$dir/pids"
exit 0
