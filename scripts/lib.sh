# Shared by the scripts beside it: . "$(dirname "$0")/lib.sh"
# shellcheck shell=sh

repo=$(cd "$(dirname "$0")/.." && pwd)
venv=${CUTOVER_VENV:-$repo/.venv}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

on_debian() { command -v apt-get >/dev/null && grep -qsE '^(ID|ID_LIKE)=.*debian' /etc/os-release; }

am_root() { [ "$(id -u)" -eq 0 ]; }

# install_debs WHY PACKAGE...: from Debian's own packages, or a clear word about who has to do it.
install_debs() {
    why=$1
    shift
    on_debian || die "$why, and this is not Debian" "install by the means of this system: $*"
    am_root || die "$why, and only root can install it" "as root: apt-get update && apt-get install $*"
    say "$why: installing $* with apt-get"
    apt_log=$(mktemp)
    # A third-party source that is down must not stop us: the install decides.
    DEBIAN_FRONTEND=noninteractive apt-get -q update >"$apt_log" 2>&1 || say "apt-get update had errors; going on"
    if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@" >>"$apt_log" 2>&1 </dev/null; then
        tail -n 20 "$apt_log" >&2
        die "apt-get could not install $*" "its whole log: $apt_log"
    fi
    rm -f "$apt_log"
}

# new_venv FOLDER: an empty virtual environment, with the package that Debian splits off.
new_venv() {
    python=${PYTHON:-python3}
    command -v "$python" >/dev/null || install_debs "there is no Python" python3 python3-venv
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$python is $("$python" -V 2>&1)" "cutover needs 3.11 or newer; name one: PYTHON=python3.12 $0"
    "$python" -c 'import ensurepip' 2>/dev/null || install_debs "this Python cannot make virtual environments" python3-venv
    "$python" -m venv --clear "$1"
}
