#!/bin/sh
# Sets up one user's Hermes through `provision`. Written by `provision package`. Contains no secret in clear text.
# Runs as that user, or as root for that user; running it again changes nothing if the machine is current.
set -eu
umask 077

inventory_id=@USER@     # the user's id in IT's inventory
default_account=@ACCOUNT@ # the account on this machine; empty: the logged-in user
kind=@KIND@             # bundle or pull
every=@EVERY@           # how often a pull happens
payload=@PAYLOAD@       # folder with bundle.tar and allowed_signers
pythons=@PYTHONS@       # versions that the program runs on

PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/opt/homebrew/bin:/usr/sbin:/sbin"
export PATH

fail() {
  printf 'hermes-provision: %s\n' "$1" >&2
  exit "${2:-1}"
}

logged_in() {
  if [ "$(uname -s)" = Darwin ]; then
    stat -f %Su /dev/console
  elif [ "$(id -u)" -ne 0 ]; then
    id -un
  else
    who | awk 'NR == 1 { print $1 }'
  fi
}

account=${HERMES_PROVISION_ACCOUNT:-$default_account}
if [ -z "$account" ]; then
  account=$(logged_in)
  case $account in
    '' | root | loginwindow | _*) fail "no user is logged in; retry later" 75 ;;
    *) ;;
  esac
fi
case $account in
  -* | *[!A-Za-z0-9._@+\\-]*) fail "invalid account name" ;;
  *) ;;
esac
id -u "$account" >/dev/null 2>&1 || fail "account $account does not exist here: set HERMES_PROVISION_ACCOUNT, or build the package with --account"

if [ "$(id -u)" = "$(id -u "$account" 2>/dev/null)" ]; then
  home=$HOME
elif command -v getent >/dev/null 2>&1; then
  home=$(getent passwd "$account" | cut -d: -f6)
else
  home=$(dscl . -read "/Users/$account" NFSHomeDirectory | sed 's/^NFSHomeDirectory: //')
fi
[ -d "$home" ] || fail "the home folder of $account does not exist"

as_account() {
  if [ "$(id -u)" = "$(id -u "$account" 2>/dev/null)" ]; then
    "$@"
  elif [ "$(uname -s)" = Darwin ]; then
    launchctl asuser "$(id -u "$account")" sudo -u "$account" -H "$@"
  else
    runuser -u "$account" -- env HOME="$home" XDG_RUNTIME_DIR="/run/user/$(id -u "$account")" "$@"
  fi
}

# the program: shipped with this script (and kept in the user's folder), named, in the user's folders, in Hermes' venv, or on the PATH
kept="$home/.local/share/hermes-provision"
if [ -f "$payload/provision.pyz" ] && ! as_account cmp -s - "$kept/provision.pyz" <"$payload/provision.pyz"; then
  as_account mkdir -p "$kept"
  as_account tee "$kept/.new" <"$payload/provision.pyz" >/dev/null
  as_account mv -f "$kept/.new" "$kept/provision.pyz"
fi
find_provision() {
  for candidate in \
    "${HERMES_PROVISION:-}" \
    "$kept/provision.pyz" \
    "$home/.local/bin/provision" \
    "$home/.hermes/hermes-agent/venv/bin/provision" \
    /opt/hermes-provision/bin/provision \
    "$(command -v provision || true)"; do
    if [ -n "$candidate" ] && [ -f "$candidate" ]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# a Python for the single file: Hermes' own, else the newest. Apple's is too old, and asks for developer tools when it is run
fits() {
  [ -x "$1" ] || return 1
  if [ "$1" = /usr/bin/python3 ] && [ "$(uname -s)" = Darwin ]; then return 1; fi
  found=$(as_account "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 1
  case " $pythons " in *" $found "*) return 0 ;; *) return 1 ;; esac
}
find_python() {
  if fits "$home/.hermes/hermes-agent/venv/bin/python"; then
    printf '%s\n' "$home/.hermes/hermes-agent/venv/bin/python"
    return 0
  fi
  for version in $pythons ''; do
    for candidate in "$(command -v "python${version:-3}" || true)" \
      "/Library/Frameworks/Python.framework/Versions/$version/bin/python$version"; do
      if fits "$candidate"; then
        printf '%s\n' "$candidate"
        return 0
      fi
    done
  done
  return 1
}

program=$(find_provision) || fail "provision is not installed here: build the package with --zipapp FILE, or install provision for $account"
python=
case $program in
  *.pyz) python=$(find_python) || fail "no Python found that runs $program: install one of $pythons" ;;
  *) ;;
esac

run() {
  if [ -n "$python" ]; then
    as_account "$python" "$program" "$@"
  else
    as_account "$program" "$@"
  fi
}

cd /
run enroll --user "$inventory_id" --signer "$payload/allowed_signers"
code=0
if [ "$kind" = bundle ]; then
  run install --user "$inventory_id" "$payload/bundle.tar" || code=$?
else
  run pull - --user "$inventory_id" --every "$every" --install-timer <"$payload/address" || code=$?
fi
case $code in
  0) ;;
  10) fail "installed, but Hermes would not use it: see above" 10 ;;
  *) fail "not installed: see above" "$code" ;;
esac
