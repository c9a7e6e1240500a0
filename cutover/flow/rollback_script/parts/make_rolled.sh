# The new container is replaced by one like the old: Compose stops it, and starts that.
make_green() {
    have_image
    for other in $(blue_ids); do runs "$other" || docker_does rm "$(name_of "$other")"; done
    say "Compose replaces $GREEN by a container of $IMAGE; the silence begins, and lasts until that has loaded"
    for other in $(others); do is_among "$other" "$(blue_ids)" || docker_does stop "$(name_of "$other")"; done
    compose_does up --detach --no-deps --force-recreate --no-build --pull never "$GREEN"
    made=yes
    [ "$dry" ] || green=$(green_that_asks) || refuse "$GREEN does not ask for ports $PORTS" "docker compose config $GREEN"
}
