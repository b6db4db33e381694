# bash completion for memories(1)

_memories()
{
    local line candidates
    COMPREPLY=()
    mapfile -t candidates < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    case ${candidates[0]-} in
    :files)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        ;;
    :directories)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}")
        ;;
    *)
        for line in "${candidates[@]}"; do
            COMPREPLY+=("${line%%$'\t'*}")
        done
        ;;
    esac
}

complete -F _memories memories
