#!/bin/sh
# make_root.sh - the root file system of a cloud's machine, for tests: Debian 12 with systemd and cloud-init
#
#     make_root.sh [DIRECTORY]     by default $MEMORIES_MACHINE_ROOT, or else build/machine-root beside these sources
#
# It asks the instance metadata service what it is to be, as the images on AWS do. The packages that nodes install lie in
# /srv/packages, where its apt finds them: a machine of a test has no way to a mirror. Everything comes from the mirror
# that this machine's apt uses. For root; needs debootstrap, takes two minutes and 1 GB. What is ready is left as it is.
set -eu
umask 022
fail() { echo "make_root.sh: $*" >&2; exit 1; }

sources=$(cd "$(dirname "$0")/../.." && pwd)
directory=${1:-${MEMORIES_MACHINE_ROOT:-$sources/build/machine-root}}
suite=bookworm
# What an image has, and what nodes install by themselves. debootstrap does not see that python3-cryptography, which
# cloud-init needs, needs python3-cffi-backend.
image_packages=systemd,systemd-sysv,dbus,udev,cloud-init,python3-cffi-backend,iproute2,netbase,ca-certificates,curl,procps
image_packages=$image_packages,kmod,e2fsprogs,fdisk,logrotate,python3,openssh-server
node_packages='etcd-server docker.io iptables'

# Another text of this script makes another root.
version=$(sha256sum "$0" | cut -c 1-16)
if [ "$(cat "$directory/etc/memories-machine-root" 2>/dev/null)" = "$version" ]; then
    echo "$directory is ready"
    exit 0
fi
if [ -d "$directory" ] && [ -n "$(ls -A "$directory")" ] && [ ! -e "$directory/etc/memories-machine-root" ]; then
    fail "$directory has something else in it: name another directory"
fi
[ "$(id -u)" -eq 0 ] || fail "only root can make it"
command -v debootstrap >/dev/null || fail "debootstrap is not installed (apt-get install debootstrap)"
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$suite //p" | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}

# Beside it, so that a root that is there is a whole one.
draft=$directory.draft
remove() {
    if mountpoint -q "$draft/proc"; then umount "$draft/proc"; fi
    rm -rf --one-file-system "$draft"
}
remove
mkdir -p "$draft"
trap remove EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
debootstrap --variant=minbase --include="$image_packages" "$suite" "$draft" "$mirror"

# ---- The packages that nodes install ----

packages=$draft/srv/packages
mkdir -p "$packages"
chroot "$draft" apt-get clean
chroot "$draft" apt-get -q update
# shellcheck disable=SC2086 # a list of words on purpose
chroot "$draft" apt-get -q -y --no-install-recommends --download-only install $node_packages
mv "$draft"/var/cache/apt/archives/*.deb "$packages"
for package in "$packages"/*.deb; do
    dpkg-deb --field "$package"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${package##*/}" "$(stat -c %s "$package")" \
        "$(sha256sum "$package" | cut -d ' ' -f 1)"
done >"$packages/Packages"
echo 'deb [trusted=yes] file:/srv/packages ./' >"$draft/etc/apt/sources.list"
rm -rf "$draft"/var/lib/apt/lists/* "$draft"/var/cache/apt/*.bin
echo force-unsafe-io >"$draft/etc/dpkg/dpkg.cfg.d/unsafe-io" # for nobody's data

# ---- What is not this machine's business ----

for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer; do
    chroot "$draft" systemctl mask "$unit"
done
cat >"$draft/etc/cloud/cloud.cfg.d/90-machine.cfg" <<'CONFIGURATION'
# Set up by who starts the machine: network, packages' source. Strict would be to look at the firmware for Amazon's marks.
datasource_list: [Ec2]
datasource: {Ec2: {strict_id: false, metadata_urls: ["http://169.254.169.254"], max_wait: 60, timeout: 5}}
network: {config: disabled}
apt: {preserve_sources_list: true}
locale: C.UTF-8
CONFIGURATION
# systemd-nspawn mounts cgroups of version 1 for reading only; on a machine, Docker may make some.
cat >"$draft/etc/systemd/system/writable-cgroups.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c "for one in cpu cpuacct cpuset memory devices freezer blkio pids; do \
    [ ! -d /sys/fs/cgroup/$$one ] || mount -o remount,bind,rw /sys/fs/cgroup/$$one; done"

[Install]
WantedBy=sysinit.target
UNIT
chroot "$draft" systemctl enable writable-cgroups.service
: >"$draft/etc/machine-id"
rm -f "$draft/etc/resolv.conf" "$draft/etc/hostname"
: >"$draft/etc/resolv.conf"
echo "$version" >"$draft/etc/memories-machine-root"

# Another one of ours, or nothing.
rm -rf --one-file-system "$directory"
mv "$draft" "$directory"
trap - EXIT
echo "$directory is ready: $(du -sh "$directory" | cut -f 1)"
