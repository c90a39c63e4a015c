#!/bin/sh
# Makes the release archive that install.sh installs from without network: bundle.sh PYTHON FOLDER, by `make bundle`.
#
# PYTHON has pip and hatchling. Wheels are fetched by the hashes of requirements.txt for each machine that is served. pip
# judges markers by the machine it runs on, so each gets a list of its own; it also knows a platform's tag by its own
# name only, and without manylinux_2_34 would silently take an ancient lgpio. There is no lgpio for Python 3.13: there
# install.sh takes the system's (python3-lgpio).
set -eu
python=$1
from=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$from/pyproject.toml")
mkdir -p "$2"
to=$(cd "$2" && pwd)/venue-gateway-$version
rm -rf "$to"
mkdir -p "$to/wheels"

requirements() { # the list without the packages named, and without markers
    awk -v without=" $* " '
        /^[a-z]/ { split($0, word, "=="); skip = index(without, " " word[1] " "); sub(/ ; .*\\$/, " \\") }
        !/^ *#/ && !skip' "$from/requirements.txt"
}

fetch() { # PYTHON MACHINE PACKAGES-LEFT-OUT
    tag=cp$(echo "$1" | tr -d .)-$2
    platforms=$(for libc in 2_34 2_31 2_28 2_27 2_26 2_24 2_17; do echo "--platform manylinux_${libc}_$2"; done)
    requirements "$3" >"$to/requirements-$tag.txt"
    # shellcheck disable=SC2086  # words on purpose
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --python-version "$1" $platforms --platform "manylinux2014_$2" -r "$to/requirements-$tag.txt" -d "$to/wheels"
    echo "$tag" >>"$to/PLATFORMS"
}

(cd "$from" && "$python" -m hatchling build -t wheel -d "$to/wheels")
fetch 3.11 aarch64 ''
fetch 3.13 aarch64 lgpio
fetch 3.11 x86_64 lgpio
fetch 3.13 x86_64 lgpio

etc=$to/system/etc
mkdir -p "$etc/systemd/system" "$etc/systemd/system.conf.d" "$etc/udev/rules.d"
cp "$from/systemd/venue-gateway.service" "$etc/systemd/system/"
cp -R "$from/systemd/sysusers.d" "$from/systemd/tmpfiles.d" "$from/systemd/modules-load.d" "$etc/"
cp "$from/firmware_config/system.conf.d/venue-gateway.conf" "$etc/systemd/system.conf.d/"
cp "$from/firmware_config/udev/70-venue-gateway.rules" "$etc/udev/rules.d/"
(cd "$from" && cp -R docs firmware_config install.sh LICENSE README.md README.zh-CN.md CHANGELOG.md "$to/")
echo "$version" >"$to/VERSION"
(cd "$to" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$2/SHA256SUMS"
mv "$2/SHA256SUMS" "$to/"
tar -C "$2" --sort=name --owner=0 --group=0 -czf "$to.tar.gz" "venue-gateway-$version"
ls -l "$to.tar.gz"
