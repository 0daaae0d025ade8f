# Comparisons that can fail, and then end the demo. Each leaves what it compared in the evidence. Source me.

# same_file SOURCE RESTORED WHAT
same_file() {
    cmp "$1" "$2" >"$evidence/compare-$3.txt" 2>&1 || fail "$3: $(head -1 "$evidence/compare-$3.txt")"
    echo "cmp: the same $(stat -c %s "$1") bytes" >>"$evidence/compare-$3.txt"
}

# same_tree SOURCE RESTORED WHAT: every byte, name, kind, mode, owner, time, link, attribute and ACL.
same_tree() {
    local source=$1 restored=$2 what=$3 out=$evidence/compare-$3.txt
    [ -d "$restored" ] || fail "$what: $restored is not there"
    # 1. Content. diff calls two pipes (sockets, devices) different files, whatever they are: their kind is in 2.
    { LC_ALL=C diff -r -q --no-dereference "$source" "$restored" || [ $? -eq 1 ]; } 2>&1 |
        sed -E '/^File .* is a (fifo|socket|character special file|block special file) while file .* is a \1$/d' >"$out"
    [ ! -s "$out" ] || fail "$what: $(wc -l <"$out") differences, the first: $(head -1 "$out")"
    # 2. Everything about the entries but their content.
    local aspect
    for aspect in entries_of hard_links_of attributes_of; do
        "$aspect" "$source" >"$scratch/source.list"
        "$aspect" "$restored" >"$scratch/restored.list"
        diff "$scratch/source.list" "$scratch/restored.list" >"$out" ||
            fail "$what: ${aspect%_of} differ, the first: $(grep -m1 '^[<>]' "$out")"
        echo "$aspect: $(wc -l <"$scratch/source.list") lines, the same" >>"$evidence/compare-$what.summary"
    done
    { echo "diff -r: the same"; cat "$evidence/compare-$what.summary"; } >"$out"
    rm -f "$evidence/compare-$what.summary"
}

# One line an entry: kind, mode, owner, group, time in nanoseconds, size of files, target of links, name.
entries_of() {
    (cd "$1" && find . -mindepth 1 \( -type f -printf '%y %m %U %G %T@ %s %P\0' \) -o \
        \( -type l -printf '%y %U %G %T@ -> %l %P\0' \) -o -printf '%y %m %U %G %T@ %P\0') |
        LC_ALL=C sort -z | tr '\n\0' '\1\n'
}

# Each name of a file with several, and the first of its names.
hard_links_of() {
    (cd "$1" && find . -type f -links +1 -printf '%i %P\0') | tr '\n\0' '\1\n' | LC_ALL=C sort -k 2 |
        awk '{ inode = $1; sub(/^[0-9]+ /, ""); if (!(inode in first)) first[inode] = $0; print $0 " = " first[inode] }'
}

# Extended attributes and ACLs, a line a file.
attributes_of() {
    (cd "$1" && getfattr -R -h -d -m '^(user|security\.capability|system\.posix_acl)' -e hex . 2>/dev/null) |
        awk -v RS= -v FS='\n' '{ for (i = 1; i <= NF; i++) printf "%s\t", $i; print "" }' | LC_ALL=C sort
}
