#!/bin/bash
# build.sh OUT.raw: the fixture desktop, a bootable 96 MiB disk made of Debian 12 packages alone.
#
#   GPT: 1  EFI system partition, FAT16: syslinux (BIOS) and a unified kernel image (UEFI)
#        2  "userdata", ext4: the desktop's files, mounted at /data in the guest
#
# The system itself lives in the initramfs; the disk carries the files, so that a boot proves that both were
# restored. No root, no loop device, no mount. The packages of packages.txt must be there; nothing is installed.
# The kernel and the guest agent are downloaded by apt-get and kept in DESKTOP_CACHE (beside OUT by default).
# The same packages give the same bytes.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 OUT.raw" >&2; exit 2; }
here=$(dirname "$(realpath "$0")")
out=$(realpath -m "$1")
mkdir -p "$(dirname "$out")"
cache=${DESKTOP_CACHE:-$(dirname "$out")/desktop-cache}
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C TZ=UTC
export PATH=$PATH:/usr/sbin:/sbin
umask 022

for tool in busybox cpio depmod modprobe strip objcopy mkfs.fat mcopy syslinux sfdisk mke2fs debugfs dpkg-deb; do
    command -v "$tool" >/dev/null || {
        echo "build.sh: $tool is missing; install the packages of $here/packages.txt" >&2; exit 1; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/desktop.XXXXXX")
trap 'rm -rf "$work"' EXIT

bash "$here/steps/fetch.sh" "$cache"
bash "$here/steps/initramfs.sh" "$cache" "$work/initramfs" "$here/guest"
bash "$here/steps/files.sh" "$work/files"
bash "$here/steps/disk.sh" "$cache" "$work" "$work/disk.raw"

# Whole or not at all: a build that was interrupted leaves no disk that looks finished.
cp --sparse=always "$work/disk.raw" "$out.part"
mv "$out.part" "$out"
