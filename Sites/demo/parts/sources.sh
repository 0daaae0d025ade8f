# What belongs to the tenant: a bootable disk and a folder of user files; and the small change of the second day.
# Source me.

# The second partition of the fixture disk (Fixtures/desktop/steps/disk.sh), in bytes.
data_partition=$((43 * 1048576))

# copy_disk FIXTURE IMAGE
copy_disk() { cp --sparse=always "$1" "$2"; }

# copy_folder SOURCE FOLDER: the demo changes files, and the reader's own are not the demo's to change.
copy_folder() {
    local needed free
    [ -d "$1" ] && [ -r "$1" ] && [ -x "$1" ] || fail "SOURCE=$1 is no folder that can be read"
    set -- "$(realpath -- "$1"; echo .)" "$2" # The dot keeps newlines at the end of the name.
    set -- "${1%??}" "$2"
    needed=$(du -sk "$1" | cut -f1)
    free=$(df -Pk "$(dirname "$2")" | awk 'NR == 2 { print $4 }')
    # The copy, two vaults, restores from both, and room to breathe.
    [ "$free" -gt $((needed * 7 + 2097152)) ] ||
        fail "$1 holds $(figure $((needed * 1024))), and $(dirname "$2") has room for $(figure $((free * 1024))):" \
            "the demo wants seven times as much and 2 GiB; choose another TMPDIR or a smaller SOURCE"
    if ! cp -a --sparse=auto --reflink=auto "$1" "$2" 2>"$evidence/not-copied.txt"; then
        note "$(wc -l <"$evidence/not-copied.txt") of your files could not be read and are left out (not-copied.txt)"
    fi
    [ -s "$evidence/not-copied.txt" ] || rm -f "$evidence/not-copied.txt"
    chmod u+rwx "$2"
}

# make_folder FOLDER: user files of every kind that a file system knows.
make_folder() {
    local folder=$1
    SOURCE_DATE_EPOCH=1700000000 bash "$project/Fixtures/desktop/steps/files.sh" "$folder"
    rm -r "$folder"/etc "$folder"/var # the desktop's own, and no user's
    local documents=$folder/home/alice/Documents
    echo "caught by nanoseconds" >"$documents/precise.txt"
    touch -d "2024-02-29 23:59:59.123456789" "$documents/precise.txt"
    echo "raw bytes in the name" >"$documents/"$'caf\xe9 \x01.txt'
    mkfifo "$documents/pipe"
    chmod 1770 "$folder/home/張偉/桌面"
    chmod 4750 "$documents/report-q2.txt"
    # Where the file system of the demo knows neither, the demo is the poorer for it, and says so.
    setfattr -n user.origin -v "scanner 3" "$documents/report-q3.txt" 2>/dev/null ||
        note "no extended attributes on the file system of $folder"
    setfacl -m u:12345:rx,g:54321:r "$documents/report-q4.txt" 2>/dev/null ||
        note "no ACLs on the file system of $folder"
}

# change_folder FOLDER: a working day: a new folder, one line more in one file, which gets a second name.
change_folder() {
    local folder=$1 file
    mkdir -p "$folder/会议 minutes"
    seq 1 20000 | awk '{ print "minute " $1 ": berth " $1 * 37 % 91 }' >"$folder/会议 minutes/记录 1.txt"
    file=$(find "$folder" -type f -size +0 -perm -u=w -print0 | LC_ALL=C sort -z | head -z -n 1 | tr '\0' .) || true
    file=${file%.} # What ends the name is a newline of its own, perhaps.
    if [ -n "$file" ]; then
        echo "one line more" >>"$file"
        ln -- "$file" "$folder/会议 minutes/linked"
    fi
}

# change_disk IMAGE HOSTNAME: the desktop gets another name and a new file, written into its ext4 partition. The name
# comes back in the ready line: a boot proves which backup it came from.
change_disk() {
    local image="$1?offset=$data_partition"
    printf '%s\n' "$2" >"$scratch/hostname"
    seq 1 3000 >"$scratch/minutes.txt"
    PATH=$PATH:/usr/sbin:/sbin debugfs -w -f /dev/stdin "$image" >"$evidence/change-disk.txt" 2>&1 <<COMMANDS
rm /etc/hostname
write $scratch/hostname /etc/hostname
write $scratch/minutes.txt /home/alice/Documents/minutes.txt
COMMANDS
    PATH=$PATH:/usr/sbin:/sbin debugfs -R "cat /etc/hostname" "$image" 2>/dev/null | grep -qx "$2" ||
        fail "the disk could not be changed: $(tail -1 "$evidence/change-disk.txt")"
}
