#!/usr/bin/env bash
# Sets up the project: finds a Python, makes a virtual environment, installs the checkout into it with what tests need.
#
#   setup-env.sh [FOLDER]   the environment goes to FOLDER (.venv); what is already there is kept and completed
#   setup-env.sh --find     only prints the Python that would be used
#
# PYTHON=/path/to/python    is tried before all others
# TORCH_INDEX=address       where pip takes torch from (a CPU-only build, for instance); pip's own settings hold anyway
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Every dependency has wheels for these; the first that is found is taken.
VERSIONS="3.13 3.12 3.14"
SYSTEM_DIRS=${SYSTEM_DIRS-/usr/local/bin /opt/homebrew/bin}

# Prints "ok 3.13", or why this Python cannot be used. Being on PATH is not enough: pyenv puts a python3.13 there that
# fails unless that version is selected, and Debian leaves the venv module out.
PROBE='
import sys, sysconfig
v = sys.version_info
name = "%d.%d" % v[:2]
if sys.implementation.name != "cpython":
    print("is %s, which has no wheels of torch" % sys.implementation.name)
elif v < (3, 12):
    print("is %d.%d.%d" % v[:3])
elif name not in sys.argv[1].split():
    print("is %s, newer than the wheels of some dependencies" % name)
elif sys.maxsize < 2**32:
    print("is a 32-bit build")
elif sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("is a free-threaded build, which has no wheels of some dependencies")
else:
    try:
        import ctypes, ensurepip, ssl, venv, zlib
    except ImportError as e:
        hint = " (Debian: apt install python%s-venv)" % name if e.name in ("ensurepip", "venv") else ""
        print("is %s without the module %s%s" % (name, e.name, hint))
    else:
        print("ok " + name)
'

probe() { # PYTHON
  "$1" -I -c "$PROBE" "$VERSIONS" 2>/dev/null </dev/null || echo "does not run"
}

candidates() { # one path a line, nearest to hand first
  local v folder
  for v in $VERSIONS; do type -ap "python$v" || true; done
  type -ap python3 python || true
  for folder in "${PYENV_ROOT:-}" "$HOME/.pyenv"; do
    [ -z "$folder" ] || printf '%s\n' "$folder"/versions/*/bin/python3
  done
  printf '%s\n' "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/*/bin/python3
  for folder in $SYSTEM_DIRS; do
    for v in $VERSIONS; do printf '%s\n' "$folder/python$v"; done
  done
}

find_python() { # prints a path, or explains and fails
  local path answer v seen="" good="" refused=""
  if [ -n "${PYTHON:-}" ]; then
    answer=$(probe "$PYTHON")
    if [[ $answer == ok\ * ]]; then
      type -P "$PYTHON"
      return
    fi
    echo "PYTHON=$PYTHON $answer; looking for another" >&2
  fi
  while read -r path; do
    [[ -x $path && $seen != *"|$path|"* ]] || continue
    seen+="|$path|"
    answer=$(probe "$path")
    if [[ $answer == ok\ * ]]; then good+="${answer#ok } $path"$'\n'; else refused+="  $path $answer"$'\n'; fi
  done < <(candidates)
  for v in $VERSIONS; do
    while read -r answer path; do
      if [ "$answer" = "$v" ]; then
        echo "$path"
        return
      fi
    done <<<"$good"
  done
  cat >&2 <<END
No Python was found that vsvfi can be set up with. It needs one of ${VERSIONS// /, }, with the venv module.
Seen:
${refused:-  none at all
}Install one in any of these ways and run this again:
  Debian 13, Ubuntu 24.04   apt install python3 python3-venv
  pyenv                     pyenv install 3.13
  uv                        uv python install 3.13
  anything else             an installer from python.org
or name one that is somewhere else: make PYTHON=/path/to/python3.13
END
  return 1
}

make_env() { # FOLDER: one that works is kept, one whose making was interrupted is made again
  local python answer="does not run"
  if [[ -x $1/bin/python ]]; then
    answer=$(probe "$1/bin/python")
    if [[ $answer == ok\ * ]] && "$1/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
  fi
  if [[ $answer == is\ * ]]; then
    echo "The Python of $1 $answer; remove it or name another folder: make VENV=..." >&2
    return 1
  elif [[ -e $1 && ! -e $1/pyvenv.cfg && -n $(ls -A "$1") ]]; then
    echo "$1 is not a virtual environment; remove it or name another folder: make VENV=..." >&2
    return 1
  fi
  python=$(find_python)
  echo "== $("$python" -V) ($python): making the virtual environment $1"
  "$python" -m venv --clear "$1"
}

pip_install() { # PYTHON ARGUMENTS: pip's errors as they are, of its progress only the large downloads
  local python=$1
  shift
  "$python" -m pip install --disable-pip-version-check --progress-bar off "$@" | awk '
    /^ *Downloading .*[0-9] [MG]B\)/ {
      name = $2; sub(".*/", "", name); size = substr($3, 2) + 0
      if (size >= 20 || $4 ~ /^G/) { print "   " name, $3, $4; fflush() }
    }
    /^Installing collected packages/ { print "   installing " NF - 3 " packages"; fflush() }'
}

install() { # FOLDER
  local python=$1/bin/python
  echo "== Installing vsvfi and what it needs into $1 (the first time takes minutes: torch is large)"
  if [ -n "${TORCH_INDEX:-}" ]; then
    pip_install "$python" --index-url "$TORCH_INDEX" "$(grep -o 'torch>=[0-9.]*' setup.py)"
  fi
  pip_install "$python" --editable '.[dev]'
  touch "$1/.installed"
}

if [ "${1:-}" = --find ]; then
  find_python
else
  make_env "${1:-.venv}"
  install "${1:-.venv}"
fi
