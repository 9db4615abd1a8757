#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: make_sysroot.sh DIRECTORY ARCHITECTURE PACKAGE...
#
# Extracts Debian packages of another architecture, and all packages that they depend on, into
# DIRECTORY, so that a cross compiler and an emulator find their headers and libraries there. The
# packages come from the suites that apt uses on this system. Nothing is installed on this system,
# and root is not required. Does nothing if DIRECTORY was made from the same packages before.
set -euo pipefail

directory=$1
architecture=$2
shift 2
contents="$architecture $*"
[[ ! -e $directory/contents || $(<"$directory/contents") != "$contents" ]] || exit 0

apt=$directory.apt
rm -rf -- "$directory" "$apt"
mkdir -p -- "$apt"/{lists/partial,archives/partial} "$directory/usr"/{bin,sbin,lib}
touch -- "$apt/status"
for folder in bin sbin lib; do # as on every Debian system since release 12
    ln -s -- "usr/$folder" "$directory/$folder"
done

# A package manager with an empty state of its own, for the other architecture.
options=(-q
    -o "APT::Architecture=$architecture"
    -o "APT::Architectures::=$architecture"
    -o "APT::Install-Recommends=false"
    -o "APT::Sandbox::User=" # the user of apt cannot write to the directory
    -o "Dir::State=$apt"
    -o "Dir::State::status=$apt/status"
    -o "Dir::Cache=$apt"
    -o "Debug::NoLocking=true")
# A suite whose index cannot be downloaded is left out; the packages may be in another one.
apt-get "${options[@]}" update || echo "Not all package indexes could be downloaded." >&2
apt-get "${options[@]}" install -y --download-only "$@"
for package in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
        tar --extract --keep-directory-symlink --no-same-owner --directory "$directory"
done

# A cross compiler looks for the targets of absolute links on this system.
find "$directory/usr/lib" -type l -lname '/*' ! -lname "$directory/*" -print0 |
    while IFS= read -r -d '' link; do
        ln -sfn -- "$directory$(readlink -- "$link")" "$link"
    done
rm -rf -- "$apt"
printf '%s' "$contents" >"$directory/contents"
