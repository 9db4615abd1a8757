#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: run_in_release.sh DIRECTORY RELEASE SOURCE COMMAND...
#
# Runs COMMAND in a copy of the folder SOURCE inside the Debian release RELEASE, which debootstrap
# installs into DIRECTORY first. The copy keeps its folder build/, so a second run builds only what
# has changed. Requires root. Nothing is installed on this system, and no mount remains.
set -euo pipefail

directory=$1
release=$2
source=$3
shift 3

# Prints the address of the mirror from which this system installs Debian's packages.
find_mirror() {
    # shellcheck disable=SC2016 # expanded by apt-get
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/\?$' ||
        echo http://deb.debian.org/debian
}

install_release() {
    rm -rf -- "$directory"
    mkdir -p -- "$directory"
    debootstrap --variant=minbase "$release" "$directory" "$(find_mirror)"
    # Downloads in the release use the settings of this system, for example its proxy.
    apt-config dump | grep '^Acquire::' >"$directory/etc/apt/apt.conf.d/90host"
    touch -- "$directory/installed"
}

# Replaces the files whose content differs, so that only these are compiled again: the time stamps of
# the source say nothing about when the copy was built.
copy_source() {
    local copy=$directory/root/jkvm new=$directory/root/jkvm.new file
    rm -rf -- "$new"
    mkdir -p -- "$copy" "$new"
    tar --create --directory "$source" --exclude=./build --exclude=./.git . |
        tar --extract --no-same-owner --directory "$new"
    while IFS= read -r -d '' file; do
        [[ -e $new/$file ]] || rm -f -- "$copy/$file"
    done < <(find "$copy" -path "$copy/build" -prune -o ! -type d -printf '%P\0')
    while IFS= read -r -d '' file; do
        cmp --quiet -- "$new/$file" "$copy/$file" || {
            mkdir -p -- "$(dirname -- "$copy/$file")"
            cp -- "$new/$file" "$copy/$file"
        }
    done < <(find "$new" ! -type d -printf '%P\0')
    rm -rf -- "$new"
}

[[ -e $directory/installed ]] || install_release
copy_source

# Processes that COMMAND leaves behind end with its namespace.
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --pid --fork --kill-child bash -euc '
    directory=$1
    shift
    mount -t proc proc "$directory/proc"
    mount -t sysfs sysfs "$directory/sys"
    mount --rbind /dev "$directory/dev"
    mount -t tmpfs tmpfs "$directory/dev/shm"
    mount -t tmpfs tmpfs "$directory/run"
    cp -- /etc/resolv.conf /etc/hosts "$directory/etc/"
    exec chroot "$directory" /usr/bin/env -i HOME=/root TERM="${TERM:-dumb}" CI="${CI:-}" \
        LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        bash -c "cd /root/jkvm && exec \"\$@\"" run "$@"
' run "$directory" "$@"
