#!/bin/sh
# Turns a base image into the base of apps: the operator's certificates and Debian mirror, the user `user` (1000), the
# directories of the contract, the launcher. Runs in a build with /context mounted and APT_MIRROR in the environment.
set -eu
if [ -s /context/ca-bundle.crt ]; then
    install -D -m 0644 /context/ca-bundle.crt /etc/ssl/certs/ca-certificates.crt
fi
if [ -n "${APT_MIRROR:-}" ]; then
    find /etc/apt/sources.list /etc/apt/sources.list.d -type f 2>/dev/null |
        xargs -r sed -i -E "s#https?://[^/ ]+/(debian[a-z-]*|ubuntu)#${APT_MIRROR%/}/\1#"
fi
rm -f /etc/apt/apt.conf.d/docker-clean # downloads go to a cache mount and never into an image
if [ -n "${APT_PACKAGES:-}" ]; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${APT_PACKAGES}
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
fi
if old=$(getent passwd 1000); then userdel "${old%%:*}"; fi
if old=$(getent group 1000); then groupdel "${old%%:*}" || true; fi
groupadd --gid 1000 user
useradd --uid 1000 --gid 1000 --no-create-home --home-dir /home/user --shell /bin/sh user
install -d -o 1000 -g 1000 /app /data /home/user
ln -s /app /home/user/app
mkdir -p /opt/podium
ln -s "$(command -v python3)" /opt/podium/python
install -m 0644 /context/static_server.py /opt/podium/static_server.py
install -D -m 0644 /context/site/sitecustomize.py /opt/podium/site/sitecustomize.py
install -m 0644 /context/launch.py /opt/podium/launch.py
install -D -m 0644 -t /opt/podium/launcher /context/launcher/*.py
# No app may write bytecode there: compiled here, it saves 60 ms of each start.
/opt/podium/python -I -S -m compileall -q --invalidation-mode unchecked-hash /opt/podium/launcher
