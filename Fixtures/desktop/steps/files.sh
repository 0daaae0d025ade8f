#!/bin/bash
# files.sh TREE: what the desktop's user keeps. Ordinary kinds of files in the proportions of a small desktop, with
# names in Chinese (both scripts), spaces, links, an empty file, a sparse one; the same bytes every time.
set -euo pipefail
tree=$1
mkdir -p "$tree"/{etc,var/lib,home/alice,home/張偉}

echo harbour-desk-01 >"$tree/etc/hostname"

# Bytes that do not compress, from nothing but their seed.
# What head leaves is nobody's error, and is told as a signal or, where whoever started us ignores that one, in words.
noise() (
    set +o pipefail
    { seq "$1" 2000000 | gzip -6n; } 2>/dev/null | head -c "$2"
)

alice=$tree/home/alice
mkdir -p "$alice"/{Documents,Pictures,Mail,Downloads,".config/app"}
seq 1 40000 | awk '{ printf "%d,HK-%05d,%d.%02d,HKD\n", $1, $1 * 7919 % 100000, $1 * 31 % 90000, $1 % 100 }' \
    >"$alice/Documents/invoices 2026.csv"
for quarter in 1 2 3 4; do
    seq 1 3000 | awk -v q="$quarter" '{ print "Q" q " line " $1 ": berth " $1 % 17 ", containers " $1 * q % 977 }' \
        >"$alice/Documents/report-q$quarter.txt"
done
for picture in $(seq 1 24); do noise "$((picture * 1013))" $((40000 + picture * 9001)) >"$alice/Pictures/IMG_$((4000 + picture)).jpg"; done
noise 77 4000000 >"$alice/Downloads/manual.pdf"
for message in $(seq 1 120); do
    printf 'From: desk@harbour.example\nTo: alice@harbour.example\nSubject: Vessel %d\n\nBerth %d at %02d:00.\n' \
        "$message" $((message % 17)) $((message % 24)) >"$alice/Mail/$message.eml"
done
printf '{"theme":"dark","zoom":1.25}\n' >"$alice/.config/app/settings.json"
: >"$alice/Documents/empty.txt"
ln -s "Documents/invoices 2026.csv" "$alice/latest invoices"
ln "$alice/Documents/report-q1.txt" "$alice/Documents/report-q1 (hard link).txt"
truncate -s 8M "$alice/Documents/sparse.db"
printf 'end' | dd of="$alice/Documents/sparse.db" bs=1 seek=6000000 conv=notrunc status=none

wei=$tree/home/張偉
mkdir -p "$wei"/{文件/合同,图片,桌面}
printf '季度报告\n第一季度集装箱吞吐量：%d 标准箱。\n' 123456 >"$wei/文件/季度报告.txt"
printf '季度報告（繁體）\n維多利亞港\n' >"$wei/文件/季度報告.txt"
for contract in $(seq 1 30); do
    { printf '合同编号 %04d\n甲方：海港贸易有限公司\n' "$contract"; seq "$contract" $((contract + 400)); } \
        >"$wei/文件/合同/合同-$(printf %04d "$contract").txt"
done
noise 501 900000 >"$wei/图片/上海外滩.jpg"
noise 502 700000 >"$wei/图片/維港 夜景.jpg"
printf '记得备份！\n' >"$wei/桌面/便笺 ①.txt"

find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
