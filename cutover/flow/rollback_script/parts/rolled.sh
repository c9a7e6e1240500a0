# The old container is known by its ID; once it was made again, every container of the service is it.
green_ids() {
    for container in $(service_ids "$GREEN"); do
        if [ "$made" ] || [ -e "$MARK" ] || [ "$container" = "$GREEN_ID" ] || is_copy "$container"; then
            printf '%s\n' "$container"
        fi
    done
}

# What a rollback by cutover made of it, if that came to its end.
is_copy() {
    case $(fact "$1" '{{index .Config.Labels "cutover.copy-of"}}/{{.State.Status}}') in
    "$GREEN_ID/running" | "$GREEN_ID/exited") return 0 ;;
    *) return 1 ;;
    esac
}

blue_ids() {
    known=$(green_ids)
    for container in $(service_ids "$GREEN"); do
        is_among "$container" "$known" || printf '%s\n' "$container"
    done
}

name_again() {
    [ ! "$dry" ] && [ "$(name_of "$green")" != "$GREEN_NAME" ] || return 0
    docker_does rename "$(name_of "$green")" "$GREEN_NAME" || say "note: it is called $(name_of "$green") now"
}
