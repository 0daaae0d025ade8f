# What the demo says: one line a step, with the time since the start and the time it took; all of it also in the
# evidence. Source me.

demo_began=$EPOCHREALTIME
step_began=$EPOCHREALTIME
step_name=

# since MOMENT -> seconds with one digit
since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

# Also from within a function whose output is caught: the reader sees it.
exec 9>&1
line() {
    printf '%s\n' "$*" >&9
    [ -z "${evidence:-}" ] || printf '%s\n' "$*" >>"$evidence/story.txt"
}

# begin NUMBER: a step of the story begins; the clock of its lines is set back.
begin() {
    step_name=$1
    step_began=$EPOCHREALTIME
}

# tell TEXT...: what has just been done, and how long that took.
tell() {
    line "$(printf '[%6s s] %-2s %s  (%s s)' "$(since "$demo_began")" "$step_name" "$*" "$(since "$step_began")")"
    step_began=$EPOCHREALTIME
}

# note TEXT...: something worth knowing, under the line before.
note() { line "$(printf '%13s %s' '' "$*")"; }

# fail TEXT...: the demo ends here, with exit 1.
fail() {
    line "$(printf '[%6s s] %-2s FAILED: %s' "$(since "$demo_began")" "$step_name" "$*")"
    exit 1
}

# figure BYTES -> "12.3 MiB"
figure() {
    awk -v n="$1" 'BEGIN {
        split("B KiB MiB GiB TiB", unit, " "); i = 1
        while (n >= 1024 && i < 5) { n /= 1024; i++ }
        printf(i == 1 ? "%d %s" : "%.1f %s", n, unit[i])
    }'
}

# seconds MILLISECONDS -> "1.234 s"
seconds() { awk -v n="$1" 'BEGIN { printf "%.3f s", n / 1000 }'; }
