#!/bin/sh
# Ends the management of one user's Hermes: stops pulls, and marks the home as unmanaged. The user's files stay.
set -eu

default_account=@ACCOUNT@
kind=@KIND@
brought=@BROUGHT@ # yes: this package brought the program

PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/opt/homebrew/bin:/usr/sbin:/sbin"
account=${HERMES_PROVISION_ACCOUNT:-$default_account}
if [ -z "$account" ]; then
  if [ "$(uname -s)" = Darwin ]; then
    account=$(stat -f %Su /dev/console)
  else
    account=$(id -un)
  fi
fi
case $account in
  '' | -* | *[!A-Za-z0-9._@+\\-]*) exit 0 ;;
  *) ;;
esac
id -u "$account" >/dev/null 2>&1 || exit 0
if [ "$(id -u)" = "$(id -u "$account" 2>/dev/null)" ]; then
  home=$HOME
elif command -v getent >/dev/null 2>&1; then
  home=$(getent passwd "$account" | cut -d: -f6)
else
  home=$(dscl . -read "/Users/$account" NFSHomeDirectory | sed 's/^NFSHomeDirectory: //')
fi

as_account() {
  if [ "$(id -u)" = "$(id -u "$account" 2>/dev/null)" ]; then
    "$@"
  elif [ "$(uname -s)" = Darwin ]; then
    launchctl asuser "$(id -u "$account")" sudo -u "$account" -H "$@"
  else
    runuser -u "$account" -- env HOME="$home" XDG_RUNTIME_DIR="/run/user/$(id -u "$account")" "$@"
  fi
}

cd /
if [ "$kind" = pull ]; then
  name=hermes-provision-pull
  label=one.aisa.hermes-provision.pull
  if [ "$(uname -s)" = Darwin ]; then
    as_account launchctl bootout "gui/$(id -u "$account")/$label" 2>/dev/null || true
  else
    as_account systemctl --user disable --now "$name.timer" 2>/dev/null || true
  fi
  as_account rm -f "$home/Library/LaunchAgents/$label.plist" \
    "$home/.config/systemd/user/$name.service" "$home/.config/systemd/user/$name.timer" \
    "$home/.config/systemd/user/timers.target.wants/$name.timer" \
    "$home/.config/provision/pull.json" "$home/Library/Application Support/provision/pull.json"
fi
hermes_home=@HERMES_HOME@ # empty: the platform's default
kept=${hermes_home:-$home/.hermes}/.provision
as_account rm -f "$kept/manifest.json" "$kept/manifest.json.sig" "$kept/receipt.json" "$kept/receipt.json.sig"
if [ "$brought" = yes ]; then
  as_account rm -f "$home/.local/share/hermes-provision/provision.pyz"
  as_account rm -rf "$home/.cache/hermes-provision"
fi
