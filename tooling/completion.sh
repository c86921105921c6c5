# Completes `make` in this project: targets, variables, names of stacks and engines. For bash and zsh.
# Put this line into ~/.bashrc or ~/.zshrc (there below `compinit`):  source CHECKOUT/tooling/completion.sh
# shellcheck shell=bash

# What may stand where a word begins as $1 does, a line each.
_open_webui_words() {
    case $1 in
        STACK=*) sed -n 's#^stacks/Pulumi\.\(.*\)\.yaml$#STACK=\1#p' <<<"$(printf '%s\n' stacks/Pulumi.*.yaml)" ;;
        ENGINE=*) printf 'ENGINE=%s\n' auto pulumi embedded ;;
        *)
            sed -n 's/^\([a-z0-9-]*\):.*## .*/\1/p' Makefile
            printf '%s\n' STACK= ENGINE= SECRET= WHO= LINES= JSON=1 YES=1 TAKE_OVER=1 BUILD_IMAGES=1
            ;;
    esac
}

_open_webui_is_here() { [ -d tooling/launcher ] && [ -f Pulumi.yaml ]; }

if [ -n "${ZSH_VERSION-}" ]; then
    _open_webui_make() {
        _open_webui_is_here || { _make "$@"; return; }
        # A value follows `=`, so nothing is put after it.
        # shellcheck disable=SC2086,SC2296 # zsh's own: one word a line
        compadd -S '' -- ${(f)"$(_open_webui_words "$PREFIX")"}
    }
    compdef _open_webui_make make
else
    _open_webui_make() {
        local before=${COMP_LINE:0:COMP_POINT}
        local word=${before##* }
        COMPREPLY=()
        _open_webui_is_here || return 0
        mapfile -t COMPREPLY < <(compgen -W "$(_open_webui_words "$word")" -- "$word")
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
        # To bash `=` ends a word: what stands before it is there already.
        [[ $word == *=* ]] && COMPREPLY=("${COMPREPLY[@]#*=}")
        return 0
    }
    complete -o default -F _open_webui_make make
fi
