#!/bin/bash
# install.sh [--knowing PACKAGE] LIST...: installs the Debian packages that the lists name (one a line, # begins a comment) and that are
# not there yet; with sudo where it is not root. With nothing missing it touches no network and needs no rights, unless
# apt does not know PACKAGE, which somebody is going to download.
set -euo pipefail

unknown=
if [ "$1" = --knowing ]; then
    apt-cache show "$2" >/dev/null 2>&1 || unknown=$2
    shift 2
fi

missing=()
for package in $(sed 's/#.*//' "$@"); do
    state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    [ "${state:0:2}" = ii ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || [ -n "$unknown" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "install.sh: neither root nor sudo here; as root run:" >&2
        echo "    apt-get update && apt-get install ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi

"${as_root[@]}" apt-get -q update >&2
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing ${missing[*]}" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${missing[@]}" >&2
