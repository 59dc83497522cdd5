#!/usr/bin/env bash
# Proves that a newcomer gets along: a minimal Debian 12 in build/fresh, a clone of the last commit in it, and the README's two commands there.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
source scripts/packages.sh
[[ $(id -u) == 0 ]] || { echo "./dev fresh needs root: it makes a root file system" >&2; exit 1; }
install_packages fresh

root="$PWD/build/fresh"
# Where this machine gets its packages: the first Debian source it knows.
mirror="$(apt-get indextargets --format '$(SITE)' | head -1)"
mkdir -p "$root"
unmount() {
  local place
  for place in dev/shm dev proc; do
    if mountpoint -q "$root/$place"; then umount "$root/$place"; fi
  done
}
trap unmount EXIT

if [[ ! -e $root/usr/bin/apt-get ]]; then
  echo "== debootstrap"
  debootstrap --variant=minbase --include=ca-certificates,git bookworm "$root" "$mirror" >"$root.log" 2>&1 || { tail -20 "$root.log"; exit 1; }
fi
# How this machine reaches its mirror (a proxy, a certificate) goes for the new root, too.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
rm -f "$root/etc/apt/sources.list"
cp -a /etc/apt/sources.list /etc/apt/sources.list.d "$root/etc/apt/" 2>/dev/null || true
if [[ -d /usr/local/share/ca-certificates ]]; then cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"; fi
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"

rm -rf "$root/root/perdure"
git clone -q --no-hardlinks . "$root/root/perdure"
echo "== ./run until it is ready"
chroot "$root" bash -c '
  cd /root/perdure
  update-ca-certificates >/dev/null 2>&1 || true
  ./run >/tmp/run.out 2>/tmp/run.err &
  for ((i = 0; i < 1800; ++i)); do
    grep -q "^ready" /tmp/run.out && break
    kill -0 $! 2>/dev/null || break
    sleep 1
  done
  if ! grep "^ready" /tmp/run.out; then tail -30 /tmp/run.err; exit 1; fi
  kill $!
  wait $! || true
'
echo "== ./test"
chroot "$root" bash -c 'cd /root/perdure && ./test'
