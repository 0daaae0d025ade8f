# What an operator does, by the command line or by the interface behind it. Source me.

# call METHOD PATH [JSON] -> the answer; the demo ends with the coordinator's own words when it refuses.
call() {
    local body=()
    [ $# -lt 3 ] || body=(-H 'Content-Type: application/json' --data-binary "$3")
    curl -sS --fail-with-body --max-time 60 --cacert "$estate/coordinator/authority.pem" -X "$1" \
        -H @"$estate/operator.header" "${body[@]}" "https://127.0.0.1:$operators_port$2" >"$scratch/answer.json" ||
        fail "$1 $2: $(head -c 600 "$scratch/answer.json" 2>/dev/null)"
    cat "$scratch/answer.json"
}

sign_in() {
    (umask 077; printf 'Authorization: Bearer %s\n' "$(cat "$estate/coordinator/operator.token")" >"$estate/operator.header")
}

# enrol SITE: a one-time token, used once.
enrol() {
    (umask 077; call POST /v1/enrolment-tokens "{\"site\": \"$1\", \"agent\": \"$1-agent\", \"minutes\": 10}" \
        >"$estate/$1.token")
    "$programs/breakwater-agent" enrol --configuration "$estate/$1-agent.yaml" --token-file "$estate/$1.token" \
        >>"$evidence/$1.log" 2>&1 || fail "$1 could not enrol: $(tail -1 "$evidence/$1.log")"
    rm "$estate/$1.token"
}

# order JSON -> the id of the new job
order() { call POST /v1/jobs "$1" | jq -r .id; }

# outcome JOB [SECONDS] -> the job when it is done; anything else ends the demo
outcome() {
    local deadline=$((SECONDS + ${2:-300})) state
    while :; do
        call GET "/v1/jobs/$1?wait=20" >"$evidence/$1.json"
        state=$(jq -r .state.name "$evidence/$1.json")
        case $state in
            done) cat "$evidence/$1.json"; return ;;
            failed | cancelled) fail "job $1 $state: $(jq -c .state.failure "$evidence/$1.json")" ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] || fail "job $1 is still $state after ${2:-300} s"
    done
}

# result FIELD <JOB -> a figure of a job that is done
result() { jq -r ".state.result.details.$1"; }

points_of() { call GET "/v1/recovery-points?desktop=$1" | jq -r '.items[].snapshot' | sort; }
