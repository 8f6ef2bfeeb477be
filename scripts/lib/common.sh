# shellcheck shell=bash
# Shared by the scripts: where things are, how to speak, how to take time.

# shellcheck disable=SC2034  # used by those who source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# die [STATUS] WORDS...
die() {
    local status=1
    if [[ $1 =~ ^[0-9]+$ ]]; then
        status=$1
        shift
    fi
    warn "$*"
    exit "$status"
}

# version_at_least HAVE WANT
version_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# Microseconds since the epoch, whatever the locale's decimal mark is.
now_us() { printf '%s' "${EPOCHREALTIME//[^0-9]/}"; }

# seconds_since START_US, as "1.2 s"
seconds_since() {
    local ms=$((($(now_us) - $1) / 1000))
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}
