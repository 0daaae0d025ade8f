# What an operator does, by the command line. Source me.

# The operator's settings, as a shell of theirs would have them.
sign_in() {
    export BREAKWATER_COORDINATOR=https://127.0.0.1:$operators_port
    export BREAKWATER_TOKEN_FILE=$estate/coordinator/operator.token
    export BREAKWATER_AUTHORITY=$estate/coordinator/authority.pem
    export BREAKWATER_STATE=$estate/operator
}

# operate NOUN VERB ARGUMENT... -> JSON; when it is refused, the demo ends with the program's own words.
operate() {
    local status=0
    "$programs/breakwater" "$@" --json --quiet >"$scratch/answer.jsonl" 2>"$scratch/words.txt" || status=$?
    [ "$status" -eq 0 ] ||
        fail "breakwater $* (exit $status): $(cat "$scratch/words.txt" "$scratch/answer.jsonl" | tail -c 800)"
    cat "$scratch/answer.jsonl"
}

# done_job NAME ARGUMENT...: orders the job, waits until it is done, and keeps it in the evidence as NAME.json.
done_job() {
    local name=$1
    shift
    operate job "$@" --wait >"$scratch/job.jsonl"
    tail -n 1 "$scratch/job.jsonl" >"$evidence/$name.json"
    [ "$(jq -r .state.name "$evidence/$name.json")" = "done" ] || fail "$name: $(cat "$evidence/$name.json")"
}

# result NAME FIELD: of a job that is done
result() { jq -r ".state.result.details.$2" "$evidence/$1.json"; }

# enrol SITE: a one-time token, used once.
enrol() {
    operate agent token --site "$1" --agent "$1-agent" --minutes 10 --out "$estate/$1.token" >/dev/null
    "$programs/breakwater-agent" enrol --configuration "$estate/$1-agent.yaml" --token-file "$estate/$1.token" \
        >>"$evidence/$1.log" 2>&1 || fail "$1 could not enrol: $(tail -1 "$evidence/$1.log")"
    rm "$estate/$1.token"
}

points_of() { operate desktop points "$1" | jq -r .snapshot | sort; }

# toolbox VERB VAULT PASSPHRASE-FILE ARGUMENT...: the offline commands, which need no coordinator
toolbox() {
    local verb=$1 vault=$2 passphrase=$3
    shift 3
    BREAKWATER_STATE=$scratch/toolbox "$programs/breakwater" repository "$verb" --vault "$vault" \
        --passphrase-file "$passphrase" --quiet "$@"
}
