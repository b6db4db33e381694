# completion.sh - completion in bash, zsh and fish
. "$srcdir/tests/env.sh"
completion=$srcdir/cli/completion
mkdir "$test_dir/bin"
ln -s "$builddir/tests/cli/memories-fake" "$test_dir/bin/memories"
PATH=$test_dir/bin:$PATH
cd "$test_dir" || fail "cannot enter $test_dir"
mkdir here
: >here/consensus.yaml

# What bash offers for a line, one a line. The words are split as bash splits them.
bash_offers() {
    bash --norc -c '
        . "$0"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        compopt() { :; }
        _memories
        printf "%s\n" "${COMPREPLY[@]}"' "$completion/memories.bash" "$@"
}

if type bash >/dev/null 2>&1; then
    bash -n "$completion/memories.bash" || fail "not right: see above"
    equal "$(bash_offers memories sta)" "status
start"
    equal "$(bash_offers memories stop cons)" "consensus-local-20260225-123456"
    equal "$(bash_offers memories deploy --provider '')" "local"
    equal "$(bash_offers memories deploy --provider = l)" "local"
    equal "$(bash_offers memories --state-dir /x deploy --keep)" "--keep-on-failure"
    equal "$(bash_offers memories logs x --node node10)" "node10"
    equal "$(bash_offers memories heal x --node node10)" "node10"
    equal "$(bash_offers memories heal x --force-new-cluster node10)" "node10"
    equal "$(bash_offers memories scale x --worker-nodes '')" ""
    equal "$(bash_offers memories services cons)" "consensus-local-20260225-123456"
    equal "$(bash_offers memories metrics x --metric cpu)" "cpu_utilization"
    equal "$(bash_offers memories schema consensus '')" "local"
    equal "$(bash_offers memories help up)" "update"
    equal "$(bash_offers memories deploy here/c)" "here/consensus.yaml"
    equal "$(bash_offers memories list --state-dir h)" "here"
    equal "$(bash_offers memories list '')" ""
    equal "$(bash_offers memories nonsense '')" ""
else
    echo "not checked: bash is not here"
fi

if type zsh >/dev/null 2>&1; then
    zsh -n "$completion/memories.zsh" || fail "not right: see above"
    # The completion system itself needs a terminal: its functions are stood in for.
    zsh_offers() {
        zsh -f -c '
            _describe() { eval "print -l -- \${(@)$4}" }
            _files() { print files $1 }
            words=("$@")
            CURRENT=$#
            . "$0"' "$completion/memories.zsh" "$@"
    }
    equal "$(zsh_offers memories help up)" "update:Change a deployment to what a configuration file describes"
    contains "$(zsh_offers memories stop cons)" "consensus-local-20260225-123456:größe: consensus on local, running"
    equal "$(zsh_offers memories deploy '')" "files"
    equal "$(zsh_offers memories deploy --state-dir '')" "files -/"
else
    echo "not checked: zsh is not here"
fi

if type fish >/dev/null 2>&1; then
    fish --no-execute "$completion/memories.fish" || fail "not right: see above"
    fish_offers() { fish --no-config -c "source $completion/memories.fish; complete -C '$1'"; }
    contains "$(fish_offers 'memories stop cons')" "consensus-local-20260225-123456"
    contains "$(fish_offers 'memories sta')" "status"
else
    echo "not checked: fish is not here"
fi
