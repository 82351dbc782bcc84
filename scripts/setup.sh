# Sourced by the other scripts: brings what they need, or says what to install.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# Runs a command as root; fails where that is not allowed without asking for a password.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null || return 1
    as_root true || return 1
    say "installing $* …"
    as_root apt-get -qq update || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >&2
}

# The folders where the embedded server looks for its binaries.
has_postgres() {
    local folder
    local -a folders=()
    if [ -n "${PGBIN:-}" ]; then
        folders=("$PGBIN")
    else
        IFS=: read -ra folders <<<"$PATH"
        folders+=(/usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin
            /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin
            /home/linuxbrew/.linuxbrew/opt/postgresql*/bin)
    fi
    for folder in "${folders[@]}"; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then
            return 0
        fi
    done
    return 1
}

# Debian starts a cluster of its own when the server is installed, unless it is told not to before.
install_postgres() {
    apt_install postgresql-common || return 1
    local file=/etc/postgresql-common/createcluster.conf
    if [ -f "$file" ]; then
        as_root sed -ri 's/^#?create_main_cluster.*/create_main_cluster = false/' "$file"
    fi
    apt_install postgresql
}

need_postgres() {
    if ! has_postgres && [ -z "${PGBIN:-}" ]; then
        install_postgres || true
    fi
    if ! has_postgres; then
        say "PostgreSQL's server (14 or newer) is missing and cannot be installed from here."
        say "  Debian, Ubuntu:  apt-get install postgresql"
        say "  Fedora, RHEL:    dnf install postgresql-server"
        say "  macOS:           brew install postgresql@17"
        say "  elsewhere:       set PGBIN to the folder that holds initdb and postgres"
        exit 1
    fi
}

need_linker() {
    if ! command -v cc >/dev/null && ! apt_install gcc libc6-dev; then
        say "A C compiler is missing (Debian, Ubuntu: apt-get install gcc libc6-dev)."
        exit 1
    fi
}

need_cargo() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    if ! command -v cargo >/dev/null; then
        say "cargo is missing: install Rust from https://rustup.rs (rust-toolchain.toml names the version)."
        exit 1
    fi
}

need_cargo
need_linker
need_postgres
