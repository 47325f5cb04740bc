# Shared by the scripts in this folder: messages with times, and where costly things are kept.
# shellcheck shell=bash

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/nestos-tools"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
RELEASE="$CARGO_TARGET_DIR/release"
# The nosa working directory of `make demo` and `make test`: what did not change is not made again.
WORKDIR="$CACHE/build"
NEXT="$CACHE/next"
TOOLS_ROOT="$CACHE/tools-root"
export CACHE RELEASE WORKDIR NEXT TOOLS_ROOT

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# step NAME COMMAND...: runs a command and says how long it took. The command runs in a subshell of
# its own, and not behind "||", where a failure in the middle of a function would go unnoticed.
TIMES=()
step() {
    local name=$1 start=$SECONDS status
    shift
    say "==> $name"
    set +e
    (set -e; "$@")
    status=$?
    set -e
    ((status == 0)) || die "\"$name\" failed"
    TIMES+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
    printf '%s\n' "${TIMES[-1]}" >&2
}

# behind NAME COMMAND...: like step, but what follows begins at once; caught_up waits for it and
# shows what it said. It ends with the script.
behind() {
    BEHIND_NAME=$1 BEHIND_START=$SECONDS BEHIND_LOG="$CACHE/logs/behind.log"
    shift
    say "==> $BEHIND_NAME (behind what follows)"
    mkdir -p "$CACHE/logs"
    # A process group of its own.
    set -m
    (set -e; "$@") >"$BEHIND_LOG" 2>&1 </dev/null &
    set +m
    BEHIND_PID=$!
    trap 'kill -- "-$BEHIND_PID" 2>/dev/null || true' EXIT
}

caught_up() {
    local status=0
    wait "$BEHIND_PID" || status=$?
    trap - EXIT
    say "==> $BEHIND_NAME"
    cat "$BEHIND_LOG" >&2
    ((status == 0)) || die "\"$BEHIND_NAME\" failed"
    TIMES+=("$(printf '%5d s  %s' $((SECONDS - BEHIND_START)) "$BEHIND_NAME")")
    printf '%s\n' "${TIMES[-1]}" >&2
}

print_times() {
    say "Times"
    printf '%s\n' "${TIMES[@]}" >&2
}

# Builds the tools and lays out what goes into the image.
build_tools() {
    make --no-print-directory build
    rm -rf "$TOOLS_ROOT.new"
    make --no-print-directory install DESTDIR="$TOOLS_ROOT.new" PREFIX=/usr >/dev/null
    rm -rf "$TOOLS_ROOT"
    mv "$TOOLS_ROOT.new" "$TOOLS_ROOT"
}

# Composes the reference system, as far as it changed.
build_images() {
    mkdir -p "$WORKDIR"
    "$RELEASE/nosa" -C "$WORKDIR" init --force --tools-root "$TOOLS_ROOT" "$PWD/builder/config"
    "$RELEASE/nosa" -C "$WORKDIR" build qemu metal metal4k
    "$RELEASE/nosa" -C "$WORKDIR" buildextend-live --fast
}

# Composes the image that nodes are updated to.
build_next_image() {
    local config="$NEXT/config"
    mkdir -p "$NEXT/build/cache"
    rm -rf "$config"
    cp -r builder/config "$config"
    mv "$config/manifest.yaml" "$config/manifest-reference.yaml"
    cp tests/next/manifest.yaml "$config/manifest.yaml"
    # What both have is downloaded and compressed once.
    local shared
    for shared in debs layers; do
        [[ -d "$NEXT/build/cache/$shared" ]] || cp -al "$WORKDIR/cache/$shared" "$NEXT/build/cache/$shared"
    done
    "$RELEASE/nosa" -C "$NEXT/build" init --force --tools-root "$TOOLS_ROOT" "$config"
    "$RELEASE/nosa" -C "$NEXT/build" build container
}
