#!/bin/sh
# Gives ports 5570, 6570 of project shop back to old, without cutover: sh and docker do.
# Written by cutover 1.2.3 before run 20260301T120000.000-ab12 changed anything:
# old (shop:1 -> shop:2) by edge.
#
#   sh rollback.sh --dry-run      say what it would do
#   sh rollback.sh                do it; it may be called again
#   sh rollback.sh --overwrite    also where a file was edited since the swap; the edit is kept
#
# What it does:
#   1. sees that no cutover is at work, that no later swap stands on this one, and that the saved copies are whole;
#   2. puts compose.yaml back, and keeps what is there now in before-rollback/;
#   3. brings the old container of old back, or has Compose make one of shop:1;
#   4. tells the edge to send every request to old; one that does not listen is started again;
#   5. takes away what the swap made: new old, the network 0-cutover-shop;
#   6. sees that nobody else holds the ports, and that each takes a connection.
#
# Silent: requests wait at the edge while old loads, where its old container is gone.
# Afterwards cutover knows: rolled-back-by-hand lies beside this script.
# Exit codes: 0 done, 1 refused and nothing changed, 2 usage, 4 it needs your hands, as the last lines say.

# shellcheck disable=SC2016  # Docker's templates, which the shell leaves alone
set -eu

PROJECT=shop
GREEN=old
BLUE=old
PORTS='5570/tcp 6570/tcp'
PARK=0-cutover-shop
RUN_ID=20260301T120000.000-ab12
RUN=/srv/shop/.cutover/shop/20260301T120000.000-ab12
RUNS=/srv/shop/.cutover/shop
LOCK=/srv/shop/.cutover/shop.lock
COMPOSE_LOCK=/srv/shop/.cutover/shop.compose.lock
MARK=/srv/shop/.cutover/shop/20260301T120000.000-ab12/rolled-back-by-hand
READY_S=60
IMAGE=shop:1
IMAGE_ID=sha256:5555555555555555555555555555555555555555555555555555555555555555
GREEN_RESTART=unless-stopped
BLUE_ID=''
BLUE_WAS=none
ALONE=''
GREEN_ID=gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg
GREEN_NAME=shop-old-1
EDGE_FILE=/srv/shop/overrides/shop-edge.yml
GENERATION=1

# The Engine and the project that the swap worked with.
d() { docker --host unix:///var/run/docker.sock "$@"; }

compose() (
    exec docker --host unix:///var/run/docker.sock compose \
        --file=/srv/shop/compose.yaml \
        --project-name=shop \
        --project-directory=/srv/shop \
        "$@"
)

@@ common

@@ edge

# -- this run -----------------------------------------------------------------------------------------------------------

see_files() {
    check_copy /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/00-compose.yaml \
        1111111111111111111111111111111111111111111111111111111111111111
    check_copy /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/01-.env \
        3333333333333333333333333333333333333333333333333333333333333333
    check_copy /srv/shop/.cutover/shop/20260301T120000.000-ab12/edge/00-edge.json \
        4444444444444444444444444444444444444444444444444444444444444444
    check_file /srv/shop/compose.yaml \
        /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/00-compose.yaml \
        1111111111111111111111111111111111111111111111111111111111111111 \
        2222222222222222222222222222222222222222222222222222222222222222
}

files_back() {
    put_back /srv/shop/compose.yaml \
        /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/00-compose.yaml \
        1111111111111111111111111111111111111111111111111111111111111111 \
        644 1000 1000
}

edge_files_back() {
    put_back /srv/shop/.cutover/shop/edge/edge.json \
        /srv/shop/.cutover/shop/20260301T120000.000-ab12/edge/00-edge.json \
        4444444444444444444444444444444444444444444444444444444444444444 \
        600 1000 1000
}

@@ rolled

by_hand() {
    say 'by hand, if calling this again does not help:'
    say '  cp /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/00-compose.yaml /srv/shop/compose.yaml'
    say '  docker network disconnect -f 0-cutover-shop shop-old-1  # if it is on it'
    say '  docker compose --file=/srv/shop/compose.yaml --project-name=shop --project-directory=/srv/shop up -d --no-deps old'
    say '  docker restart $(docker ps -aq --filter label=io.cutover.project=shop --filter label=io.cutover.edge)'
    say 'docs/runbook.md has more'
}

for option in "$@"; do
    case $option in
    --dry-run) dry=yes ;;
    --overwrite) overwrite=yes ;;
    --help | -h) usage && exit 0 ;;
    *) say "usage: sh rollback.sh [--dry-run] [--overwrite] [--help]" >&2 && exit 2 ;;
    esac
done

trap 'broke_off $?' EXIT
trap 'exit 130' HUP INT TERM
say 'back to old in project shop (run 20260301T120000.000-ab12)'
see_place
see_alone
see_newest
see_engine
see_files
see_green
files_back
have_edge
have_green
wait_healthy
give_back
as_before
see_green_alone
accepted 127.0.0.1 5570
accepted 127.0.0.1 6570
blue_away
name_again
park_away
finish
