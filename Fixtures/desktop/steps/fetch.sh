#!/bin/bash
# fetch.sh CACHE: unpacks the kernel and the guest agent into CACHE/kernel and CACHE/agent, once.
set -euo pipefail
cache=$1
if [ -e "$cache/complete" ]; then exit 0; fi

rm -rf "$cache"
mkdir -p "$cache/kernel" "$cache/agent" "$cache/packages"
kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
[ -n "$kernel" ] || { echo "fetch.sh: apt knows no linux-image-cloud-amd64; run apt-get update" >&2; exit 1; }
# Without a user to drop to, apt as root downloads as root; silence its note about that only.
(cd "$cache/packages" && apt-get download -q -o APT::Sandbox::User=root "$kernel" qemu-guest-agent >/dev/null)
dpkg-deb -x "$cache"/packages/linux-image-*.deb "$cache/kernel"
dpkg-deb -x "$cache"/packages/qemu-guest-agent_*.deb "$cache/agent"
cp "$cache"/kernel/boot/vmlinuz-* "$cache/vmlinuz"
rm -rf "$cache/packages"
touch "$cache/complete"
