# ---------------------------------------------------------------------------------------------------------------------
# From here on it is the same for every run.

dry=no overwrite=no
for word in "$@"; do
    case $word in
    -n | --dry-run) dry=yes ;;
    --overwrite) overwrite=yes ;;
    -h | --help)
        printf '%s\n' "Goes back from run $run of project $project: $green has ports $ports again." \
            "  --dry-run    say what would be done, and do nothing" \
            "  --overwrite  put the files back though somebody edited them since (they are kept in $kept)"
        exit 0
        ;;
    *)
        printf 'rollback.sh: there is no option %s: --dry-run, --overwrite, --help\n' "$word" >&2
        exit 2
        ;;
    esac
done

say() { printf '%s\n' "$*"; }

# refuse CODE WHAT NEXT: nothing more is done.
refuse() {
    printf 'rollback.sh: %s\n  next: %s\n' "$2" "$3" >&2
    exit "$1"
}

# act COMMAND...: say it and do it; with --dry-run, say it.
act() {
    command=$1
    case $command in engine) command=docker ;; compose) command='docker compose' ;; esac
    (shift && say "+ $command $*")
    [ "$dry" = yes ] || "$@" >/dev/null
}

digest() {
    if [ -f "$1" ]; then sha256sum <"$1" | cut -d ' ' -f 1; else echo none; fi
}

# -- what there is ----------------------------------------------------------------------------------------------------

# The containers of a service, by name, whatever state they are in.
of_service() {
    engine ps -a --format '{{.Names}}' --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1" --filter "label=com.docker.compose.oneoff=False"
}

# Where one service was replaced by itself: the container that it had; nothing where that was removed.
of_old() { [ -z "$old" ] || engine ps -a --format '{{.Names}}' --filter "id=$old"; }

# Where one service was replaced by itself, blue is every container of it but the old one.
of_blue() { of_service "$blue" | grep -Fvx -- "$(of_old)" || true; }

of_green() {
    name=$(of_old)
    if [ -n "$name" ]; then printf '%s\n' "$name"; else of_service "$green"; fi
}

of_edge() { engine ps -a --format '{{.Names}}' --filter "label=io.cutover.project=$project"; }

# Who has a port of the host now.
holder() { engine ps --format '{{.Names}}' --filter "publish=$1"; }

# Say whether the containers that are given, and nobody else, have every legacy port.
hold_all() {
    for port in $ports; do
        who=$(holder "$port")
        [ -n "$who" ] || return 1
        for one in $who; do
            case " $(printf '%s ' "$@")" in *" $one "*) ;; *) return 1 ;; esac
        done
    done
}

# Say whether a container runs, and is healthy where it says so.
well() {
    [ "$(engine inspect --format '{{.State.Running}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' \
        "$1" 2>/dev/null | grep -cE '^true (healthy|none)$')" = 1 ]
}

# -- the files --------------------------------------------------------------------------------------------------------

# see_file PATH COPY BEFORE AFTER MODE OWNER: see that it can be put back.
see_file() {
    [ "$(digest "$2")" = "$3" ] || refuse 4 "the saved copy $2 is damaged" "cutover backups --verify"
    [ ! -L "$1" ] || refuse 1 "$1 is a link now, and was a file" "put it back by hand from $2"
    found=$(digest "$1")
    case $found in
    "$3" | "$4" | none) ;;
    *) [ "$overwrite" = yes ] ||
        refuse 1 "$1 was edited since the swap; nothing was changed" \
            "diff it with $2, mend it by hand, or: $0 --overwrite" ;;
    esac
}

# put_back_file: the same arguments. The file as it is now is kept; old or new after a crash, never half.
put_back_file() {
    [ "$(digest "$1")" != "$3" ] || return 0
    say "+ put back $1"
    [ "$dry" = no ] || return 0
    if [ -e "$1" ]; then cp -p -- "$1" "$kept/"; fi
    new=$(mktemp -- "$1.rollback.XXXXXX")
    cat -- "$2" >"$new"
    chmod -- "$5" "$new"
    chown -- "$6" "$new" 2>/dev/null || say "  (its owner could not be set to $6)"
    sync
    mv -f -- "$new" "$1"
}

files_are_back() {
    # shellcheck disable=SC2317
    same() { [ "$(digest "$1")" = "$3" ] || different=yes; }
    different=no
    each_file same
    [ "$different" = no ]
}

# -- green ------------------------------------------------------------------------------------------------------------

# What green ran, under the name that Compose asks for.
see_image() {
    [ -n "$image_id" ] || return 0
    [ "$(engine image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)" != "$image_id" ] || return 0
    if engine image inspect "$image_id" >/dev/null 2>&1; then
        act engine tag "$image_id" "$image"
    else
        say "note: $image_id, which $green ran, is gone; Compose takes what $image is now (a backup may have it:" \
            "ls $state/$project/backups/*/images)"
    fi
}

stop_blue() {
    for one in $(of_blue); do
        act engine update --restart no "$one"
        act engine stop "$one"
        # What the swap made goes; its volumes stay.
        [ "$blue_was_there" = yes ] || act engine rm "$one"
    done
}

# The network that keeps containers from their ports: whoever leaves it has them back.
leave_park() {
    engine network inspect "$park" >/dev/null 2>&1 || return 0
    for one in $(of_green) $(of_blue); do
        # shellcheck disable=SC2016  # the dollars are Docker's
        engine inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$one" |
            grep -Fqx -- "$park" || continue
        # By force Docker does not give the ports back, so that only where it is refused.
        act engine network disconnect "$park" "$one" || act engine network disconnect --force "$park" "$one"
    done
    act engine network rm "$park" || say "note: network $park is still used; it does no harm"
}

start_green() {
    see_image
    act compose up -d --no-deps --no-build --pull never --no-recreate "$green" || true
    [ "$dry" = no ] || return 0
    # What the file says now may be something else than what runs: then, and only then, it is made anew.
    # shellcheck disable=SC2046  # IDs
    if [ "$way" = edge ] || ! hold_all_soon $(of_green); then
        act compose up -d --no-deps --no-build --pull never "$green"
    fi
    # shellcheck disable=SC2046
    if [ "$way" != edge ] && ! hold_all_soon $(of_green); then
        for one in $(of_green); do act engine restart "$one"; done
    fi
    for one in $(of_green); do act engine update --restart "$restart" "$one"; done
}

hold_all_soon() {
    for _ in 1 2 3 4 5; do
        if hold_all "$@"; then return 0; fi
        sleep 0.2
    done
    return 1
}

wait_for_green() {
    [ "$dry" = no ] || return 0
    left=$wait_s
    while :; do
        for one in $(of_green); do
            if well "$one"; then return 0; fi
        done
        [ "$left" -gt 0 ] || refuse 4 "$green is not well after $wait_s s" "docker logs $(of_green | head -n 1)"
        left=$((left - 1))
        sleep 1
    done
}

# -- the edge ---------------------------------------------------------------------------------------------------------

# An edge that this run made: it goes, and green gets ports of its own again.
remove_edge() {
    for one in $(of_edge); do act engine rm -f "$one"; done
    if [ -e "$state/$project/edge" ]; then act keep_away "$state/$project/edge"; fi
    if [ -e "$edge_file" ]; then act keep_away "$edge_file"; fi
}

keep_away() { mv -f -- "$1" "$kept/$(basename -- "$1")-$(date +%s)"; }

# An edge that stood before this run: it is told what it was told before, and started again with that.
turn_edge_back() {
    edge=$state/$project/edge
    [ -d "$edge/$generation" ] || refuse 4 "the edge is another one now than it was before the swap" "cutover rollback"
    (cd -- "$run_folder/edge" && find . -type f) | while IFS= read -r name; do
        say "+ put back $edge/${name#./}"
        if [ "$dry" = no ]; then
            cp -p -- "$run_folder/edge/$name" "$edge/$name.rollback" && mv -f -- "$edge/$name.rollback" "$edge/$name"
        fi
    done
    for one in $(of_edge); do act engine restart -t 1 "$one"; done
}

# -- the way back -----------------------------------------------------------------------------------------------------

if command -v flock >/dev/null 2>&1; then
    exec 9>>"$state/$project.lock"
    flock -n 9 || refuse 1 "a cutover is at work on $project" "wait for it, or interrupt it: it goes back by itself"
fi
engine version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    refuse 1 "no Docker Engine answers; nothing was changed" "docker version"
for later in "$state/$project"/*/journal.jsonl; do
    folder=$(dirname -- "$later")
    newest=$(printf '%s\n' "$run" "$(basename -- "$folder")" | sort | tail -n 1)
    if [ "$newest" != "$run" ] && [ ! -e "$folder/$mark" ] && tail -n 1 "$later" | grep -q '"result":"done"'; then
        refuse 1 "run $(basename -- "$folder") came later and stands on this one; nothing was changed" \
            "sh $folder/rollback.sh"
    fi
done
each_file see_file

# shellcheck disable=SC2046
if [ -e "$run_folder/$mark" ] && files_are_back && { [ "$way" = edge ] || hold_all $(of_green); }; then
    say "$green serves already: this run was rolled back at $(cat -- "$run_folder/$mark")"
    exit 0
fi
say "going back from run $run: $green shall have ports $ports"
[ "$dry" = yes ] || { mkdir -p -- "$kept" && chmod 0700 -- "$kept"; }

case $way in
edge)
    each_file put_back_file
    [ "$exclusive" = no ] || stop_blue
    start_green
    wait_for_green
    turn_edge_back
    stop_blue
    ;;
*)
    each_file put_back_file
    stop_blue
    [ "$way" = ports ] || remove_edge
    leave_park
    start_green
    wait_for_green
    ;;
esac

if [ "$dry" = yes ]; then
    say "nothing was done"
    exit 0
fi
# shellcheck disable=SC2046
if [ "$way" = edge ]; then holders=$(of_edge); else holders=$(of_green); fi
# shellcheck disable=SC2086
hold_all_soon $holders || refuse 4 "ports $ports are not all held by ${way#ports} $green alone" "docker ps; cutover ports"
date -u +%Y-%m-%dT%H:%M:%SZ >"$run_folder/$mark"
say "done: $green runs and has ports $ports again; what was put away is in $kept"
