# shellcheck shell=bash
# Configuring and building with Meson. Source common.sh first.
# shellcheck disable=SC2154  # root comes from there

ninja_command() { if have ninja; then say ninja; else say ninja-build; fi; }

# Meson finds ccache by itself only when CXX is not set.
use_ccache() {
    # Debug information names the build directory; without this every clone would compile all anew.
    export CCACHE_NOHASHDIR=1
    if have ccache && [[ $CXX != ccache* ]]; then CXX="ccache $CXX"; fi
    export CXX
}

# A fast linker when there is one: the test programs are large.
pick_linker() {
    [[ -z ${CXX_LD:-} ]] || return 0
    local name
    for name in mold lld; do
        if have "$name" || have "ld.$name"; then
            export CXX_LD=$name
            return
        fi
    done
}

# configure DIR OPTION...: sets the directory up, again only when compiler or options are others than last time.
configure() {
    local dir=$1 stamp="$1/.configured-with" wanted
    shift
    wanted="${CXX:-} ${CXX_LD:-} $*"
    if [[ -f $dir/build.ninja && -r $stamp && $(<"$stamp") == "$wanted" ]]; then
        return
    fi
    if [[ -f $dir/meson-private/coredata.dat ]]; then
        meson setup --wipe "$dir" "$root" "$@"
    else
        meson setup "$dir" "$root" "$@"
    fi
    printf '%s' "$wanted" >"$stamp"
}
