#!/bin/bash
# restic.sh: Breakwater and restic side by side on the same tree: first backup, again with nothing changed, restore to
# a fresh tmpfs. Both encrypt and compress by zstd with their defaults. The runs alternate; the table (Markdown) shows
# medians, with the lowest and the highest in brackets.
#
#   SOURCE=/usr      what is backed up
#   RUNS=3           runs of each tool
#   BREAKWATER=...   the program, .build/release/breakwater otherwise
set -euo pipefail
export LC_ALL=C.UTF-8

project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
breakwater=${BREAKWATER:-$project/.build/release/breakwater}
source=$(realpath "${SOURCE:-/usr}")
runs=${RUNS:-3}
for tool in restic /usr/bin/time "$breakwater"; do
    command -v "$tool" >/dev/null || { echo "restic.sh: $tool is missing; run make bench-restic" >&2; exit 1; }
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/breakwater-bench.XXXXXX")
fresh=$scratch/fresh
finish() {
    if mountpoint -q "$fresh"; then umount "$fresh"; fi
    rm -rf "$scratch" "${shared:-$scratch}"
}
trap finish EXIT
trap 'exit 130' INT TERM

bytes=$(find "$source" -xdev -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
entries=$(find "$source" -xdev -printf '.' | wc -c)
(umask 077; head -c 24 /dev/urandom | base64 >"$scratch/passphrase")
export RESTIC_PASSWORD_FILE=$scratch/passphrase RESTIC_CACHE_DIR=$scratch/restic-cache RESTIC_PROGRESS_FPS=0.1
export BREAKWATER_PASSPHRASE_FILE=$scratch/passphrase BREAKWATER_STATE=$scratch/breakwater-state

# A tmpfs that nobody used before: root mounts one, others get a new folder in /dev/shm.
fresh_tmpfs() {
    if mountpoint -q "$fresh"; then umount "$fresh"; fi
    if [ "$(id -u)" -eq 0 ] && mkdir -p "$fresh" && mount -t tmpfs -o size=90% tmpfs "$fresh" 2>/dev/null; then return; fi
    shared=${shared:-$(mktemp -d /dev/shm/breakwater-bench.XXXXXX)}
    fresh=$shared/fresh
    rm -rf "$fresh"
    mkdir -p "$fresh"
}

# measure TOOL OPERATION COMMAND...: appends wall, CPU seconds and peak KiB to the tool's figures.
measure() {
    local figures=$scratch/$1.$2
    shift 2
    sync
    if ! /usr/bin/time -q -f '%e %U %S %M' -o "$scratch/time" "$@" >"$scratch/output" 2>&1; then
        echo "restic.sh: failed: $*" >&2
        tail -5 "$scratch/output" >&2
        exit 1
    fi
    awk '{ printf "%.2f %.2f %d\n", $1, $2 + $3, $4 / 1024 }' "$scratch/time" >>"$figures"
    echo "    $(tail -1 "$figures")   ${figures##*/}" >&2
}

size_of() { find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.1f\n", sum / 1e6 }'; }

# The restored tree must be the source, or the figures say nothing.
verify() {
    local restored
    restored=$(find "$fresh" -type d -path "*$source" -print -quit)
    LC_ALL=C diff -r -q --no-dereference "$source" "${restored:-$fresh}" >"$scratch/differences" 2>&1 || {
        echo "restic.sh: what $1 restored differs from $source:" >&2
        head -3 "$scratch/differences" >&2
        exit 1
    }
}

run_breakwater() {
    local vault=$scratch/breakwater-vault
    rm -rf "$vault" "$BREAKWATER_STATE"
    "$breakwater" repository init --vault "$vault" >/dev/null
    measure breakwater first "$breakwater" repository backup --vault "$vault" --name bench "$source"
    size_of "$vault" >>"$scratch/breakwater.size"
    measure breakwater again "$breakwater" repository backup --vault "$vault" --name bench "$source"
    fresh_tmpfs
    measure breakwater restore "$breakwater" repository restore --vault "$vault" latest:bench --target "$fresh/out"
    verify breakwater
    rm -rf "$vault" "$BREAKWATER_STATE"
}

run_restic() {
    local vault=$scratch/restic-vault
    rm -rf "$vault" "$RESTIC_CACHE_DIR"
    restic -q -r "$vault" init --repository-version 2
    measure restic first restic -q -r "$vault" backup --compression auto --one-file-system "$source"
    size_of "$vault" >>"$scratch/restic.size"
    measure restic again restic -q -r "$vault" backup --compression auto --one-file-system "$source"
    fresh_tmpfs
    measure restic restore restic -q -r "$vault" restore latest --target "$fresh/out"
    verify restic
    rm -rf "$vault" "$RESTIC_CACHE_DIR"
}

# The page cache is warm for everybody. (tar does not read what it writes to /dev/null by name.)
tar -C "$source" --one-file-system -cf - . 2>/dev/null | cat >/dev/null
for run in $(seq "$runs"); do
    echo "run $run of $runs" >&2
    run_breakwater
    run_restic
done

# column FILE N -> "median (lowest-highest)"
column() {
    awk -v n="$2" '{ print $n }' "$1" | sort -n | awk '
        { value[NR] = $1 }
        END {
            median = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
            printf "%g (%g-%g)", median, value[1], value[NR]
        }'
}
ratio() {
    awk -v a="$(column "$1" "$3")" -v b="$(column "$2" "$3")" 'BEGIN { printf b + 0 ? "%.2f" : "-", (a + 0) / (b + 0) }'
}

processor=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
echo
echo "\`$source\`: $entries entries, $(awk -v n="$bytes" 'BEGIN { printf "%.2f GB", n / 1e9 }'). $(nproc) cores, $processor." \
    "$(restic version | cut -d' ' -f1,2). $runs runs of each, interleaved; medians (lowest-highest)."
echo
echo "| | breakwater | restic | breakwater / restic |"
echo "|---|---:|---:|---:|"
for operation in first again restore; do
    case $operation in
        first) title="first backup" ;;
        again) title="again, nothing changed" ;;
        restore) title="restore to tmpfs" ;;
    esac
    b=$scratch/breakwater.$operation r=$scratch/restic.$operation
    echo "| $title, wall s | $(column "$b" 1) | $(column "$r" 1) | $(ratio "$b" "$r" 1) |"
    echo "| $title, CPU s | $(column "$b" 2) | $(column "$r" 2) | $(ratio "$b" "$r" 2) |"
    echo "| $title, peak MiB | $(column "$b" 3) | $(column "$r" 3) | $(ratio "$b" "$r" 3) |"
done
b=$scratch/breakwater.size r=$scratch/restic.size
echo "| repository after the first, MB | $(column "$b" 1) | $(column "$r" 1) | $(ratio "$b" "$r" 1) |"
