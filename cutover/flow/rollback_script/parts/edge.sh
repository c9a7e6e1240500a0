# -- the edge, which stood before the swap -----------------------------------------------------------------------------

edge_ids() {
    d ps -aq --no-trunc --filter "label=io.cutover.project=$PROJECT" --filter "label=io.cutover.edge=$GENERATION"
}

# tell VERB: over its control sockets, from inside one of its containers
tell() {
    for container in $(edge_ids); do
        runs "$container" || continue
        d exec "$container" python3 -c "$(cat "$RUN/edge/tell.py")" "$1" "$(cat "$RUN/edge/tell.json")"
        return
    done
    say "no container of the edge runs"
    return 1
}

edge_does() {
    say "  + tell the edge: $1"
    [ ! "$dry" ] || return 0
    changed=yes
    tell "$1"
}

see_generation() {
    for container in $(d ps -q --no-trunc --filter "label=io.cutover.project=$PROJECT" --filter label=io.cutover.edge); do
        is_among "$container" "$(edge_ids)" || refuse "the edge was upgraded since this swap" "cutover rollback $RUN_ID" \
            "or take the edge away by hand: the first lines of $EDGE_FILE say how"
    done
}

have_edge() {
    if [ ! "$(edge_ids)" ]; then
        say "the edge is gone; Compose makes it again"
        edge_files_back
        docker_does compose -p "$PROJECT-edge" -f "$EDGE_FILE" up -d
    fi
    for container in $(edge_ids); do
        runs "$container" || docker_does start "$(name_of "$container")" || refuse "the edge does not start" "docker logs $container"
    done
}

see_green() {
    see_generation
    [ "$(green_ids)" ] || see_image
}

# Green behind the edge has no port of its own: it has to run, and be healthy.
have_green() {
    for container in $(green_ids); do
        green=$container
        ! runs "$container" || return 0
    done
    if [ "$ALONE" ] || [ "$BLUE" = "$GREEN" ]; then
        edge_does hold || say "note: requests fail until $GREEN has loaded, as the edge does not let them wait"
    fi
    if [ "$ALONE" ]; then
        for blue in $(blue_ids); do ! runs "$blue" || docker_does stop "$(name_of "$blue")"; done
    fi
    if [ "$green" ] && ! has_any "$(asked "$green")"; then
        docker_does start "$(name_of "$green")"
        return 0
    fi
    have_image
    [ "$BLUE" != "$GREEN" ] || force=--force-recreate
    compose_does up --detach --no-deps ${force:+"$force"} --no-build --pull never "$GREEN"
    made=yes
    [ "$dry" ] || green=$(green_ids | head -n 1)
}

give_back() {
    if ! tell serves >/dev/null 2>&1 || ! edge_has_ports; then
        edge_does back || start_edge_again
    fi
    edge_files_back
}

# It starts with what it was told last, as far as its files say: those of before the swap.
start_edge_again() {
    say "the edge does not do as it is told; it is started again with its files as they were"
    edge_files_back
    for container in $(edge_ids); do docker_does restart "$(name_of "$container")"; done
    end=$(($(seconds) + 15))
    until [ "$dry" ] || tell serves >/dev/null 2>&1; do
        [ "$(seconds)" -lt "$end" ] || break
        tell back || true
        moment
    done
}

edge_has_ports() {
    list=''
    for container in $(edge_ids); do list="$list$(bound "$container")"; done
    has_all "$list"
}

see_green_alone() {
    [ ! "$dry" ] || return 0
    edge_has_ports || refuse "the edge does not hold ports $PORTS" "docker compose -p $PROJECT-edge ps -a; ss -ltnp"
    tell serves || refuse "the edge does not send requests to $GREEN" "docker restart $(edge_ids | tr '\n' ' ')" "again: sh $0"
}
