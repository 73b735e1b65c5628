#!/bin/sh
# TITLE
#
# What `stslab run LAB` does, as aws commands. Run it inside `stslab shell`, which points
# the aws CLI at the embedded account; anywhere else it needs a profile named admin.
set -eu
cd "$(mktemp -d)"
run=a$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
account=$(aws sts get-caller-identity --query Account --output text --profile admin)
region=$(aws configure get region --profile admin || echo us-east-1)
partition=aws

# refused CODE COMMAND...: holds if AWS refuses the command with that error code.
refused() {
  code=$1
  shift
  if answer=$("$@" 2>&1); then
    echo "This should have been refused: $*" >&2
    exit 1
  fi
  echo "$answer"
  case $answer in *"($code)"*) ;; *) exit 1 ;; esac
}

# holds COMMAND...: holds if the command's --query finds a value, and it is true.
holds() {
  answer=$("$@" --output text)
  case $answer in '' | None | False) echo "This does not hold: $*" >&2 && exit 1 ;; esac
  echo "$answer"
}

# keep PROFILE KEY SECRET [TOKEN]: keeps credentials as a profile of the aws CLI.
keep() {
  aws configure set aws_access_key_id "$2" --profile "$1"
  aws configure set aws_secret_access_key "$3" --profile "$1"
  if [ "${4:-None}" != None ]; then aws configure set aws_session_token "$4" --profile "$1"; fi
  point "$1"
}

# point PROFILE: points a profile at admin's account.
point() {
  url=$(aws configure get endpoint_url --profile admin || true)
  if [ -n "$url" ]; then aws configure set endpoint_url "$url" --profile "$1"; fi
}
