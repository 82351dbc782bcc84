# Backtrail's binary on a small Debian; compose.yaml builds it. It brings no PostgreSQL: give it a database.url.
FROM rust:1.95.0-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ libssl-dev make pkg-config zlib1g-dev
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package server --bin backtrail --features kafka-tls

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/backtrail --create-home backtrail
COPY --from=build /src/target/release/backtrail /usr/local/bin/backtrail
USER backtrail
WORKDIR /var/lib/backtrail
EXPOSE 8080
ENTRYPOINT ["backtrail"]
CMD ["serve"]
