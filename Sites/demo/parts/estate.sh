# The estate of the demo: a coordinator and an agent at each site, on loopback, from the documents in Sites/. Everything
# lies under $estate; nothing runs on when the demo ends, unless KEEP=1. Source me.

sites=(hk-alc cn-shbao)
declare -A process=() # coordinator, hk-alc, cn-shbao -> process id

# free_port -> a port of loopback that nobody listens on and that was not given out before
free_port() {
    local port
    while :; do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        grep -qx "$port" "$scratch/ports" 2>/dev/null && continue
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port" >>"$scratch/ports"
            echo "$port"
            return
        fi
    done
}

vault_of() { echo "$estate/$1/vault"; }
state_of() { echo "$estate/$1/state"; }

# declare_estate: the reviewed documents, with this machine's folders and ports in them.
declare_estate() {
    local site
    operators_port=$(free_port)
    agents_port=$(free_port)
    (umask 077; head -c 24 /dev/urandom | base64 >"$estate/escrow.passphrase")
    for site in "${sites[@]}"; do
        local port
        port=$(free_port)
        eval "${site//-/_}_port=$port"
        mkdir -p "$(vault_of "$site")"
        sed -E -e "s|^( *path:).*|\1 $(vault_of "$site")|" -e "s|^address:.*|address: https://127.0.0.1:$port|" \
            "$project/Sites/$site.yaml" >"$estate/$site.yaml"
        sed -E -e "s|^site:.*|site: $site|" -e "s|^coordinator:.*|coordinator: https://127.0.0.1:$operators_port|" \
            -e "s|^state:.*|state: $(state_of "$site")|" -e "s|^vault:.*|vault: $(vault_of "$site")|" \
            -e "s|^listen:.*|listen: 127.0.0.1:$port|" "$project/Sites/agent.yaml" >"$estate/$site-agent.yaml"
    done
    # Leases are short here, so that nobody waits long for one to run out.
    sed -E -e "s|^state:.*|state: $estate/coordinator|" -e "s|^operators:.*|operators: 127.0.0.1:$operators_port|" \
        -e "s|^agents:.*|agents: 127.0.0.1:$agents_port|" \
        -e "s|^agentsAddress:.*|agentsAddress: https://127.0.0.1:$agents_port|" \
        -e "s|^names:.*|names: [localhost, 127.0.0.1]|" -e "s|^leaseSeconds:.*|leaseSeconds: 6|" \
        -e "/^ *#? *escrowPassphraseFile:/d" "$project/Sites/coordinator.yaml" >"$estate/coordinator.yaml"
    echo "escrowPassphraseFile: $estate/escrow.passphrase" >>"$estate/coordinator.yaml"
    cp "$estate"/*.yaml "$evidence/"
}

# start NAME COMMAND...: a daemon in a session of its own, so that Ctrl-C reaches this script alone, which then ends
# the daemons in order.
start() {
    local name=$1
    shift
    setsid "$@" >>"$evidence/$name.log" 2>&1 </dev/null &
    process[$name]=$!
    disown "$!"
    echo "$!" >"$estate/$name.pid"
}

start_coordinator() {
    start coordinator "$programs/breakwater-coordinator" serve --configuration "$estate/coordinator.yaml"
    local attempt
    for attempt in $(seq 200); do
        if curl -ks --max-time 2 "https://127.0.0.1:$operators_port/v1/health" >/dev/null; then break; fi
        kill -0 "${process[coordinator]}" 2>/dev/null || fail "the coordinator ended: $(tail -1 "$evidence/coordinator.log")"
        sleep 0.1
    done
    [ -s "$estate/coordinator/operator.token" ] || fail "the coordinator does not answer (coordinator.log)"
}

start_agent() {
    start "$1" "$programs/breakwater-agent" serve --configuration "$estate/$1-agent.yaml"
}

# wait_for_end PID SECONDS -> whether it has ended
wait_for_end() {
    local attempt
    for attempt in $(seq $(($2 * 20))); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.05
    done
    return 1
}

# stop NAME: SIGTERM, and SIGKILL for one that does not listen.
stop() {
    local id=${process[$1]:-}
    [ -n "$id" ] || return 0
    unset "process[$1]"
    kill -TERM "$id" 2>/dev/null || return 0
    wait_for_end "$id" 15 || {
        note "$1 did not stop within 15 s of SIGTERM and is killed"
        kill -KILL "$id" 2>/dev/null || true
    }
}

# kill_hard NAME: as a power cut would.
kill_hard() {
    kill -KILL "${process[$1]}"
    wait_for_end "${process[$1]}" 5 || fail "$1 lives on after SIGKILL"
    unset "process[$1]"
}

# Whatever still runs from the estate's folder (a machine of an agent that was killed), by id.
stragglers() {
    local entry
    for entry in /proc/[0-9]*; do
        [ "${entry#/proc/}" != "$$" ] || continue
        if { tr '\0' '\n' <"$entry/cmdline" | grep -qF "$estate/"; } 2>/dev/null; then echo "${entry#/proc/}"; fi
    done
}

take_down() {
    local name id
    for name in cn-shbao hk-alc coordinator; do stop "$name"; done
    for id in $(stragglers); do kill -KILL "$id" 2>/dev/null || true; done
    rm -rf "$estate" "$scratch"
}
