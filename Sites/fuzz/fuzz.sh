#!/bin/bash
# Every target of Tests/FuzzTargets under libFuzzer, one after another, or the one that TARGET names; and what it found.
#
#   fuzz.sh BINARY SECONDS
#
# Inputs that reach new code are kept in .build-fuzz/corpus/TARGET, which Fixtures/fuzz/TARGET begins. A crash leaves its
# input, made as small as it gets, in .build-fuzz/crashes, and the exit code is 1. KEEP=1 puts a small corpus that reaches
# as much as the large one into Fixtures/fuzz.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
binary=$1 seconds=$2
targets=${TARGET:-$(ls Fixtures/fuzz)}
crashes=.build-fuzz/crashes
mkdir -p "$crashes"
# A crash is libFuzzer's to report, and it looks for input that takes long or much memory itself.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0:handle_sigill=0
options=(-max_len=4096 -timeout=20 -rss_limit_mb=2560 -print_final_stats=1)

failed=0
for target in $targets; do
    export BREAKWATER_TARGET=$target
    corpus=.build-fuzz/corpus/$target log=.build-fuzz/$target.log
    mkdir -p "$corpus"
    if ! "$binary" "${options[@]}" -max_total_time="$seconds" -artifact_prefix="$crashes/$target-" "$corpus" \
        "Fixtures/fuzz/$target" >"$log" 2>&1; then
        failed=1
        echo "$target: CRASHED, see $log"
        for input in "$crashes/$target"-crash-*; do
            [ -e "$input" ] || continue
            "$binary" -minimize_crash=1 -max_total_time=60 -exact_artifact_path="$input.small" "$input" >>"$log" 2>&1
            echo "    $input.small"
        done
        continue
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    reached=$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -d' ' -f2)
    echo "$target: $executed inputs, $rate a second, $reached places reached, no crash"
    if [ -n "${KEEP:-}" ]; then
        rm -rf .build-fuzz/kept && mkdir .build-fuzz/kept
        "$binary" -max_len=1024 -merge=1 .build-fuzz/kept "Fixtures/fuzz/$target" "$corpus" >>"$log" 2>&1
        python3 -B Sites/fuzz/keep.py .build-fuzz/kept "Fixtures/fuzz/$target"
    fi
done
exit $failed
