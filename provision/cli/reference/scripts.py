"""The completion scripts of four shells. Each asks `provision __complete` for the words, so new commands need no new script."""

from __future__ import annotations

_BASH = r"""# bash completion of provision
_provision() {
    local typed=${COMP_LINE:0:COMP_POINT} value words=() found=()
    read -ra words <<<"$typed"
    [[ $typed == *[[:space:]] ]] && words+=("")
    local full=${words[-1]} current=${COMP_WORDS[COMP_CWORD]}
    while IFS=$'\t' read -r value _; do
        if [[ $value == :files ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t found < <(compgen -f -- "$current")
            COMPREPLY=("${found[@]}")
            return
        fi
        found+=("${value:${#full}-${#current}}")
    done < <(provision __complete "${words[@]:1}" 2>/dev/null)
    COMPREPLY=("${found[@]}")
    [[ ${found[0]} == *: || ${found[0]} == *= ]] && compopt -o nospace 2>/dev/null
}
complete -F _provision provision
"""
_ZSH = r"""#compdef provision
_provision() {
    local line value
    local -a values descriptions
    for line in "${(@f)$(provision __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        value=${line%%$'\t'*}
        if [[ $value == :files ]]; then
            _files
            return
        fi
        [[ -n $value ]] || continue
        values+=("$value")
        descriptions+=("$value  ${line#*$'\t'}")
    done
    compadd -l -d descriptions -a values
}
if [[ $funcstack[1] == _provision ]]; then _provision "$@"; else compdef _provision provision; fi
"""
_FISH = r"""# fish completion of provision
function __provision_complete
    for line in (provision __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
        if string match -q ':files*' -- $line
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c provision -f -a '(__provision_complete)'
"""
_POWERSHELL = r"""# PowerShell completion of provision
Register-ArgumentCompleter -Native -CommandName provision -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '""' }
    provision __complete @words 2>$null | ForEach-Object {
        $value, $meaning = $_ -split "`t", 2
        if ($value -eq ':files') { return }
        if (-not $meaning) { $meaning = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $meaning)
    }
}
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
"""By the name of the shell. In PowerShell, paths complete as always: a completer without words leaves that to the shell."""
