#!/bin/bash
# make.sh VERSION : writes Fixtures/golden/VERSION with the program at hand. Run once, when a format version is settled;
# what it wrote is never written again, and every later program must read it.
#
#   source/      what was backed up, except what a checkout cannot hold (it is made below)
#   vault/       two snapshots of the tree, one of a disk, in one repository
#   offsite/     its copy
#   passphrase   opens both
#   disk.sha256  of the image that snapshot `disk` restores
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
version=$1 program=$(realpath ../../.build/release/breakwater)
[ ! -e "$version/vault" ] || { echo "$version stands already" >&2; exit 1; }
mkdir -p "$version/source/用户/文档" "$version/source/empty-is-kept-by-this-file"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export BREAKWATER_STATE=$scratch/state
echo 'golden' > "$version/passphrase"
chmod 600 "$version/passphrase"
cd "$version"
printf "季度报告 2026\n" > source/用户/文档/季度报告.txt
seq 1 20000 > source/numbers.csv
head -c 300000 /dev/zero > source/zeros.bin
ln -s numbers.csv source/link.csv
: > source/empty-is-kept-by-this-file/empty
run() { "$program" repository "$@" --passphrase-file passphrase; }
run init --vault vault
(cd source && "$program" repository backup --vault ../vault --passphrase-file ../passphrase --name tree .)
echo 'one more line' >> source/numbers.csv
(cd source && "$program" repository backup --vault ../vault --passphrase-file ../passphrase --name tree .)
truncate -s 5000001 "$scratch/disk.raw"
seq 1 60000 | dd of="$scratch/disk.raw" bs=1 seek=1000000 conv=notrunc status=none iflag=fullblock
run backup --vault vault --name disk --disk "$scratch/disk.raw"
sha256sum < "$scratch/disk.raw" | cut -d' ' -f1 > disk.sha256
"$program" repository copy --from vault --to offsite
