# What the bench compares with, from Debian: HAProxy and nginx as proxies, nginx as a quick server, wrk as load.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        haproxy libnginx-mod-stream nginx-light wrk \
    && rm -rf /var/lib/apt/lists/*
