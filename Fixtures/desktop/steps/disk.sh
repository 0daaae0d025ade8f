#!/bin/bash
# disk.sh CACHE WORK OUT: partitions, boot loaders and file systems put together in a plain file.
set -euo pipefail
cache=$1 work=$2 out=$3
mebibyte=1048576
disk_size=96 boot_start=1 boot_size=42 data_start=43 data_size=52 # MiB; the last one is the second partition table
options="console=tty0 console=ttyS0 quiet panic=10"

truncate -s "${disk_size}M" "$out"
sfdisk -q "$out" <<TABLE
label: gpt
label-id: 5B0F2C1E-6A4D-4E0B-9C77-27A6D1F00001
unit: sectors
start=$((boot_start * 2048)), size=$((boot_size * 2048)), type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=5B0F2C1E-6A4D-4E0B-9C77-27A6D1F00002, name="boot", attrs="LegacyBIOSBootable"
start=$((data_start * 2048)), size=$((data_size * 2048)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=5B0F2C1E-6A4D-4E0B-9C77-27A6D1F00003, name="userdata"
TABLE
dd if=/usr/lib/syslinux/mbr/gptmbr.bin of="$out" bs=440 count=1 conv=notrunc status=none

# The unified kernel image for UEFI: kernel, initramfs and command line as sections of systemd's stub.
printf '%s' "$options" >"$work/options"
printf 'ID=breakwater-desktop\nVERSION_ID=1\n' >"$work/os-release"
objcopy \
    --add-section .osrel="$work/os-release" --change-section-vma .osrel=0x20000 \
    --add-section .cmdline="$work/options" --change-section-vma .cmdline=0x30000 \
    --add-section .linux="$cache/vmlinuz" --change-section-vma .linux=0x2000000 \
    --add-section .initrd="$work/initramfs" --change-section-vma .initrd=0x4000000 \
    /usr/lib/systemd/boot/efi/linuxx64.efi.stub "$work/BOOTX64.EFI"
# objcopy writes the time of the build into the PE header, and a checksum over it: nobody reads either.
header=$(od -An -t u4 -j 60 -N 4 "$work/BOOTX64.EFI" | tr -d ' ')
for field in 8 88; do
    printf '\0\0\0\0' | dd of="$work/BOOTX64.EFI" bs=1 seek=$((header + field)) conv=notrunc status=none
done

cat >"$work/syslinux.cfg" <<CONFIG
DEFAULT desktop
PROMPT 0
TIMEOUT 1
LABEL desktop
 KERNEL /vmlinuz
 INITRD /initramfs
 APPEND $options tsc=reliable
CONFIG
truncate -s "${boot_size}M" "$work/boot"
mkfs.fat --invariant -F 16 -i 27A6D1F0 -n BOOT "$work/boot" >/dev/null
export MTOOLS_SKIP_CHECK=1
cp "$cache/vmlinuz" "$work/vmlinuz"
touch -d "@$SOURCE_DATE_EPOCH" "$work"/{vmlinuz,syslinux.cfg,initramfs,BOOTX64.EFI}
mmd -i "$work/boot" ::/EFI ::/EFI/BOOT
mcopy -m -i "$work/boot" "$work/vmlinuz" "$work/initramfs" "$work/syslinux.cfg" ::/
mcopy -m -i "$work/boot" "$work/BOOTX64.EFI" ::/EFI/BOOT/BOOTX64.EFI
syslinux --install "$work/boot"
dd if="$work/boot" of="$out" bs=$mebibyte seek=$boot_start conv=notrunc,sparse status=none

# ext4 straight from the tree. mke2fs copies owners and change times of the building machine: set them afterwards.
export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
uuid=5b0f2c1e-6a4d-4e0b-9c77-27a6d1f00004
mke2fs -q -F -t ext4 -L userdata -U $uuid -E hash_seed=$uuid,root_owner=0:0 -d "$work/files" \
    "$work/data" $((data_size * 1024))k >/dev/null
(cd "$work/files" && find . -mindepth 1 | sort) | while IFS= read -r path; do
    case $path in ./home/*) owner=1000 ;; *) owner=0 ;; esac
    file="\"${path#.}\""
    for field in "uid $owner" "gid $owner" "ctime @$SOURCE_DATE_EPOCH" "crtime @$SOURCE_DATE_EPOCH" \
        "atime @$SOURCE_DATE_EPOCH" "ctime_extra 0" "crtime_extra 0" "atime_extra 0"; do
        echo "set_inode_field $file $field"
    done
done >"$work/owners"
debugfs -w -f "$work/owners" "$work/data" >"$work/owners.log" 2>&1
if grep -v -e '^debugfs: set_inode_field' -e '^debugfs 1' "$work/owners.log" >&2; then
    echo "disk.sh: debugfs complained" >&2; exit 1
fi
e2fsck -f -n "$work/data" >"$work/check.log" 2>&1 || { cat "$work/check.log" >&2; exit 1; }
dd if="$work/data" of="$out" bs=$mebibyte seek=$data_start conv=notrunc,sparse status=none
