# Sourced by the other scripts: installs what they need, or says what to install.
# shellcheck shell=bash

. scripts/install.sh

# Looks in the same folders as the embedded server does.
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

# Debian creates and starts a cluster when the server is installed, unless this file says otherwise.
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
        say "The server of PostgreSQL 14 or newer is missing and cannot be installed automatically."
        say "  Debian, Ubuntu:  apt-get install postgresql"
        say "  Fedora, RHEL:    dnf install postgresql-server"
        say "  macOS:           brew install postgresql@17"
        say "  elsewhere:       set PGBIN to the folder that holds initdb and postgres"
        exit 1
    fi
}

# librdkafka is built from source.
need_compilers() {
    if ! { command -v cc && command -v c++ && command -v make; } >/dev/null && ! apt_install g++ libc6-dev make; then
        say "A C and C++ compiler and make are missing (Debian, Ubuntu: apt-get install g++ libc6-dev make)."
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

# A third-party reader of the topics, for one test.
want_kcat() {
    if ! command -v kcat >/dev/null && ! apt_install kcat; then
        say "kcat is missing: the test that reads the topics with it will be skipped (Debian, Ubuntu: apt-get install kcat)."
    fi
}

# Another one: Python with confluent-kafka, in a virtual environment, unless PYTHON names an interpreter.
want_confluent_kafka() {
    local folder=.cache/confluent-kafka
    [ -z "${PYTHON:-}" ] || return 0
    if ! "$folder/bin/python" -c 'import confluent_kafka' 2>/dev/null; then
        python3 -m venv --help >/dev/null 2>&1 || apt_install python3 python3-venv || true
        say "installing Python's confluent-kafka in $folder …"
        if ! { python3 -m venv "$folder" &&
            "$folder/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1; }; then
            say "confluent-kafka is missing: the test that reads the topics with it will be skipped."
            return 0
        fi
    fi
    PYTHON=$PWD/$folder/bin/python
    export PYTHON
}

need_cargo
need_compilers
need_postgres

# Only for the peers.
need_python() {
    if ! python3 -m venv --help >/dev/null 2>&1; then
        apt_install python3 python3-venv || true
    fi
    if ! python3 -m venv --help >/dev/null 2>&1; then
        say "Python 3 with venv is missing and cannot be installed automatically."
        say "Debian, Ubuntu: apt-get install python3-venv"
        exit 1
    fi
}
