#compdef memories
# zsh completion for memories(1)

_memories()
{
    local line
    local -a lines described
    lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    case ${lines[1]} in
    :files)
        _files
        ;;
    :directories)
        _files -/
        ;;
    *)
        for line in "${lines[@]}"; do
            [[ -n $line ]] && described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        done
        _describe -t memories memories described
        ;;
    esac
}

_memories "$@"
