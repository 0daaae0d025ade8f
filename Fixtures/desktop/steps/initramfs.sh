#!/bin/bash
# initramfs.sh CACHE OUT GUEST: the whole system of the desktop as a compressed cpio archive: busybox, the kernel
# modules of a virtual machine, the guest agent with its libraries, and the scripts of GUEST.
set -euo pipefail
cache=$1 out=$2 guest=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,sbin,dev,proc,sys,data,tmp,run,var,etc/acpi/PWRF,lib/modules,root,usr/sbin}
ln -s ../run "$root/var/run"
cp "$(command -v busybox)" "$root/bin/busybox"
install -m 755 "$guest/init" "$root/init"
install -m 755 "$guest/shutdown" "$root/sbin/shutdown"
install -m 755 "$guest/power-button" "$root/etc/acpi/PWRF/00000080"

# Modules in the order in which they must be inserted, dependencies first.
release=$(ls "$cache/kernel/lib/modules" | head -n 1)
depmod -b "$cache/kernel" "$release"
: >"$root/lib/modules/order"
for module in virtio_pci virtio_blk virtio_net virtio_console button evdev; do
    modprobe -d "$cache/kernel" -S "$release" --show-depends "$module" | awk '$1 == "insmod" { print $2 }' |
        while read -r file; do
            name=$(basename "$file")
            if grep -qx "$name" "$root/lib/modules/order"; then continue; fi
            strip --strip-debug -o "$root/lib/modules/$name" "$file"
            echo "$name" >>"$root/lib/modules/order"
        done
done

# The guest agent and every library the loader would bring, at the paths where it looks for them.
agent=$cache/agent/usr/sbin/qemu-ga
strip -o "$root/usr/sbin/qemu-ga" "$agent"
libraries=$(ldd "$agent")
if grep "not found" <<<"$libraries" >&2; then
    echo "initramfs.sh: libraries of the guest agent are missing; install packages.txt" >&2; exit 1
fi
awk '$3 ~ /^\// { print $3 } $1 ~ /^\/lib64/ { print $1 }' <<<"$libraries" | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd "$root" && find . | sort | cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -9n) >"$out"
