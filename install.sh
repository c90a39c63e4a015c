#!/bin/sh
# Installs, upgrades and removes the exam-venue gateway as a service, from this archive alone: no network is asked.
#
#     sudo ./install.sh                           install, or upgrade
#     sudo ./install.sh rollback                  back to the version before
#     sudo ./install.sh uninstall --keep-data     remove the program; the record and the configuration stay
#     sudo ./install.sh uninstall --delete-data   remove everything
#
#     --during-exam    also while sessions or custody freeze the program
#
# An upgrade counts only when the new version has been up for a minute: otherwise the old one comes back by itself.
# For tests: DESTDIR (another root), SYSTEMCTL (another systemctl), PYTHON, HEALTH_S (looks to prove itself), START_S, STEP_S.
set -eu

HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
ROOT=${DESTDIR:-}
SYSTEMCTL=${SYSTEMCTL:-systemctl}
PYTHON=${PYTHON:-python3}
HEALTH_S=${HEALTH_S:-60}
STEP_S=${STEP_S:-1} # of real time between two looks
START_S=${START_S:-90}
CRASHES=5 # so many before it is ready are enough
NEEDED_MIB=300
UNIT=venue-gateway.service
PROGRAM=$ROOT/opt/venue-gateway
CONFIG=$ROOT/etc/venue-gateway/venue.toml
STATE=$ROOT/var/lib/venue-gateway
PARTS='etc/systemd/system/venue-gateway.service etc/systemd/system.conf.d/venue-gateway.conf
etc/sysusers.d/venue-gateway.conf etc/tmpfiles.d/venue-gateway.conf etc/modules-load.d/venue-gateway.conf
etc/udev/rules.d/70-venue-gateway.rules'

case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in zh*) chinese=yes ;; *) chinese=no ;; esac

say() { # ENGLISH CHINESE
    if [ "$chinese" = yes ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

fail() { # ENGLISH CHINESE
    say "install.sh: $1" "install.sh：$2" >&2
    exit 1
}

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit "$1"
}

# ---- before anything is touched ------------------------------------------------------------------------------------

need_root() {
    [ -n "$ROOT" ] || [ "$(id -u)" = 0 ] || fail "only root may do this: sudo $0" "需要 root 权限：sudo $0"
    [ -n "$ROOT" ] || [ -d /run/systemd/system ] || fail \
        "no systemd runs here; for one user without a service: pipx install the wheel in wheels/" \
        "本机没有运行 systemd；只为一个用户安装：用 pipx 安装 wheels/ 里的程序包"
}

need_whole_archive() {
    [ -f "$HERE/SHA256SUMS" ] || fail \
        "this is no release archive; make one with: make bundle" "这不是发布包；请用 make bundle 制作"
    (cd "$HERE" && sha256sum --check --quiet --strict SHA256SUMS) || fail \
        "the archive is damaged: copy it again" "安装包已损坏：请重新复制"
    VERSION=$(cat "$HERE/VERSION")
}

need_python() {
    command -v "$PYTHON" >/dev/null || fail "python3 is missing: apt install python3 python3-venv" \
        "缺少 python3：apt install python3 python3-venv"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail \
        "Python 3.11 or later is needed (Raspberry Pi OS bookworm or later); here: $("$PYTHON" -V)" \
        "需要 Python 3.11 或更高版本（树莓派系统 bookworm 起）；本机：$("$PYTHON" -V)"
    "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || fail \
        "python3-venv is missing: apt install python3-venv" "缺少 python3-venv：apt install python3-venv"
    tag=$("$PYTHON" -c 'import sys, sysconfig
print("cp%d%d" % sys.version_info[:2], sysconfig.get_platform().replace("linux-", ""), sep="-")')
    grep -qxF "$tag" "$HERE/PLATFORMS" || fail \
        "this archive is not for $tag (a 32-bit system, or another Python); it is for: $(tr '\n' ' ' <"$HERE/PLATFORMS")" \
        "本安装包不适用于 $tag（32 位系统或其他 Python 版本）；适用于：$(tr '\n' ' ' <"$HERE/PLATFORMS")"
    if [ "${tag%-aarch64}" != "$tag" ] && ! grep -q '^lgpio==' "$HERE/requirements-$tag.txt"; then
        lgpio=$("$PYTHON" -c 'import lgpio; print(lgpio.__file__)' 2>/dev/null) || fail \
            "the pins' library is missing: apt install python3-lgpio" "缺少引脚库：apt install python3-lgpio"
    fi
}

need_room() {
    mkdir -p "$PROGRAM"
    free=$(df -Pm "$PROGRAM" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$NEEDED_MIB" ] || fail \
        "$NEEDED_MIB MiB are needed at $PROGRAM, $free are free" "$PROGRAM 需要 $NEEDED_MIB MiB，只剩 $free MiB"
}

need_calm() { # BIN
    [ "$during_exam" = no ] && [ -f "$CONFIG" ] || return 0
    if why=$("$1/venue-gateway" frozen "$CONFIG" --state "$STATE"); then return 0; fi
    if [ -z "$why" ]; then # it cannot even be asked: a damaged card, or a system with another Python by now
        [ "$(property ActiveState)" = active ] || return 0 # and it does not run: nothing is lost
        if [ "$chinese" = yes ]; then why='程序仍在运行，但其文件已不能启动'; else why='it runs, but its files do not start any more'; fi
    fi
    fail "not now: $why. Nothing was changed. (--during-exam does it all the same)" \
        "现在不可以：$why。没有作任何更改。（--during-exam 可强行执行）"
}

# ---- a version on the disk -----------------------------------------------------------------------------------------

current() { # the name of the version in force, or nothing
    if [ -L "$PROGRAM/$1" ]; then basename "$(readlink "$PROGRAM/$1")"; fi
}

build() { # makes $new beside what is there
    for old in "$PROGRAM"/*; do # what an interrupted run left
        if [ -d "$old" ] && [ ! -L "$old" ] && [ ! -f "$old/complete" ]; then rm -rf "$old"; fi
    done
    new=$VERSION
    number=1
    while [ -e "$PROGRAM/$new" ]; do number=$((number + 1)); new=$VERSION-$number; done
    say "installing version $new for Python $("$PYTHON" -V | cut -d' ' -f2)" "正在安装版本 $new"
    "$PYTHON" -m venv "$PROGRAM/$new"
    pip="$PROGRAM/$new/bin/pip --isolated --disable-pip-version-check --quiet --no-input install --no-index --find-links $HERE/wheels"
    # shellcheck disable=SC2086  # words on purpose
    { PIP_CONFIG_FILE=/dev/null $pip --require-hashes -r "$HERE/requirements-$tag.txt" &&
        PIP_CONFIG_FILE=/dev/null $pip --no-deps "$HERE"/wheels/exam_venue_gateway-"$VERSION"-*.whl; } || {
        rm -rf "${PROGRAM:?}/$new"
        fail "the programs could not be installed; nothing was changed" "程序未能安装；没有作任何更改"
    }
    if [ -n "$lgpio" ]; then # the system's: its Python is ours
        ln -s "$lgpio" "$(dirname "$lgpio")"/_lgpio*.so "$PROGRAM/$new"/lib/python3*/site-packages/
        "$PROGRAM/$new/bin/python" -c 'import lgpio' || {
            rm -rf "${PROGRAM:?}/$new"
            fail "the system's python3-lgpio cannot be used; nothing was changed" "系统的 python3-lgpio 无法使用；没有作任何更改"
        }
    fi
    mkdir -p "$PROGRAM/$new/share/venue-gateway"
    cp -R "$HERE/docs" "$HERE/firmware_config" "$HERE/system" "$PROGRAM/$new/share/venue-gateway/"
    "$PROGRAM/$new/bin/venue-gateway" --version >/dev/null || {
        rm -rf "${PROGRAM:?}/$new"
        fail "the new version does not start; nothing was changed" "新版本无法启动；没有作任何更改"
    }
    touch "$PROGRAM/$new/complete"
}

place() { # VERSION: the parts of the system that belong to a version, and the version itself in force
    for part in $PARTS; do
        mkdir -p "$ROOT/$(dirname "$part")"
        cp "$PROGRAM/$1/share/venue-gateway/system/$part" "$ROOT/$part"
    done
    shorten_watchdog
    mkdir -p "$ROOT/usr/local/bin"
    ln -sfn ../../../opt/venue-gateway/current/bin/venue-gateway "$ROOT/usr/local/bin/venue-gateway"
    ln -sfn "$1" "$PROGRAM/next"
    mv -T "$PROGRAM/next" "$PROGRAM/current" # in one step: a cut leaves the old or the new one
    sync
}

shorten_watchdog() { # F3: a watchdog that is asked for more than it can count restarts the board for ever
    limit=$(cat "$ROOT/sys/class/watchdog/watchdog0/max_timeout" 2>/dev/null || echo 0)
    if [ "$limit" -gt 0 ] && [ "$limit" -lt 15 ]; then
        sed -i "s/^RuntimeWatchdogSec=.*/RuntimeWatchdogSec=$limit/" "$ROOT/etc/systemd/system.conf.d/venue-gateway.conf"
    fi
}

settle() { # users, folders and device rules, as the parts just placed say
    [ -z "$ROOT" ] || return 0
    systemd-sysusers /etc/sysusers.d/venue-gateway.conf
    systemd-tmpfiles --create /etc/tmpfiles.d/venue-gateway.conf
    while read -r module; do
        case $module in '#'* | '') ;; *) modprobe --quiet "$module" || true ;; esac
    done </etc/modules-load.d/venue-gateway.conf
    if command -v udevadm >/dev/null; then
        udevadm control --reload || true
        udevadm trigger --subsystem-match=gpio --subsystem-match=i2c-dev --subsystem-match=hidraw --subsystem-match=tty || true
    fi
}

own_configuration() { # root writes it, the service reads it, nobody else
    [ -z "$ROOT" ] || return 0
    chgrp -R venue-gateway /etc/venue-gateway && chmod -R u=rwX,g=rX,o= /etc/venue-gateway
    chown -R root:root /etc/venue-gateway/secrets && chmod -R u=rwX,go= /etc/venue-gateway/secrets
}

# ---- the service ---------------------------------------------------------------------------------------------------

property() { "$SYSTEMCTL" show --property="$1" --value "$UNIT"; }

restart() {
    "$SYSTEMCTL" daemon-reload
    "$SYSTEMCTL" enable --quiet "$UNIT"
    "$SYSTEMCTL" restart --no-block "$UNIT"
}

healthy() { # ready in time, then the same process for HEALTH_S seconds, and it answers
    waited=0
    crashes=$(property NRestarts)
    until [ "$(property ActiveState)" = active ]; do
        [ "$waited" -lt "$START_S" ] && [ "$(property NRestarts)" -lt $((crashes + CRASHES)) ] || return 1
        waited=$((waited + 1))
        sleep "$STEP_S"
    done
    pid=$(property MainPID)
    say "it runs; watching it for $HEALTH_S s" "已经运行；观察 $HEALTH_S 秒"
    waited=0
    while [ "$waited" -lt "$HEALTH_S" ]; do
        sleep "$STEP_S"
        waited=$((waited + 1))
        [ "$(property ActiveState)" = active ] && [ "$(property MainPID)" = "$pid" ] || return 1
    done
    # A gateway that nobody at the venue can ask or acknowledge is none.
    [ -n "$ROOT" ] || "$PROGRAM/current/bin/venue-gateway" status --state "$STATE" >/dev/null || return 1
}

prune() { # keeps the version in force and the one before
    for old in "$PROGRAM"/*; do
        if [ -d "$old" ] && [ ! -L "$old" ]; then
            case $(basename "$old") in "$(current current)" | "$(current previous)") ;; *) rm -rf "$old" ;; esac
        fi
    done
}

# ---- what can be asked for -----------------------------------------------------------------------------------------

install_or_upgrade() {
    need_whole_archive
    need_python
    need_room
    before=$(current current)
    earlier=$(current previous)
    [ -z "$before" ] || need_calm "$PROGRAM/$before/bin"
    build
    [ -z "$before" ] || accepts_configuration
    place "$new"
    settle
    mkdir -p "$ROOT/etc/venue-gateway/secrets"
    cp "$HERE"/firmware_config/examples/*.toml "$ROOT/etc/venue-gateway/"
    own_configuration
    if [ ! -f "$CONFIG" ]; then
        "$SYSTEMCTL" daemon-reload
        first_steps
        return 0
    fi
    if [ -n "$before" ]; then ln -sfn "$before" "$PROGRAM/previous"; fi
    restart
    if healthy; then
        prune
        say "version $new is in force" "版本 $new 已生效"
        return 0
    fi
    [ -n "$before" ] || fail \
        "it does not run; read why: journalctl -u venue-gateway -n 50" "程序没有运行；原因请看：journalctl -u venue-gateway -n 50"
    say "version $new does not hold: back to $before" "版本 $new 不能正常运行：恢复到 $before" >&2
    place "$before"
    settle
    restart
    healthy || fail "version $before does not run either: journalctl -u venue-gateway -n 50" \
        "版本 $before 也没有运行：journalctl -u venue-gateway -n 50"
    rm -rf "${PROGRAM:?}/$new" "$PROGRAM/previous"
    [ -z "$earlier" ] || ln -s "$earlier" "$PROGRAM/previous"
    fail "version $before is back and runs; version $new was removed" "版本 $before 已恢复并运行；版本 $new 已删除"
}

accepts_configuration() { # an upgrade must not turn a good file into a refused one
    [ -f "$CONFIG" ] || return 0
    if "$PROGRAM/$before/bin/venue-gateway" check "$CONFIG" >/dev/null 2>&1 &&
        ! "$PROGRAM/$new/bin/venue-gateway" check "$CONFIG"; then
        rm -rf "${PROGRAM:?}/$new"
        fail "the new version refuses the configuration (above); nothing was changed" \
            "新版本不接受现有配置（见上）；没有作任何更改"
    fi
}

first_steps() {
    say "installed. It does not run yet: it needs the venue's configuration.
  sudo venue-gateway setup /etc/venue-gateway/venue.toml                        # asks, and writes the file
  sudo venue-gateway doctor /etc/venue-gateway/venue.toml
  sudo systemctl enable --now venue-gateway
  sudo usermod -a -G venue-view,venue-operator USER                             # who may look, who may act
On a Raspberry Pi once: sudo venue-gateway boot-config --apply, then restart the board." \
        "已安装，尚未运行：需要考点配置。
  sudo venue-gateway setup /etc/venue-gateway/venue.toml                        # 逐题提问，写成配置
  sudo venue-gateway doctor /etc/venue-gateway/venue.toml
  sudo systemctl enable --now venue-gateway
  sudo usermod -a -G venue-view,venue-operator 用户名                           # 可查看、可操作的人
树莓派上执行一次：sudo venue-gateway boot-config --apply，然后重启。"
}

rollback() {
    before=$(current current)
    to=$(current previous)
    [ -f "$PROGRAM/${to:-none}/complete" ] || fail "there is no version before this one" "没有更早的版本"
    need_calm "$PROGRAM/$before/bin"
    place "$to"
    settle
    restart
    healthy || fail "version $to does not run: journalctl -u venue-gateway -n 50" \
        "版本 $to 没有运行：journalctl -u venue-gateway -n 50"
    ln -sfn "$before" "$PROGRAM/previous"
    say "version $to is in force again" "版本 $to 重新生效"
}

uninstall() {
    case $data in
        keep | delete) ;;
        *) fail "say --keep-data or --delete-data (the record and the configuration)" \
            "请指明 --keep-data（保留记录和配置）或 --delete-data（全部删除）" ;;
    esac
    version=$(current current)
    [ -n "$version" ] || fail "it is not installed here" "本机没有安装"
    need_calm "$PROGRAM/$version/bin"
    "$SYSTEMCTL" disable --quiet --now "$UNIT" || true
    for part in $PARTS; do rm -f "$ROOT/$part"; done
    rm -f "$ROOT/usr/local/bin/venue-gateway"
    rm -rf "${PROGRAM:?}"
    "$SYSTEMCTL" daemon-reload
    if [ "$data" = delete ]; then
        rm -rf "$STATE" "$ROOT/etc/venue-gateway" "$ROOT/run/venue-gateway"
        say "removed, with its record and its configuration" "已删除，包括记录和配置"
    else
        say "removed; the record stays in $STATE, the configuration in $(dirname "$CONFIG")" \
            "已删除；记录保留在 $STATE，配置保留在 $(dirname "$CONFIG")"
    fi
}

verb='' data='' during_exam=no lgpio=''
for word in "$@"; do
    case $word in
        --keep-data) data=keep ;;
        --delete-data) data=delete ;;
        --during-exam) during_exam=yes ;;
        -h | --help) usage 0 ;;
        install | upgrade | rollback | uninstall) [ -z "$verb" ] || usage 2; verb=$word ;;
        *) usage 2 >&2 ;;
    esac
done
umask 022
trap '' HUP # a lost connection must not leave an upgrade half judged
need_root
case $verb in
    '' | install | upgrade) install_or_upgrade ;;
    rollback) rollback ;;
    uninstall) uninstall ;;
esac
