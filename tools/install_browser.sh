#!/usr/bin/env bash
# Print the path of a Chromium or Chrome that the browser tests can drive; install one if there is none.
#
#   tools/install_browser.sh [--find] [PYTHON]
#
# --find   only look; exit 1 if there is none
# PYTHON   an interpreter that has playwright (default: .venv/bin/python)
#
# The path goes to stdout, everything else to stderr. FLOWERDIFF_CHROMIUM=/path overrides the search.
set -eu
cd "$(dirname "$0")/.."

only_find=
if [ "${1:-}" = --find ]; then only_find=yes; shift; fi
python=${1:-.venv/bin/python}

works() { # the program exists, answers, and is no snap (whose sandbox hides the test's profile folder)
  [ -x "$1" ] || return 1
  case "$(readlink -f "$1" 2>/dev/null || echo "$1")" in /snap/*|*/bin/snap) return 1 ;; esac
  "$1" --version >/dev/null 2>&1 </dev/null
}

playwrights_own() { # where `playwright install chromium` puts its browser
  "$python" - 2>/dev/null <<'EOF'
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    print(p.chromium.executable_path)
EOF
}

find_browser() {
  for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    candidate=$(command -v "$name" || true)
    if [ -n "$candidate" ] && works "$candidate"; then echo "$candidate"; return; fi
  done
  for app in "Google Chrome" Chromium; do
    for folder in /Applications "$HOME/Applications"; do
      candidate="$folder/$app.app/Contents/MacOS/$app"
      if works "$candidate"; then echo "$candidate"; return; fi
    done
  done
  candidate=$(playwrights_own || true)
  if [ -n "$candidate" ] && works "$candidate"; then echo "$candidate"; return; fi
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_from_debian() { # Ubuntu's chromium package is a snap, so only Debian and its like
  command -v apt-get >/dev/null && grep -qs -E '^ID=(debian|raspbian)$' /etc/os-release || return 1
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 1
  echo "installing Debian's chromium and a font" >&2
  as_root apt-get update -q >&2 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core >&2
}

install_from_playwright() {
  echo "installing playwright's chromium" >&2
  with_deps=
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then with_deps=--with-deps; fi
  "$python" -m playwright install $with_deps chromium >&2
}

if [ -n "${FLOWERDIFF_CHROMIUM:-}" ]; then
  if works "$FLOWERDIFF_CHROMIUM"; then echo "$FLOWERDIFF_CHROMIUM"; exit; fi
  echo "FLOWERDIFF_CHROMIUM=$FLOWERDIFF_CHROMIUM does not run; set it to a Chromium or Chrome program, or unset it" >&2
  exit 1
fi
find_browser && exit
if [ -z "$only_find" ]; then
  if install_from_debian && find_browser; then exit; fi
  if install_from_playwright && find_browser; then exit; fi
  cat >&2 <<'EOF'
No Chromium or Chrome found, and none could be installed. Install either one in the way your system
does it, then run this again. If it is not on the PATH, set FLOWERDIFF_CHROMIUM to its program.
To run the tests that need no browser: make test-fast
EOF
fi
exit 1
