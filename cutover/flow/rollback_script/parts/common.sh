export LC_ALL=C
umask 077
dry='' overwrite='' changed='' made='' green='' new=''

# -- what a person sees ------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*" | tr -d '\000-\010\013-\037\177'; }

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }

# refuse MESSAGE NEXT...: before anything was changed
refuse() {
    say "rollback.sh: $1" >&2
    shift
    for line in "$@"; do say "  next: $line" >&2; done
    [ ! "$changed" ] || by_hand >&2
    [ "$changed" ] || say "  nothing was changed" >&2
    trap - EXIT
    [ ! "$changed" ] || exit 4
    exit 1
}

broke_off() {
    code=$1
    [ ! "$new" ] || rm -f -- "$new"
    [ "$code" -ne 0 ] || exit 0
    say "rollback.sh: it broke off (exit code $code); look at the last lines above, mend that, and call it again:" \
        "what is done already is left alone" >&2
    [ ! "$changed" ] || by_hand >&2
    [ ! "$changed" ] || exit 4
    exit 1
}

docker_does() {
    say "  + docker $*"
    [ ! "$dry" ] || return 0
    changed=yes
    d "$@" >/dev/null
}

compose_does() {
    say "  + docker compose -p $PROJECT $*"
    [ ! "$dry" ] || return 0
    changed=yes
    compose "$@" >/dev/null
}

# -- before anything is changed ----------------------------------------------------------------------------------------

# A copy of the project's folder is not the project.
see_place() {
    case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
    [ "$(cd "$here" && pwd -P)" = "$(cd "$RUN" 2>/dev/null && pwd -P)" ] ||
        refuse "this is a copy: it belongs to $RUN" "sh $RUN/rollback.sh"
}

see_alone() {
    if ! command -v flock >/dev/null; then
        say "note: there is no flock here, so nobody sees whether a cutover runs"
    elif [ -e "$LOCK" ]; then
        exec 9<"$LOCK"
        flock -n 9 || refuse "a cutover works on project $PROJECT now" \
            "wait for it; or interrupt it, it goes back by itself: kill -INT PID (cutover status says which)"
        if [ -e "$COMPOSE_LOCK" ]; then
            exec 8<"$COMPOSE_LOCK"
            end=$(($(seconds) + 60))
            until flock -n 8; do # not every flock can wait
                [ "$(seconds)" -lt "$end" ] ||
                    refuse "a docker compose of a cutover that was killed still works on project $PROJECT" \
                        "wait for it, or end it: fuser -v $COMPOSE_LOCK" "then again: sh $0"
                moment
            done
            exec 8<&-
        fi
    fi
}

# How a run ended, by its journal; nothing where it did not.
ended() { grep '"kind":"result"' "$1/journal.jsonl" 2>/dev/null | tail -n 1 | sed 's/.*"result":"\([a-z_]*\)".*/\1/'; }

# A swap that came later stands on this one: it goes back first. And one that went back already is left alone.
see_newest() {
    after=''
    case $(ended "$RUN") in
    rolled_back | interrupted | refused)
        say "this run went back already, by its journal: nothing is to be done"
        exit 0
        ;;
    esac
    for folder in "$RUNS"/*/; do
        run=${folder%/}
        run=${run##*/}
        case $run in tests | edge | backups) continue ;; esac
        if [ "$run" = "$RUN_ID" ]; then
            after=yes
        elif [ "$after" ] && [ -e "$folder/rollback.sh" ] && [ ! -e "$folder/rolled-back-by-hand" ]; then
            case $(ended "$folder") in
            rolled_back | interrupted | refused) ;;
            *) refuse "run $run came after this one and stands on it" "sh $folder""rollback.sh" ;;
            esac
        fi
    done
}

see_engine() {
    d version >/dev/null 2>&1 || refuse "no Docker Engine answers" "start it, then again: sh $0" \
        "if the Engine runs: docker version says what it lacks (a context is known to the user who swapped)"
    d compose version >/dev/null 2>&1 || refuse "docker has no Compose v2" "install docker-compose-plugin, then again"
}

# -- files -------------------------------------------------------------------------------------------------------------

sum() {
    [ -f "$1" ] || return 0
    sha256sum <"$1" | cut -d ' ' -f 1
}

# check_copy COPY SHA256
check_copy() {
    [ "$(sum "$1")" = "$2" ] || refuse "the saved copy $1 is not what was saved" \
        "look for another one under $RUNS/backups/, and put the file back yourself"
}

# check_file PATH COPY BEFORE AFTER: what somebody edited since the swap is not thrown away unasked
check_file() {
    [ ! -d "$1" ] || refuse "$1 is a folder now" "mv $1 $1.away" "then again: sh $0"
    found=$(sum "$1")
    case $found in
    "$3" | "$4" | '') return 0 ;;
    esac
    if [ "$overwrite" ]; then
        say "note: $1 was edited since the swap; the edit is kept in $RUN/before-rollback/"
        return 0
    fi
    refuse "$1 was edited since the swap" "diff $2 $1" \
        "sh $0 --overwrite: puts the old one back, and keeps the edited one in $RUN/before-rollback/"
}

# put_back PATH COPY SHA256 MODE UID GID: whole, or not at all; a link stays one
put_back() {
    place=$(readlink -f -- "$1" || printf '%s' "$1")
    [ "$(sum "$place")" != "$3" ] || return 0
    say "  + cp $2 $1"
    [ ! "$dry" ] || return 0
    changed=yes
    if [ -f "$place" ]; then
        mkdir -p "$RUN/before-rollback"
        keep=$RUN/before-rollback/${place##*/}
        while [ -e "$keep" ]; do keep=$keep.again; done
        cp -p -- "$place" "$keep"
    fi
    new=$(mktemp "${place%/*}/.rollback.XXXXXXXX")
    cp -- "$2" "$new"
    [ "$(id -u):$(id -g)" = "$5:$6" ] || chown "$5:$6" "$new"
    chmod "$4" "$new"
    mv -f -- "$new" "$place"
    new=''
    sync
}

# -- containers --------------------------------------------------------------------------------------------------------

service_ids() {
    d ps -aq --no-trunc --filter "label=com.docker.compose.project=$PROJECT" \
        --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}

# NUMBER/INSIDE/PROTOCOL of each port that a container has on the host now, or would have if it could
bound() { d inspect --format '{{range $p, $b := .NetworkSettings.Ports}}{{range $b}}{{.HostPort}}/{{$p}} {{end}}{{end}}' "$1"; }
asked() { d inspect --format '{{range $p, $b := .HostConfig.PortBindings}}{{range $b}}{{.HostPort}}/{{$p}} {{end}}{{end}}' "$1"; }

# has_all LIST, has_any LIST: the legacy ports
has_all() {
    for port in $PORTS; do has "$1" "${port%/*}" "${port#*/}" || return 1; done
}

has_any() {
    for port in $PORTS; do ! has "$1" "${port%/*}" "${port#*/}" || return 0; done
    return 1
}

has() {
    for entry in $1; do
        case $entry in "$2"/*/"$3") return 0 ;; esac
    done
    return 1
}

fact() { d inspect --format "$2" "$1" 2>/dev/null || true; }
name_of() { fact "$1" '{{slice .Name 1}}'; }
runs() { [ "$(fact "$1" '{{.State.Running}}')" = true ]; }
health() { fact "$1" '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}'; }
on_park() { fact "$1" '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}' | grep -qF -- "$PARK "; }

# The image that green ran, under the name that the compose file has for it.
have_image() {
    see_image
    [ "$(fact_of_image "$IMAGE")" != "$IMAGE_ID" ] || return 0
    say "$IMAGE names another image by now: $(fact_of_image "$IMAGE"); it gets the one back that $GREEN ran"
    docker_does tag "$IMAGE_ID" "$IMAGE"
}

see_image() {
    [ "$(fact_of_image "$IMAGE_ID")" = "$IMAGE_ID" ] || refuse "the image that $GREEN ran is gone: $IMAGE ($IMAGE_ID)" \
        "pull or build it again; or, where a backup has it: ls $RUNS/backups/*/images; zstd -dc FILE | docker load" \
        "then again: sh $0"
    case $IMAGE in
    *@*)
        [ "$(fact_of_image "$IMAGE")" = "$IMAGE_ID" ] || refuse "$IMAGE is not known by its digest any more" \
            "docker pull $IMAGE" "then again: sh $0"
        ;;
    esac
}

fact_of_image() { d image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }

is_among() {
    for entry in $2; do [ "$entry" != "$1" ] || return 0; done
    return 1
}

seconds() { date +%s; }
moment() { sleep 0.2 2>/dev/null || sleep 1; }

# Until green runs and is not unhealthy.
wait_healthy() {
    [ ! "$dry" ] || return 0
    end=$(($(seconds) + READY_S))
    while :; do
        case $(fact "$green" '{{.State.Status}}')/$(health "$green") in
        running/none | running/healthy) return 0 ;;
        paused/*) docker_does unpause "$(name_of "$green")" ;;
        exited/* | dead/* | /*) refuse "$GREEN does not run" "docker logs $(name_of "$green")" ;;
        esac
        [ "$(seconds)" -lt "$end" ] || refuse "$GREEN is not healthy after $READY_S s" "docker logs $(name_of "$green")"
        moment
    done
}

# accepted HOST PORT: a connection is taken, and is not hung up on at once
accepted() {
    [ ! "$dry" ] || return 0
    if ! command -v bash >/dev/null; then
        say "note: no bash here, so no connection to port $2 was tried"
        return 0
    fi
    end=$(($(seconds) + READY_S))
    # shellcheck disable=SC2016  # bash expands these
    until bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit; IFS= read -r -t 0.5 -n 1 -u 3 || [ $? -gt 128 ]' "$1" "$2" 2>/dev/null; do
        [ "$(seconds)" -lt "$end" ] || refuse "port $2 takes no connection" "docker logs $(name_of "$green")"
        moment
    done
    say "a connection to $1 port $2 is taken"
}

# Keeps a container that is used again from staying away after a reboot: while it was parked it was not to come back.
as_before() {
    [ ! "$made" ] && [ "$green" ] || return 0
    policy=$(fact "$green" '{{.HostConfig.RestartPolicy.Name}}{{if .HostConfig.RestartPolicy.MaximumRetryCount}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}{{end}}')
    [ "${policy:-no}" = "$GREEN_RESTART" ] || docker_does update --restart "$GREEN_RESTART" "$(name_of "$green")"
}

gone() {
    gone=$(name_of "$1")
    ! runs "$1" || docker_does stop "$gone"
    docker_does rm "$gone"
}

# What the swap made of blue goes; what was there before comes back.
blue_away() {
    [ ! -e "$MARK" ] || return 0
    for blue in $(blue_ids); do
        if [ "$blue" = "$BLUE_ID" ]; then
            [ "$BLUE_WAS" = running ] || ! runs "$blue" || docker_does stop "$(name_of "$blue")"
        else
            gone "$blue"
        fi
    done
    [ "$BLUE_WAS" != none ] && [ "$BLUE" != "$GREEN" ] || return 0
    [ ! "$(blue_ids)" ] || return 0
    case $BLUE_WAS in
    running) compose_does up --detach --no-deps --no-build --pull never "$BLUE" ;;
    *) compose_does up --no-start --no-deps --no-build --pull never "$BLUE" ;;
    esac || say "note: $BLUE is not as it was before the swap"
}

park_away() {
    d network inspect "$PARK" >/dev/null 2>&1 || return 0
    for container in $(d ps -aq --filter "network=$PARK"); do docker_does network disconnect -f "$PARK" "$(name_of "$container")"; done
    docker_does network rm "$PARK" || say "note: the network $PARK is still there: docker network rm $PARK"
}

finish() {
    if [ "$dry" ]; then
        say "dry run: nothing was changed"
        return 0
    fi
    { [ -e "$MARK" ] || printf 'rolled back by rollback.sh, %s, user %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(id -un)" >"$MARK"; } ||
        say "note: without $MARK cutover does not know of it"
    if [ "$changed" ]; then
        say "done: $GREEN serves (container $(name_of "$green")), ports $PORTS"
    else
        say "$GREEN serves already (container $(name_of "$green")), ports $PORTS: nothing was to be done"
    fi
}
