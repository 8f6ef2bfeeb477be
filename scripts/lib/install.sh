# shellcheck shell=bash disable=SC2154  # root comes from common.sh
# What the project needs, whether it is there, and how Debian and Ubuntu call it. Source common.sh and etcd.sh first.

have_meson() { have meson && version_at_least "$(meson --version)" 1.0; }
have_ninja() { have ninja || have ninja-build; }
have_pkg_config() { have pkg-config; }
have_package() { have pkg-config && pkg-config --exists "$1"; }

# The newest Boost in the places a compiler looks at, as "1.81"; nothing when there is none.
boost_version() {
    local file number
    for file in ${BOOST_ROOT:+"$BOOST_ROOT/include/boost/version.hpp" "$BOOST_ROOT/boost/version.hpp"} \
        /usr/local/include/boost/version.hpp /usr/include/boost/version.hpp; do
        [[ -r $file ]] || continue
        number=$(sed -n 's/^#define BOOST_VERSION \([0-9]*\).*/\1/p' "$file")
        printf '%d.%d' $((number / 100000)) $((number / 100 % 1000))
        return
    done
}

have_boost() {
    local version
    version=$(boost_version)
    [[ -n $version ]] && version_at_least "$version" 1.81
}

# clang++ that can compile libstdc++'s coroutines: 16 or newer, the newest there is.
find_clang() {
    local name version
    for name in clang++-{25..16} clang++; do
        have "$name" || continue
        version=$("$name" -dumpversion)
        if [[ ${version%%.*} -ge 16 ]]; then
            printf '%s' "$name"
            return
        fi
    done
    return 1
}

# The llvm-symbolizer of that clang++: without one a sanitizer's report has no names, and suppressions are names.
find_symbolizer() {
    local clang name
    clang=$(find_clang) || return 1
    for name in "llvm-symbolizer${clang#clang++}" llvm-symbolizer; do
        command -v "$name" && return
    done
    return 1
}

# libc++ with headers, as that clang++ finds it.
have_libcxx() {
    local clang
    clang=$(find_clang) || return 1
    "$clang" -stdlib=libc++ -fsyntax-only -x c++ - <<<'#include <version>' 2>/dev/null
}

# The words for one need, for a reader without apt.
describe() {
    case $1 in
        compiler) say "a C++20 compiler (g++ >= 12)" ;;
        clang) say "clang++ >= 16" ;;
        symbolizer) say "llvm-symbolizer" ;;
        libc++) say "libc++ of clang++ >= 16, with headers" ;;
        meson) say "meson >= 1.0$(have meson && say " (found $(meson --version))")" ;;
        boost) say "Boost headers >= 1.81$([[ -n $(boost_version) ]] && say " (found $(boost_version))")" ;;
        json) say "nlohmann_json >= 3.11" ;;
        openssl) say "OpenSSL >= 3.0, with headers" ;;
        catch2) say "Catch2 >= 2.13" ;;
        cli11) say "CLI11 >= 2.1" ;;
        etcd) say "etcd >= 3.4 (in PATH, or named by DYNCONF_ETCD)" ;;
        *) say "$1" ;;
    esac
}

satisfied() {
    case $1 in
        compiler) have "${CXX:-g++}" ;;
        clang) find_clang >/dev/null ;;
        symbolizer) find_symbolizer >/dev/null ;;
        libc++) have_libcxx ;;
        meson) have_meson ;;
        ninja) have_ninja ;;
        pkg-config) have_pkg_config ;;
        boost) have_boost ;;
        json) have_package 'nlohmann_json >= 3.11' ;;
        openssl) have_package 'openssl >= 3.0' && have openssl ;;
        catch2) have_package 'catch2 >= 2.13' ;;
        cli11) have_package 'CLI11 >= 2.1' ;;
        etcd) [[ -n $(list_etcds | head -n 1) ]] ;;
        *) have "$1" ;;
    esac
}

# Meson can take these from subprojects/*.wrap where it may download.
has_wrap() { [[ $1 == boost || $1 == json || $1 == catch2 || $1 == cli11 ]]; }
# Without these everything works, slower or with less to see.
is_optional() { [[ $1 == ccache || $1 == symbolizer ]]; }

apt_candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '(none)'; }

# clang_packages VERSIONED OTHERWISE: the packages of the clang at hand, or else of the newest there is; %s is the version.
clang_packages() {
    local version clang='' own=''
    if clang=$(find_clang); then own=$("$clang" -dumpversion); fi
    for version in ${own%%.*} 19 18 17 16; do
        if [[ -n $(apt_candidate "clang-$version") ]]; then
            say "${1//%s/$version}"
            return
        fi
    done
    say "$2"
}

# The package names for one need on this release.
apt_packages() {
    local version name
    case $1 in
        compiler) say g++ ;;
        clang) clang_packages "clang-%s libclang-rt-%s-dev" clang ;;
        symbolizer) clang_packages "llvm-%s" llvm ;;
        libc++) clang_packages "libc++-%s-dev libc++abi-%s-dev" "libc++-dev libc++abi-dev" ;;
        ninja) say ninja-build ;;
        boost)
            for name in libboost-dev libboost1.{81,83,88,90}-dev; do
                if version_at_least "$(apt_candidate "$name")" 1.81; then
                    say "$name"
                    return
                fi
            done
            ;;
        json) say nlohmann-json3-dev ;;
        openssl) say libssl-dev openssl ;;
        cli11) say libcli11-dev ;;
        etcd) ;;  # unpacked by fetch-etcd: the package would start a service
        *) say "$1" ;;
    esac
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

can_use_apt() {
    have apt-get && { [[ $(id -u) == 0 ]] || { have sudo && sudo -n true 2>/dev/null; }; }
}

# apt_install PACKAGE...: asks nothing, removes nothing.
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --no-remove \
        -o Dpkg::Use-Pty=0 "$@"
}

# install_needs NEED...: installs what is missing; exits with 2 and the full list when it cannot.
# DYNCONF_WRAPS=1 lets Meson's wraps stand in for missing libraries.
install_needs() {
    local need missing=() lacking=() packages=() names=()
    for need in "$@"; do
        satisfied "$need" || missing+=("$need")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0

    if [[ " ${missing[*]} " == *" etcd "* ]]; then
        "$root/scripts/fetch-etcd" --own || true
    fi
    if can_use_apt && [[ ${missing[*]} != etcd ]]; then
        say "installing: ${missing[*]}"
        as_root apt-get update -q || warn "apt-get update failed; going on with the package lists at hand"
        for need in "${missing[@]}"; do
            read -ra names <<<"$(apt_packages "$need" | tr '\n' ' ')"
            packages+=("${names[@]}")
        done
        # All at once is fast; one by one says which of them does not go.
        if [[ ${#packages[@]} -gt 0 ]] && ! apt_install "${packages[@]}"; then
            for need in "${packages[@]}"; do
                apt_install "$need" || warn "could not install $need"
            done
        fi
    fi

    for need in "${missing[@]}"; do
        satisfied "$need" && continue
        if is_optional "$need"; then
            warn "note: going on without $need"
        elif has_wrap "$need" && [[ -n ${DYNCONF_WRAPS:-} ]]; then
            warn "note: Meson will download $(describe "$need")"
        else
            lacking+=("$need")
        fi
    done
    [[ ${#lacking[@]} -gt 0 ]] || return 0

    warn ""
    warn "missing, and not installable from here:"
    for need in "${lacking[@]}"; do
        warn "  - $(describe "$need")$(has_wrap "$need" && say " (or set DYNCONF_WRAPS=1: Meson downloads it)")"
    done
    can_use_apt || warn "(no apt-get that may be used: neither root nor passwordless sudo, or not Debian/Ubuntu)"
    exit 2
}

# shellcheck disable=SC2034  # used by those who source this
build_needs=(compiler meson ninja pkg-config python3 boost json openssl cli11 etcd ccache)
# shellcheck disable=SC2034
test_needs=(catch2)
