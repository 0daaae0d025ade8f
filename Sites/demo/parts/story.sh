# The story, chapter by chapter (see the list in README.md). Source me.

tenant=harbour-trading
desktop=harbour-desk-01

story_of_the_sources() {
    begin 0
    declare_estate
    start_coordinator
    sign_in
    local site
    for site in "${sites[@]}"; do
        enrol "$site"
        start_agent "$site"
    done
    tell "coordinator and the agents of HK-ALC and CN-SHBAO are up and enrolled, on loopback with TLS"

    begin 1
    disk=$estate/desktop/disk.raw
    folder=$estate/desktop/files
    mkdir -p "$estate/desktop"
    copy_disk "$fixture" "$disk"
    if [ -n "${SOURCE:-}" ]; then copy_folder "$SOURCE" "$folder"; else make_folder "$folder"; fi
    operate tenant create "$tenant" --title "Harbour Trading" --site hk-alc --site cn-shbao >"$evidence/tenant.json"
    operate desktop create "$desktop" --tenant "$tenant" --site hk-alc --title "Desk 1" --disk "$disk" \
        --folder "$folder" --port 7777 >"$evidence/desktop.json"
    tell "tenant $tenant has a bootable desktop disk of $(figure "$(stat -c %s "$disk")") and" \
        "$(find "$folder" -type f -printf . | wc -c) user files, $(figure "$(du -sb "$folder" | cut -f1)")"
}

tell_backup() {
    tell "$2: $(result "$1" files) files and the disk, $(figure "$(result "$1" bytes)") read," \
        "$(figure "$(result "$1" storedBytes)") stored"
    local warnings
    warnings=$(result "$1" 'warnings | length')
    [ "$warnings" -eq 0 ] || note "$warnings warnings, the first: $(result "$1" 'warnings[0]')"
}

story_of_the_backups() {
    begin 2
    done_job backup-1 backup "$desktop"
    tell_backup backup-1 "HK-ALC backed up the desktop"
    change_folder "$folder"
    # The name that the ready line will show: it proves that this backup is the one that boots.
    hostname=harbour-$RANDOM
    change_disk "$disk" "$hostname"
    step_began=$EPOCHREALTIME
    done_job backup-2 backup "$desktop"
    tell_backup backup-2 "and again after a small change"
    snapshot=$(result backup-2 snapshot)
    local first second
    first=$(result backup-1 storedBytes)
    second=$(result backup-2 storedBytes)
    [ "$second" -gt 0 ] && [ "$second" -lt $((first / 4 + 2097152)) ] ||
        fail "the second backup stored $second bytes, the first one $first"
    note "the difference only: $(awk -v a="$second" -v b="$first" 'BEGIN { printf "%.2f", 100 * a / b }') % of the first"
}

story_of_the_copy() {
    begin 3
    # Nobody without a certificate of the estate's authority gets a byte of the vault.
    if curl -ks --max-time 10 "https://127.0.0.1:$hk_alc_port/" >"$evidence/stranger.txt" 2>&1; then
        fail "HK-ALC's vault talks to a stranger without a certificate"
    fi
    done_job copy replicate --tenant "$tenant" --site cn-shbao
    tell "CN-SHBAO pulled $(result copy objects) sealed objects, $(figure "$(result copy copiedBytes)"), over mutual TLS"
    result copy 'snapshots[]' | grep -qx "$snapshot" || fail "the newest snapshot is not in the copy"

    # Keyless: what the site was given, what it has, and that it opens nothing.
    operate job list --limit 1000 | jq -r 'select(.site == "cn-shbao") | .work.kind' | sort -u >"$evidence/cn-shbao-work.txt"
    if grep -vx -e initialiseRepository -e replicate "$evidence/cn-shbao-work.txt"; then
        fail "CN-SHBAO was given work that keys are granted for"
    fi
    (cd "$(state_of cn-shbao)" && find . -type f | sort && jq -r 'keys[]' keys.json) >"$evidence/cn-shbao-state.txt"
    local status=0
    (umask 077; head -c 24 /dev/urandom | base64 >"$scratch/wrong.passphrase")
    toolbox list "$(vault_of cn-shbao)/$tenant" "$scratch/wrong.passphrase" "$snapshot" \
        >"$evidence/cn-shbao-keyless.txt" 2>&1 || status=$?
    [ "$status" -eq 3 ] || fail "a site without keys opened the copy, or failed otherwise (exit $status)"
    note "without a key: no work with a grant so far, only its own keys in its state, and the copy does not open (exit 3)"
}

# restore NAME SITE WHAT TARGET [PATH]: by the agent of the site, from the copy of the site
restore() {
    local only=()
    [ $# -lt 5 ] || only=(--include "$5")
    done_job "$1" restore "$desktop" --site "$2" --what "$3" --target "$4" "${only[@]}"
    [ "$(result "$1" 'warnings | length')" -eq 0 ] || fail "$1 warns: $(result "$1" 'warnings[0]')"
}

story_of_the_restores() {
    begin 4
    local site place file
    # One whose name can be typed and shown: orders travel as JSON, which has no bytes that are no text.
    file=$(find "$folder" -type f -size +0 -print0 | grep -azx '[[:print:]]*' | LC_ALL=C sort -z | tail -z -n 1 | tr -d '\0')
    for site in "${sites[@]}"; do
        place=$estate/restored/$site
        mkdir -p "$place"
        restore "restore-folder-$site" "$site" files "$place/folder" "$folder"
        same_tree "$folder" "$place/folder$folder" "folder-$site"
        tell "${site^^}: the folder is back, $(result "restore-folder-$site" files) files: every byte, name, mode, owner," \
            "time, link, attribute and ACL as in the source"
        restore "restore-file-$site" "$site" files "$place/file" "$file"
        same_file "$file" "$place/file$file" "file-$site"
        tell "${site^^}: one file alone is back, the same $(figure "$(stat -c %s "$file")"): ${file##*/}"
        restore "restore-disk-$site" "$site" disk "$place/disk.raw"
        same_file "$disk" "$place/disk.raw" "disk-$site"
        tell "${site^^}: the whole disk is back, the same $(figure "$(stat -c %s "$disk")")," \
            "$(figure $(($(stat -c '%b * %B' "$place/disk.raw")))) of them written"
        rm -rf "$place"
    done
}

# moment NAME -> nanoseconds of a step of the recovery run
moment() { date -d "$(jq -r ".times.$1" "$evidence/recovery.json")" +%s%N; }

story_of_the_disaster() {
    begin 5
    kill_hard hk-alc
    mv "$(vault_of hk-alc)" "$estate/hk-alc/vault-out-of-reach"
    tell "HK-ALC is lost: its agent is killed and its vault is gone"
    operate recovery start "$desktop" --site cn-shbao --ready-line DESKTOP-READY --port 7777 --deadline 120 --wait \
        >"$scratch/recovery.jsonl"
    tail -n 1 "$scratch/recovery.jsonl" >"$evidence/recovery.json"
    [ "$(jq -r .state "$evidence/recovery.json")" = ready ] || fail "the desktop is not ready: $(cat "$evidence/recovery.json")"
    tell "CN-SHBAO: from declaration to ready in $(seconds $((($(moment ready) - $(moment declared)) / 1000000)));" \
        "booted over NBD from the sealed copy, nothing hydrated ($(jq -r .evidence.accelerator "$evidence/recovery.json"))"
    local ready way place
    ready=$(jq -r .evidence.readyLine "$evidence/recovery.json")
    case $ready in
        *"host=$hostname "*) ;;
        *) fail "the ready line is \"$ready\", and the newest backup is of host $hostname" ;;
    esac
    note "console: $ready"
    note "answered: $(jq -r .evidence.answeredBy "$evidence/recovery.json")"
    # And with our own hands: the port that the machine offers on loopback.
    way=$(jq -r '.evidence.reach[0] // empty' "$evidence/recovery.json")
    place=$(grep -oE '127\.0\.0\.1:[0-9]+' <<<"$way" | head -n 1) || fail "nothing says where to reach the machine: $way"
    timeout 10 bash -c "exec 3<>/dev/tcp/${place/://} && cat <&3" >"$evidence/port-7777.txt" || true
    grep -q "host=$hostname " "$evidence/port-7777.txt" || fail "the machine does not answer on $place"
    note "asked from here, $way: $(head -n 1 "$evidence/port-7777.txt")"
    ready=$(jq -r .evidence.screenshot "$evidence/recovery.json")
    [ -s "$ready" ] || fail "there is no screenshot"
    cp "$ready" "$evidence/desktop.png"
    note "screenshot: $evidence/desktop.png"
    if [ "${KEEP:-}" = 1 ]; then
        note "the desktop keeps running (KEEP=1)"
    else
        step_began=$EPOCHREALTIME
        operate recovery cleanup "$(jq -r .id "$evidence/recovery.json")" --wait >"$evidence/recovery-end.json"
        tell "CN-SHBAO: the machine is stopped, its overlay removed"
    fi
    mv "$estate/hk-alc/vault-out-of-reach" "$(vault_of hk-alc)"
    start_agent hk-alc
    tell "HK-ALC is back with its vault"
}

packs_in() { find "$1/packs" -type f -size +1M 2>/dev/null | wc -l; }
snapshots_in() { toolbox snapshots "$1" "$estate/escrow.passphrase" --json | jq -r .id | sort; }

story_of_the_killed_agent() {
    begin 6
    local vault job packs killed state
    vault=$(vault_of hk-alc)/$tenant
    head -c "${KILLED_BACKUP_BYTES:-800000000}" /dev/urandom >"$folder/新 archive.bin"
    snapshots_in "$vault" >"$scratch/before"
    points_of "$desktop" >"$scratch/points-before"
    packs=$(packs_in "$vault")
    step_began=$EPOCHREALTIME
    job=$(operate job backup "$desktop" | jq -r .id)
    until [ "$(packs_in "$vault")" -gt "$packs" ]; do
        [ "$(awk -v s="$(since "$step_began")" 'BEGIN { print (s > 60) }')" = 0 ] || fail "the backup does not begin"
        sleep 0.02
    done
    kill_hard hk-alc
    killed=$EPOCHREALTIME
    state=$(operate job show "$job" | jq -r .state.name)
    case $state in
        leased | running) ;;
        *) fail "the backup was $state when the agent was killed; give KILLED_BACKUP_BYTES more than 800000000" ;;
    esac
    tell "HK-ALC's agent was killed (SIGKILL) in the middle of a backup, with $(($(packs_in "$vault") - packs)) packs written"
    snapshots_in "$vault" >"$scratch/after"
    points_of "$desktop" >"$scratch/points-after"
    diff "$scratch/before" "$scratch/after" >"$evidence/killed-snapshots.txt" || fail "half a snapshot is visible"
    diff "$scratch/points-before" "$scratch/points-after" >>"$evidence/killed-snapshots.txt" ||
        fail "half a recovery point is visible"
    toolbox check "$vault" "$estate/escrow.passphrase" --read-data >"$evidence/killed-check.txt" 2>&1 ||
        fail "check is not clean after the kill (exit $?): $(tail -n 1 "$evidence/killed-check.txt")"
    tell "nothing half-visible: the same $(wc -l <"$scratch/before") snapshots as before, and check is clean"

    # Nobody tells the coordinator: it has heard nothing of the agent for the length of a lease.
    until [ "$(operate job show "$job" | jq -r .state.name)" = queued ]; do
        [ "$(awk -v s="$(since "$killed")" 'BEGIN { print (s > 60) }')" = 0 ] || fail "the lease does not run out"
        sleep 0.2
    done
    tell "the lease ran out $(since "$killed") s after the kill, and the job is back in the queue by itself"
    start_agent hk-alc
    operate job wait "$job" >"$scratch/job.jsonl"
    tail -n 1 "$scratch/job.jsonl" >"$evidence/backup-3.json"
    operate journal list --limit 1000 | jq -r --arg job "$job" 'select(.event.subject == $job) |
        "\(.event.when) \(.event.what) \(.event.details.term // "-")"' >"$evidence/killed-job.txt"
    grep -q ' job\.leaseExpired ' "$evidence/killed-job.txt" || fail "no lease ran out: $(cat "$evidence/killed-job.txt")"
    [ "$(jq -r .term "$evidence/backup-3.json")" -ge 2 ] || fail "the job was finished under its first lease"
    tell_backup backup-3 "the agent is started again and finishes it, under lease $(jq -r .term "$evidence/backup-3.json")"
    note "$(cut -d' ' -f2 "$evidence/killed-job.txt" | tr '\n' ' ')"
    [ "$(snapshots_in "$vault" | wc -l)" -eq $(($(wc -l <"$scratch/before") + 1)) ] || fail "there is not one snapshot more"
    step_began=$EPOCHREALTIME
    mkdir -p "$estate/restored"
    toolbox restore "$vault" "$estate/escrow.passphrase" "latest:$desktop" --target "$estate/restored/again" \
        --include "$folder" >"$evidence/killed-restore.txt" 2>&1 ||
        fail "the finished backup does not restore: $(tail -n 1 "$evidence/killed-restore.txt")"
    same_tree "$folder" "$estate/restored/again$folder" folder-after-kill
    rm -rf "$estate/restored"
    tell "the finished backup restores, without coordinator or agent, byte for byte"
}

story_of_the_journal() {
    begin 7
    operate journal list --limit 1000 >"$evidence/journal.jsonl"
    operate journal verify >"$evidence/journal-verdict.json"
    local site
    for site in "${sites[@]}"; do
        toolbox check "$(vault_of "$site")/$tenant" "$estate/escrow.passphrase" --read-data \
            >"$evidence/check-$site.txt" 2>&1 || fail "check at $site: $(tail -n 1 "$evidence/check-$site.txt")"
    done
    tell "every byte of both vaults checks, and the $(jq -r .entries "$evidence/journal-verdict.json") entries of the journal chain"
}

how_to_reach() {
    cat >"$estate/stop.sh" <<STOP
#!/bin/bash
# Ends the estate that KEEP=1 left running, and removes it.
for id in ${process[cn-shbao]:-} ${process[hk-alc]:-} ${process[coordinator]:-}; do
    kill -TERM "\$id" 2>/dev/null
    for attempt in \$(seq 300); do kill -0 "\$id" 2>/dev/null || break; sleep 0.05; done
done
for id in \$(grep -lF "$estate/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
    [ "\$id" = "\$\$" ] || kill -KILL "\$id" 2>/dev/null
done
rm -rf "$estate" "$scratch"
STOP
    cat <<REACH
The estate keeps running. To be its operator:
    export BREAKWATER_COORDINATOR=$BREAKWATER_COORDINATOR
    export BREAKWATER_TOKEN_FILE=$BREAKWATER_TOKEN_FILE
    export BREAKWATER_AUTHORITY=$BREAKWATER_AUTHORITY
    $programs/breakwater recovery list
The vaults, without a coordinator:
    export BREAKWATER_PASSPHRASE_FILE=$estate/escrow.passphrase
    $programs/breakwater repository snapshots --vault $(vault_of hk-alc)/$tenant
    $programs/breakwater repository snapshots --vault $(vault_of cn-shbao)/$tenant
To end it:
    bash $estate/stop.sh
REACH
}
