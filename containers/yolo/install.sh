# Installs what the container needs, every file by its hash, and nothing that is not listed:
#   install.sh <pip, with its general options>          PIP_OPTIONS: further options of `pip install`
set -e
cd "$(dirname "$0")"
"$@" install --require-hashes --no-deps $PIP_OPTIONS -r requirements.txt
# The package index's torch needs CUDA's libraries besides; a CPU build needs nothing more.
"$@" check > /dev/null || "$@" install --require-hashes --no-deps $PIP_OPTIONS -r cuda.txt
"$@" check
