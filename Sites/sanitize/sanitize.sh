#!/bin/bash
# The suites of the engine's floors, from Platform to Machines, under one of Swift's sanitizers, in a build of its own.
#
#   sanitize.sh address|thread
#
# What is left out is said, with the reason. The exit code is the tests'.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
sanitizer=$1
export BREAKWATER_MODULES=${MODULES:-Platform,ObjectStore,Chunking,Sealing,Repository,Capture,Restore,Replication,Browse,Mount,Hypervisor,BlockServer}
export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1:suppressions=$PWD/Sites/sanitize/thread.txt
skipped=()
leave_out() {
    echo "left out under the $sanitizer sanitizer: $1 ($2)"
    skipped+=(--skip "$1")
}
leave_out ThroughputTests "it measures how fast uninstrumented code is"
leave_out QEMUTests "machines under emulation miss their deadlines"
leave_out BootTests "machines under emulation miss their deadlines"

build=(-c release --scratch-path ".build-$sanitizer" "--sanitize=$sanitizer")
swift build "${build[@]}" --build-tests
swift test "${build[@]}" --skip-build --disable-testable-imports --disable-xctest "${skipped[@]}"
