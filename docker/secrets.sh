#!/bin/sh
# docker/secrets.sh: makes .env from .env.example, with fresh secrets. It never replaces one that is there.
set -eu
umask 077
cd "$(dirname "$0")/.."
if [ -e .env ]; then
  echo '.env is there already; its secrets are those of the volumes. Nothing was changed.' >&2
  exit 1
fi
fresh=$(mktemp .env.XXXXXX)
trap 'rm -f "$fresh"' EXIT
while IFS= read -r line; do
  case $line in
    '#'*) ;;
    *=) line=$line$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n') ;;
  esac
  printf '%s\n' "$line"
done < .env.example > "$fresh"
mv "$fresh" .env
echo 'Made .env. Start with: docker compose up'
