#!/bin/bash
# The main job, end to end, on this machine: two sites, one desktop, one lost site. `make demo` calls it.
#
#   SOURCE=/some/folder   the desktop's user files are a copy of this folder
#   KEEP=1                leave the estate running and say how to reach it
#   TMPDIR                where the estate lies while it runs (/tmp)
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C.UTF-8 # numbers with points, whatever the reader's language

project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
programs=${BREAKWATER_PROGRAMS:-$project/.build/release}
fixture=${BREAKWATER_FIXTURES:-$project/.build/fixtures}/desktop.raw
estate=$(mktemp -d "${TMPDIR:-/tmp}/breakwater.XXXXXX")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/breakwater-scratch.XXXXXX")
evidence=$project/.build/demo/$(date +%Y%m%d-%H%M%S)-$$
mkdir -p "$evidence"

for part in voice estate operator sources compare story; do . "$project/Sites/demo/parts/$part.sh"; done

finish() {
    local status=$?
    trap '' INT TERM HUP
    set +e
    if [ "$status" -eq 0 ] && [ "${KEEP:-}" = 1 ]; then
        how_to_reach
    else
        take_down
    fi
    if [ "$status" -ne 0 ]; then echo "The demo ended early (exit $status); logs and evidence: $evidence" >&9; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

line "Breakwater: a desktop of harbour-trading at HK-ALC, its copy at CN-SHBAO. Evidence: $evidence"
story_of_the_sources
story_of_the_backups
story_of_the_copy
story_of_the_restores
story_of_the_disaster
story_of_the_killed_agent
story_of_the_journal
line "All of it held. Evidence: $evidence"
