#!/bin/sh
# image.sh - an image of one program and nothing else, as an archive that `docker load` takes
#
#   image.sh PROGRAM OUTPUT NAME:TAG
#
# No base image, no registry, no engine. The same program gives the same bytes: times, owners and order are fixed. The
# format is that of `docker save` (github.com/moby/docker-image-spec, v1.2): layers as tar files, and a configuration
# whose digest is the image's id.
set -eu
umask 022 # modes of what is made here are part of the image
program=$1 output=$2 reference=$3
name=$(basename "$program")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archive() { tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -C "$1" -cf "$2" "$3"; }
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac

mkdir "$work/root" "$work/root/data" "$work/root/tmp" "$work/image"
install -m 0755 "$program" "$work/root/$name"
chmod 1777 "$work/root/tmp"
archive "$work/root" "$work/layer.tar" .
layer=$(digest "$work/layer.tar")
mkdir "$work/image/$layer"
mv "$work/layer.tar" "$work/image/$layer/layer.tar"
cat >"$work/config" <<END
{"architecture":"$architecture","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Entrypoint":["/$name"],"Env":["PATH=/"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"$name"}]}
END
id=$(digest "$work/config")
mv "$work/config" "$work/image/$id.json"
printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["%s/layer.tar"]}]\n' "$id" "$reference" "$layer" \
    >"$work/image/manifest.json"
archive "$work/image" "$output.new" .
mv "$output.new" "$output"
echo "$reference is sha256:$id"
