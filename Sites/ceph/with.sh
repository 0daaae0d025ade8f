#!/bin/bash
# with.sh DIR COMMAND...: runs the command with an S3 engine in DIR, which it finds by BREAKWATER_S3_ENGINE=DIR. The engine
# is stopped however the command ends, and the command's exit code is the one of this script.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
trap 'bash "$here/down.sh" "$dir"; find "$dir" -mindepth 1 -delete' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bash "$here/up.sh" "$dir" || exit 1
BREAKWATER_S3_ENGINE=$dir "$@"
