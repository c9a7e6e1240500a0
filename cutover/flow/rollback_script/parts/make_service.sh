# Made while the other one serves; only then that one stops.
make_green() {
    have_image
    say "Compose makes $GREEN again as the files were; $BLUE serves meanwhile"
    compose_does up --no-start --no-deps --force-recreate --no-build --pull never "$GREEN"
    made=yes
    if [ ! "$dry" ]; then
        green=$(green_that_asks) || refuse "$GREEN, made again, does not ask for ports $PORTS" "docker compose config $GREEN"
    fi
    say "the silence begins: it lasts until $GREEN has loaded"
    for other in $(others); do docker_does stop "$(name_of "$other")"; done
    make_room
    docker_does start "${green:+$(name_of "$green")}" || refuse "$GREEN does not start" "docker logs $(name_of "$green")" \
        "ss -ltnp: does another process hold a port?"
}
