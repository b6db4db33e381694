# image.sh - the image of memories-server: the same each time, with the digests it claims, of one program that needs nothing
. "$srcdir/tests/env.sh"
archive=$builddir/server/image/memories-server.tar
[ -f "$archive" ] || skip "there is no $archive: static linking failed here (make image says why)"
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
# The one value of a JSON member in a file of one line.
member() { sed -n "s/.*\"$1\":\[*\"\([^\"]*\)\".*/\1/p" "$2"; }

# The digests: of the configuration, which is the image's id, and of its one layer.
image=$test_dir/image
mkdir "$image"
tar -xf "$archive" -C "$image"
config=$(member Config "$image/manifest.json")
layer=$(member Layers "$image/manifest.json")
equal "$config" "$(digest "$image/$config").json"
equal "$layer" "$(digest "$image/$layer")/layer.tar"
equal "$(member diff_ids "$image/$config")/layer.tar" "sha256:$layer"
tag=memories-server:$(memories --version | sed -n 's/^memories //p')
equal "$(member RepoTags "$image/manifest.json")" "$tag"
equal "$(cat "$builddir/server/image/id")" "$tag is sha256:${config%.json}"

# The layer: the program and two directories, of root, whoever built it.
equal "$(tar -tvf "$image/$layer" | sed 's/  *[0-9]* [0-9-]* [0-9:]* / /')" "drwxr-xr-x 0/0 ./
drwxr-xr-x 0/0 ./data/
-rwxr-xr-x 0/0 ./memories-server
drwxrwxrwt 0/0 ./tmp/"

# The same bytes from the same program, wherever, whenever and by whom they are made.
mkdir "$test_dir/elsewhere"
cp "$builddir/server/image/memories-server" "$test_dir/elsewhere/memories-server"
(umask 077 && cd "$test_dir/elsewhere" && LC_ALL=C TZ=Asia/Tokyo sh "$srcdir/server/image.sh" memories-server again.tar "$tag" >id)
equal "$(cat "$test_dir/elsewhere/id")" "$(cat "$builddir/server/image/id")"
cmp "$archive" "$test_dir/elsewhere/again.tar" || fail "the archive differs from one made again"

# The program: no interpreter, so no library; and it runs, where nothing but it is there if that is possible.
root=$test_dir/root
mkdir "$root"
tar -xf "$image/$layer" -C "$root"
program=$root$(member Entrypoint "$image/$config")
readelf -l "$program" >"$test_dir/headers" || fail "no program: $program"
grep -q INTERP "$test_dir/headers" && fail "it is linked dynamically"
if [ "$(id -u)" -eq 0 ]; then
    expect 0 chroot "$root" /memories-server --version
else
    expect 0 env -i "$program" --version
fi
contains "$out" "memories-server ${tag#*:}"
"$program" --port 0 --node here 2>"$test_dir/log" &
pid=$!
listens() { grep -q 'listens on' "$test_dir/log"; }
wait_until 10 listens
expect 0 "$program" --check --port "$(sed -n 's/.*listens on 127.0.0.1 port \([0-9]*\).*/\1/p' "$test_dir/log")"
kill -TERM "$pid"
wait "$pid" || fail "it ended with $?"
