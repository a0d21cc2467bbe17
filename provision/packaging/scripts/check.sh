#!/bin/sh
# Checks whether one user's Hermes is set up by this package: exit 0 if it is current, 1 if not. Writes nothing.
set -eu

inventory_id=@USER@
default_account=@ACCOUNT@
kind=@KIND@
generation=@GENERATION@ # the bundle's; a newer one is accepted

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
  for folder in "$home/.config/provision" "$home/Library/Application Support/provision"; do
    if grep -q '"last_good": [0-9]' "$folder/pull.json" 2>/dev/null; then
      echo "pulling"
      exit 0
    fi
  done
  echo "not pulling yet"
  exit 1
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
