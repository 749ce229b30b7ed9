#!/usr/bin/env bash
# Install the Debian packages that the tests use: a browser, and servers that the tests start and stop themselves.
# Does nothing where they are there already. Needs root or sudo only when something is missing.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

# By its server's own files, since `postgres` on the PATH may be a client's wrapper.
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

# GStreamer's RTSP server, which stands for a camera; the system's Python runs it.
has_rtsp_server() {
  compgen -G '/usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib' >/dev/null &&
    compgen -G '/usr/lib/*/gstreamer-1.0/libgstrtp.so' >/dev/null &&
    compgen -G '/usr/lib/*/gstreamer-1.0/libgstopenh264.so' >/dev/null && /usr/bin/python3 -c 'import gi' 2>/dev/null
}

missing=()
# A machine without a desktop may have no font at all, and then a page has no text to look at.
has chromium || missing+=(chromium fonts-dejavu-core)
has mosquitto || missing+=(mosquitto)
has nats-server || missing+=(nats-server)
has_postgresql || missing+=(postgresql)
has_rtsp_server || missing+=(python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! has apt-get; then
  echo "The tests need ${missing[*]}, and this machine has no apt-get: install them by hand." >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! has sudo; then
    echo "The tests need ${missing[*]}: install them as root, or install sudo." >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing ${missing[*]} ..."
log=$(mktemp)
marker="written by impetus, scripts/install_test_packages.sh"

# Debian starts a server as soon as it is installed; policy-rc.d is its own way to say no. One that the machine already
# has is left alone, since someone decided it.
policy=/usr/sbin/policy-rc.d
remove_policy() {
  if grep -qs "$marker" "$policy"; then "${as_root[@]}" rm -f "$policy"; fi
  rm -f "$log"
}
trap remove_policy EXIT
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\n# %s\nexit 101\n' "$marker" | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >>"$log" 2>&1; }

if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
  echo "apt-get could not install ${missing[*]}. Its last lines:" >&2
  tail -n 20 "$log" >&2
  exit 1
fi

# Nor shall they start with the machine from now on. (Fails where there is no systemd: then nothing starts them anyway.)
for package in "${missing[@]}"; do
  case $package in
    mosquitto | nats-server | postgresql) "${as_root[@]}" systemctl disable --now "$package" >>"$log" 2>&1 || true ;;
  esac
done
