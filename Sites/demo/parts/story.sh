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
    if [ -n "${SOURCE:-}" ]; then copy_folder "$(realpath "$SOURCE")" "$folder"; else make_folder "$folder"; fi
    call POST /v1/tenants "{\"id\": \"$tenant\", \"title\": \"Harbour Trading\", \"sites\": [\"hk-alc\", \"cn-shbao\"]}" \
        >"$evidence/tenant.json"
    jq -n --arg id "$desktop" --arg tenant "$tenant" --arg disk "$disk" --arg folder "$folder" '{
        id: $id, tenant: $tenant, title: "Desk 1", site: "hk-alc", diskImage: $disk, folders: [$folder],
        machine: { memoryMiB: 256, processors: 1, firmware: "bios", ports: [7777] } }' >"$scratch/desktop.json"
    call POST /v1/desktops "$(cat "$scratch/desktop.json")" >"$evidence/desktop.json"
    tell "tenant $tenant has a bootable desktop disk of $(figure "$(stat -c %s "$disk")") and" \
        "$(find "$folder" -type f | wc -l) user files, $(figure "$(du -sb "$folder" | cut -f1)")"
}

order_backup() { order "{\"kind\": \"backup\", \"desktop\": \"$desktop\"}"; }

back_up() {
    local job
    job=$(order_backup)
    outcome "$job" >"$scratch/backup.json"
}

tell_backup() {
    tell "$1: $(result files <"$scratch/backup.json") files and the disk," \
        "$(figure "$(result bytes <"$scratch/backup.json")") read," \
        "$(figure "$(result storedBytes <"$scratch/backup.json")") stored"
    warnings=$(result 'warnings | length' <"$scratch/backup.json")
    [ "$warnings" -eq 0 ] || note "$warnings warnings, the first: $(result 'warnings[0]' <"$scratch/backup.json")"
}

story_of_the_backups() {
    begin 2
    back_up
    local first second
    first=$(result storedBytes <"$scratch/backup.json")
    tell_backup "HK-ALC backed up the desktop"
    change_folder "$folder"
    # The name that the ready line will show: it proves that this backup is the one that boots.
    hostname=harbour-$RANDOM
    change_disk "$disk" "$hostname"
    step_began=$EPOCHREALTIME
    back_up
    second=$(result storedBytes <"$scratch/backup.json")
    snapshot=$(result snapshot <"$scratch/backup.json")
    tell_backup "and again after a small change"
    [ "$second" -lt $((first / 4 + 4194304)) ] || fail "the second backup stored $second bytes, the first one $first"
    note "the difference only: $(awk -v a="$second" -v b="$first" 'BEGIN { printf "%.1f", 100 * a / b }') % of the first"
}

story_of_the_copy() {
    begin 3
    # Nobody without a certificate of the estate's authority gets a byte of the vault.
    if curl -ks --max-time 10 "https://127.0.0.1:$hk_alc_port/" >"$evidence/stranger.txt" 2>&1; then
        fail "HK-ALC's vault talks to a stranger without a certificate"
    fi
    local job
    job=$(order "{\"kind\": \"replicate\", \"tenant\": \"$tenant\", \"site\": \"cn-shbao\"}")
    outcome "$job" >"$scratch/copy.json"
    tell "CN-SHBAO pulled $(result objects <"$scratch/copy.json") sealed objects," \
        "$(figure "$(result copiedBytes <"$scratch/copy.json")"), over mutual TLS"
    result 'snapshots[]' <"$scratch/copy.json" | grep -qx "$snapshot" || fail "the newest snapshot is not in the copy"

    # Keyless: what the site was given, what it has, and that it opens nothing.
    call GET "/v1/jobs?limit=100" | jq -r '.items[] | select(.site == "cn-shbao") | .work.kind' | sort -u \
        >"$evidence/cn-shbao-work.txt"
    if grep -vqx -e initialiseRepository -e replicate "$evidence/cn-shbao-work.txt"; then
        fail "CN-SHBAO was given work that keys are granted for"
    fi
    (cd "$(state_of cn-shbao)" && find . -type f | sort && jq -r keys[] keys.json) >"$evidence/cn-shbao-state.txt"
    local status=0
    head -c 24 /dev/urandom | base64 >"$scratch/wrong.passphrase"
    chmod 600 "$scratch/wrong.passphrase"
    toolbox list "$(vault_of cn-shbao)/$tenant" "$scratch/wrong.passphrase" "$snapshot" \
        >"$evidence/cn-shbao-keyless.txt" 2>&1 || status=$?
    [ "$status" -eq 3 ] || fail "a site without keys opened the copy, or failed otherwise (exit $status)"
    note "without a key: no work with a grant so far, its own three keys in its state, and the copy does not open (exit 3)"
}

# toolbox VERB VAULT PASSPHRASE-FILE ARGUMENT...: the offline commands, which need no coordinator
toolbox() {
    local verb=$1 vault=$2 passphrase=$3
    shift 3
    BREAKWATER_STATE=$scratch/toolbox "$programs/breakwater" repository "$verb" --vault "$vault" \
        --passphrase-file "$passphrase" "$@"
}

# restore SITE WHAT TARGET [PATH]: by the agent of the site, from the copy of the site
restore() {
    local body job
    body=$(jq -n --arg site "$1" --arg what "$2" --arg target "$3" --arg desktop "$desktop" --arg path "${4:-}" '{
        kind: "restore", desktop: $desktop, site: $site, what: $what, target: $target,
        include: (if $path == "" then [] else [$path] end) }')
    job=$(order "$body")
    outcome "$job" >"$scratch/restore.json"
    [ "$(result 'warnings | length' <"$scratch/restore.json")" -eq 0 ] ||
        fail "the restore at $1 warns: $(result 'warnings[0]' <"$scratch/restore.json")"
}

story_of_the_restores() {
    begin 4
    local site place file
    file=$(find "$folder" -type f -size +0 | LC_ALL=C sort | tail -1)
    for site in "${sites[@]}"; do
        place=$estate/restored/$site
        mkdir -p "$place"
        restore "$site" files "$place/folder" "$folder"
        same_tree "$folder" "$place/folder$folder" "folder-$site"
        tell "${site^^}: the folder is back, $(result files <"$scratch/restore.json") files; every byte, name, mode," \
            "owner, time, link, attribute and ACL as in the source"
        restore "$site" files "$place/file" "$file"
        same_file "$file" "$place/file$file" "file-$site"
        tell "${site^^}: one file alone is back, the same $(figure "$(stat -c %s "$file")"): ${file##*/}"
        restore "$site" disk "$place/disk.raw"
        same_file "$disk" "$place/disk.raw" "disk-$site"
        tell "${site^^}: the whole disk is back, the same $(figure "$(stat -c %s "$disk")")," \
            "$(figure $(($(stat -c '%b * %B' "$place/disk.raw")))) of them on disk"
        rm -rf "$place"
    done
}

# moment NAME -> nanoseconds of a step of the recovery run
moment() { jq -r ".times.$1.nanoseconds" "$evidence/recovery.json"; }

story_of_the_disaster() {
    begin 5
    kill_hard hk-alc
    mv "$(vault_of hk-alc)" "$estate/hk-alc/vault-out-of-reach"
    tell "HK-ALC is lost: its agent is killed and its vault is gone"
    local body run state
    body=$(jq -n --arg desktop "$desktop" --arg ready "DESKTOP-READY" '{
        desktop: $desktop, site: "cn-shbao", probe: { readyLine: $ready, port: 7777, deadlineSeconds: 120 } }')
    step_began=$EPOCHREALTIME
    run=$(call POST /v1/recovery-runs "$body" | jq -r .id)
    state=declared
    while :; do
        call GET "/v1/recovery-runs/$run?wait=20&after=$state" >"$evidence/recovery.json"
        state=$(jq -r .state "$evidence/recovery.json")
        case $state in
            ready) break ;;
            failed) fail "the recovery failed: $(jq -c .failure "$evidence/recovery.json")" ;;
        esac
        [ "$(awk -v s="$(since "$step_began")" 'BEGIN { print (s > 240) }')" = 0 ] || fail "the recovery is still $state"
    done
    local ready took screenshot
    ready=$(jq -r .evidence.readyLine "$evidence/recovery.json")
    took=$((($(moment ready) - $(moment declared)) / 1000000))
    tell "CN-SHBAO: declared to ready in $(seconds "$took"), booted over NBD from the sealed copy, nothing hydrated" \
        "($(jq -r .evidence.accelerator "$evidence/recovery.json"))"
    case $ready in
        *"host=$hostname "*) ;;
        *) fail "the ready line is \"$ready\", and the newest backup is of host $hostname" ;;
    esac
    note "console: $ready"
    note "answered: $(jq -r .evidence.answeredBy "$evidence/recovery.json")"
    screenshot=$(jq -r .evidence.screenshot "$evidence/recovery.json")
    [ -s "$screenshot" ] || fail "there is no screenshot"
    cp "$screenshot" "$evidence/desktop.png"
    note "screenshot: $evidence/desktop.png"
    # And with our own hands: the port that the machine offers on loopback.
    local way host
    way=$(jq -r '.evidence.reach[0] // empty' "$evidence/recovery.json")
    host=$(grep -oE '127\.0\.0\.1:[0-9]+' <<<"$way" | head -1) || true
    if [ -n "$host" ]; then
        timeout 10 bash -c "exec 3<>/dev/tcp/${host/://} && cat <&3" >"$evidence/port-7777.txt" || true
        grep -q "host=$hostname " "$evidence/port-7777.txt" || fail "the machine does not answer on $host"
        note "port 7777, asked from here at $host: $(head -1 "$evidence/port-7777.txt")"
    fi
    if [ "${KEEP:-}" = 1 ]; then
        note "the desktop keeps running (KEEP=1): $way"
    else
        step_began=$EPOCHREALTIME
        call POST "/v1/recovery-runs/$run/cleanup" >/dev/null
        state=ready
        local deadline=$((SECONDS + 60))
        while [ "$state" != cleanedUp ]; do
            call GET "/v1/recovery-runs/$run?wait=20&after=$state" >"$evidence/recovery-end.json"
            state=$(jq -r .state "$evidence/recovery-end.json")
            [ "$state" != failed ] && [ "$SECONDS" -lt "$deadline" ] || fail "the machine could not be stopped ($state)"
        done
        tell "CN-SHBAO: the machine is stopped, its overlay removed"
    fi
    mv "$estate/hk-alc/vault-out-of-reach" "$(vault_of hk-alc)"
    start_agent hk-alc
    tell "HK-ALC is back with its vault"
}

packs_in() { find "$(vault_of hk-alc)/$tenant/packs" -type f -size +1M 2>/dev/null | wc -l; }
snapshots_in() { toolbox snapshots "$1" "$estate/escrow.passphrase" --json | jq -r .id | sort; }

story_of_the_killed_agent() {
    begin 6
    local vault job before packs
    vault=$(vault_of hk-alc)/$tenant
    head -c "${KILLED_BACKUP_BYTES:-800000000}" /dev/urandom >"$folder/新 archive.bin"
    snapshots_in "$vault" >"$scratch/before"
    points_of "$desktop" >"$scratch/points-before"
    packs=$(packs_in)
    step_began=$EPOCHREALTIME
    job=$(order_backup)
    until [ "$(packs_in)" -gt "$packs" ]; do
        [ "$(awk -v s="$(since "$step_began")" 'BEGIN { print (s > 60) }')" = 0 ] || fail "the backup does not begin"
        sleep 0.02
    done
    kill_hard hk-alc
    local killed=$EPOCHREALTIME
    case $(call GET "/v1/jobs/$job" | jq -r .state.name) in
        leased | running) ;;
        *) fail "the backup was over before the agent was killed; give KILLED_BACKUP_BYTES more" ;;
    esac
    tell "HK-ALC's agent was killed (SIGKILL) in the middle of a backup, $(($(packs_in) - packs)) packs written"
    snapshots_in "$vault" >"$scratch/after"
    points_of "$desktop" >"$scratch/points-after"
    diff "$scratch/before" "$scratch/after" >"$evidence/killed-snapshots.txt" || fail "half a snapshot is visible"
    diff "$scratch/points-before" "$scratch/points-after" >>"$evidence/killed-snapshots.txt" ||
        fail "half a recovery point is visible"
    toolbox check "$vault" "$estate/escrow.passphrase" >"$evidence/killed-check.txt" 2>&1 ||
        fail "check is not clean after the kill (exit $?): $(tail -1 "$evidence/killed-check.txt")"
    tell "nothing half-visible: the same $(wc -l <"$scratch/before") snapshots, and check is clean"

    start_agent hk-alc
    local expired
    outcome "$job" 180 >"$scratch/backup.json"
    expired=$(call GET "/v1/journal?limit=1000" | jq -r --arg job "$job" \
        '[.items[] | select(.event.subject == $job) | .event.what] | join(" ")')
    echo "$expired" >"$evidence/killed-job.txt"
    [ "$(jq -r .term "$scratch/backup.json")" -ge 2 ] || fail "the job was finished under its first lease"
    tell "the lease ran out, the job went back to the queue by itself and is done under term" \
        "$(jq -r .term "$scratch/backup.json"), $(since "$killed") s after the kill"
    note "$expired"
    note "$(figure "$(result bytes <"$scratch/backup.json")") read," \
        "$(figure "$(result storedBytes <"$scratch/backup.json")") stored;" \
        "$(($(snapshots_in "$vault" | wc -l) - $(wc -l <"$scratch/before"))) snapshot more"
    step_began=$EPOCHREALTIME
    toolbox restore "$vault" "$estate/escrow.passphrase" "latest:$desktop" --target "$estate/restored" --include "$folder" \
        >"$evidence/killed-restore.txt" 2>&1 || fail "the finished backup does not restore: $(tail -1 "$evidence/killed-restore.txt")"
    same_tree "$folder" "$estate/restored$folder" folder-after-kill
    rm -rf "$estate/restored"
    tell "the finished backup restores, without coordinator or agent, byte for byte"
}

story_of_the_journal() {
    begin 7
    call GET "/v1/journal?limit=1000" | jq -c '.items[]' >"$evidence/journal.jsonl"
    call GET /v1/journal/verify >"$evidence/journal-verdict.json"
    [ "$(jq -r '.broken // "no"' "$evidence/journal-verdict.json")" = no ] || fail "the journal's chain is broken"
    local site
    for site in "${sites[@]}"; do
        toolbox check "$(vault_of "$site")/$tenant" "$estate/escrow.passphrase" --read-data \
            >"$evidence/check-$site.txt" 2>&1 || fail "check at $site: $(tail -1 "$evidence/check-$site.txt")"
    done
    tell "every byte of both vaults checks, and the journal's $(jq -r .entries "$evidence/journal-verdict.json") entries chain"
}

how_to_reach() {
    cat >"$estate/stop.sh" <<STOP
#!/bin/bash
# Ends the estate that KEEP=1 left running, and removes it.
for id in $(for name in "${!process[@]}"; do echo -n "${process[$name]} "; done); do kill -TERM "\$id" 2>/dev/null; done
sleep 3
for id in \$(grep -lF "$estate/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
    [ "\$id" = "\$\$" ] || kill -KILL "\$id" 2>/dev/null
done
rm -rf "$estate" "$scratch"
STOP
    cat <<REACH
The estate keeps running:
  operators   https://127.0.0.1:$operators_port   (authority $estate/coordinator/authority.pem)
              curl --cacert $estate/coordinator/authority.pem -H @$estate/operator.header https://127.0.0.1:$operators_port/v1/jobs
  vaults      $(vault_of hk-alc)/$tenant
              $(vault_of cn-shbao)/$tenant
              BREAKWATER_PASSPHRASE_FILE=$estate/escrow.passphrase $programs/breakwater repository snapshots --vault ...
  evidence    $evidence
  end it      bash $estate/stop.sh
REACH
}
