#!/bin/sh
# Checks whether one user's Hermes is set up by this package: exit 0 if it is current, 1 if not. Writes nothing.
set -eu

inventory_id=@USER@
default_account=@ACCOUNT@
kind=@KIND@
generation=@GENERATION@ # the bundle's; a newer one is accepted
stale_s=@STALE@ # a last good pull that is older, in seconds, counts as none

PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin"
account=${HERMES_PROVISION_ACCOUNT:-$default_account}
if [ -z "$account" ]; then
  if [ "$(uname -s)" = Darwin ]; then
    account=$(stat -f %Su /dev/console)
  else
    account=$(id -un)
  fi
fi
case $account in
  '' | -* | *[!A-Za-z0-9._@+\\-]*)
    echo "no account"
    exit 1
    ;;
  *) ;;
esac
if [ "$(id -u)" = "$(id -u "$account" 2>/dev/null)" ]; then
  home=$HOME
elif command -v getent >/dev/null 2>&1; then
  home=$(getent passwd "$account" | cut -d: -f6)
else
  home=$(dscl . -read "/Users/$account" NFSHomeDirectory | sed 's/^NFSHomeDirectory: //')
fi

if [ "$kind" = pull ]; then
  last=
  for folder in "$home/.config/provision" "$home/Library/Application Support/provision"; do
    found=$(sed -n 's/^ *"last_good": \([0-9][0-9]*\).*/\1/p' "$folder/pull.json" 2>/dev/null || true)
    last=${found:-$last}
  done
  if [ -z "$last" ]; then
    echo "not pulling yet"
    exit 1
  fi
  service="$home/.config/systemd/user/hermes-provision-pull.service"
  agent="$home/Library/LaunchAgents/one.aisa.hermes-provision.pull.plist"
  targets=$(
    sed -n 's/^# needs //p' "$service" 2>/dev/null || true
    sed -n '/<key>ProgramArguments</,/<\/array>/s/^[[:space:]]*<string>\(\/.*\)<\/string>$/\1/p' "$agent" 2>/dev/null |
      sed 's/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
  )
  if [ -z "$targets" ]; then
    echo "not pulling: the timer is missing"
    exit 1
  fi
  missing=$(printf '%s\n' "$targets" | while IFS= read -r target; do
    [ -e "$target" ] || printf '%s\n' "$target"
  done)
  if [ -n "$missing" ]; then
    echo "not pulling: the timer needs $(printf '%s' "$missing" | head -n 1), which is missing"
    exit 1
  fi
  now=$(date +%s)
  if [ "$((now - last))" -gt "$stale_s" ]; then
    echo "not pulling: the last good pull was $(((now - last) / 3600)) hours ago"
    exit 1
  fi
  echo "pulling"
  exit 0
fi

hermes_home=@HERMES_HOME@ # empty: the platform's default
manifest=${hermes_home:-$home/.hermes}/.provision/manifest.json
if ! grep -qxF "  \"user\": \"$inventory_id\"," "$manifest" 2>/dev/null; then
  echo "not installed"
  exit 1
fi
installed=$(sed -n 's/^  "generation": \([0-9][0-9]*\),$/\1/p' "$manifest")
if [ "${installed:-0}" -ge "$generation" ]; then
  echo "generation $installed"
  exit 0
fi
echo "generation ${installed:-unknown}, expected $generation"
exit 1
