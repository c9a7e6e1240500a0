# -- the edge that the swap made ---------------------------------------------------------------------------------------

# While green has no ports yet the redirect of a cutover that was killed keeps requests answered: it goes last.
edge_away() {
    [ ! -e "$MARK" ] || return 0
    end=$(($(seconds) + 8))
    while [ ! "$dry" ] && [ "$(helper_ids)" ] && [ "$(seconds)" -lt "$end" ]; do moment; done
    for container in $(helper_ids) $(edge_ids); do docker_does rm -f "$(name_of "$container")"; done
    if [ "$(fact_of_image "$EDGE_IMAGE")" ]; then
        docker_does run --rm --network host --user 0:0 --cap-drop ALL --cap-add NET_ADMIN "$EDGE_IMAGE" \
            nft "add table inet $TABLE; delete table inet $TABLE" || say "note: is there a redirect left? nft list tables"
        docker_does run --rm --network "container:$green" --user 0:0 --cap-drop ALL --cap-add NET_ADMIN "$EDGE_IMAGE" \
            sh -c "$FORGET_WAY_OUT" || say "note: $GREEN keeps a route of its own until it is started again"
    fi
    if [ "$(sed -n 1p "$EDGE_FILE" 2>/dev/null)" = "$EDGE_HEADER" ]; then
        say "  + rm $EDGE_FILE"
        [ "$dry" ] || rm -f -- "$EDGE_FILE"
        [ "$dry" ] || rmdir -- "${EDGE_FILE%/*}" 2>/dev/null || true
    fi
    say "  + rm -r $RUNS/edge"
    [ "$dry" ] || rm -rf -- "$RUNS/edge"
}

edge_ids() { d ps -aq --no-trunc --filter "label=io.cutover.project=$PROJECT" --filter label=io.cutover.edge; }
helper_ids() { d ps -aq --no-trunc --filter "label=io.cutover.project=$PROJECT" --filter label=io.cutover.helper; }
