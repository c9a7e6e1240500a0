# -- the legacy ports --------------------------------------------------------------------------------------------------

green_with_ports() {
    for container in $(green_ids); do
        ! has_all "$(bound "$container")" || { printf '%s\n' "$container" && return 0; }
    done
    return 1
}

green_that_asks() {
    for container in $(green_ids); do
        ! has_all "$(asked "$container")" || { printf '%s\n' "$container" && return 0; }
    done
    return 1
}

# Whoever of ours has a legacy port and is not green.
others() {
    for container in $(other_ids); do
        ! has_any "$(bound "$container")" || printf '%s\n' "$container"
    done
}

# Blue may only wait parked where green is warm: then the ports are back at once.
park() {
    docker_does update --restart no "$(name_of "$1")"
    d network inspect "$PARK" >/dev/null 2>&1 || return 1
    if d network connect --help | grep -q gw-priority; then
        docker_does network connect --gw-priority 2147483647 "$PARK" "$(name_of "$1")" || docker_does network connect "$PARK" "$(name_of "$1")" || return 1
    else
        docker_does network connect "$PARK" "$(name_of "$1")" || return 1
    fi
    [ "$dry" ] || ! has_any "$(bound "$1")"
}

see_green() { green_with_ports >/dev/null || green_that_asks >/dev/null || see_image; }

# Who leaves the network gets its ports back, unless it is taken off by force: that is for one that is stopped.
unpark() {
    docker_does network disconnect "$PARK" "$(name_of "$1")" ||
        docker_does network disconnect -f "$PARK" "$(name_of "$1")"
}

# What does not fit twice is not started twice.
make_room() {
    [ "$ALONE" ] || return 0
    for other in $(blue_ids); do ! runs "$other" || docker_does stop "$(name_of "$other")"; done
}

give_back() {
    if green=$(green_with_ports); then
        say "$GREEN has the legacy ports (container $(name_of "$green"))"
    elif green=$(green_that_asks); then
        say "$GREEN gets its ports back (container $(name_of "$green")); the silence begins"
        for other in $(others); do
            { runs "$green" && park "$other"; } || docker_does stop "$(name_of "$other")"
        done
        make_room
        ! on_park "$green" || unpark "$green"
        runs "$green" || docker_does start "$(name_of "$green")" || refuse "$GREEN does not start" "docker logs $(name_of "$green")" \
            "ss -ltnp: does another process hold a port?"
    else
        green=''
        make_green
    fi
    [ ! "$dry" ] || return 0
    for left in $(green_ids); do # what a replacement that was cut short left
        [ "$left" = "$green" ] || docker_does rm -f "$(name_of "$left")"
    done
}

see_green_alone() {
    [ ! "$dry" ] || return 0
    green=$(green_with_ports) || refuse "$GREEN runs and Docker did not bind its ports" "docker compose ps -a; ss -ltnp"
    left=$(others)
    [ ! "$left" ] || refuse "$(name_of "$left") still holds a legacy port" "docker stop $(name_of "$left")" "again: sh $0"
}
