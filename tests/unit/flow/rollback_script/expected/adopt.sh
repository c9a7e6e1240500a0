#!/bin/sh
# Gives ports 5570, 6570 of project shop back to old, without cutover: sh and docker do.
# Written by cutover 1.2.3 before run 20260301T120000.000-ab12 changed anything:
# old -> new by edge.
#
#   sh rollback.sh --dry-run      say what it would do
#   sh rollback.sh                do it; it may be called again
#   sh rollback.sh --overwrite    also where a file was edited since the swap; the edit is kept
#
# What it does:
#   1. sees that no cutover is at work, that no later swap stands on this one, and that the saved copies are whole;
#   2. puts compose.yaml back, and keeps what is there now in before-rollback/;
#   3. has old run again, made again by Compose where it is gone;
#   4. moves the ports from the edge to old, and takes the edge away;
#   5. takes away what the swap made: new, the network 0-cutover-shop;
#   6. sees that nobody else holds the ports, and that each takes a connection.
#
# Silent: about a second where old still waits parked; else for as long as old takes to load.
# Afterwards cutover knows: rolled-back-by-hand lies beside this script.
# Exit codes: 0 done, 1 refused and nothing changed, 2 usage, 4 it needs your hands, as the last lines say.

# shellcheck disable=SC2016  # Docker's templates, which the shell leaves alone
set -eu

PROJECT=shop
GREEN=old
BLUE=new
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
EDGE_FILE=/srv/shop/overrides/shop-edge.yml
EDGE_IMAGE=cutover-edge:1
EDGE_HEADER='# The edge of shop, generation 1'
TABLE=cutover_shop
FORGET_WAY_OUT='ip -4 rule del pref 25570 2>/dev/null || true; ip -4 rule del pref 25571 2>/dev/null || true; ip -4 route flush table 25570 2>/dev/null || true; ip -6 rule del pref 25570 2>/dev/null || true; ip -6 rule del pref 25571 2>/dev/null || true; ip -6 route flush table 25570 2>/dev/null || true'

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

@@ ports

@@ make_service

@@ adopted

# -- this run -----------------------------------------------------------------------------------------------------------

see_files() {
    check_copy /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/00-compose.yaml \
        1111111111111111111111111111111111111111111111111111111111111111
    check_copy /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/01-.env \
        3333333333333333333333333333333333333333333333333333333333333333
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

green_ids() { service_ids "$GREEN"; }
blue_ids() { service_ids "$BLUE"; }

other_ids() { blue_ids; edge_ids; } # who may have the ports of green

by_hand() {
    say 'by hand, if calling this again does not help:'
    say '  cp /srv/shop/.cutover/shop/20260301T120000.000-ab12/files/00-compose.yaml /srv/shop/compose.yaml'
    say '  docker stop $(docker ps -aq --filter label=com.docker.compose.project=shop --filter label=com.docker.compose.service=new)'
    say '  docker rm -f $(docker ps -aq --filter label=io.cutover.project=shop --filter label=io.cutover.edge)'
    say '  docker network disconnect -f 0-cutover-shop shop-old-1  # if it is on it'
    say '  docker compose --file=/srv/shop/compose.yaml --project-name=shop --project-directory=/srv/shop up -d --no-deps old'
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
give_back
wait_healthy
as_before
see_green_alone
accepted 127.0.0.1 5570
accepted 127.0.0.1 6570
blue_away
edge_away
park_away
finish
