-- completion.lua - completions for bash, zsh and fish.
local calls = require "list_sync.options"

require("jit").off(true, true) -- runs a few times: not worth a trace

local completion = {}

-- What `options NAME` takes.
local function names()
    local out, seen = {}, {}
    local function add(name)
        if not seen[name] then out[#out + 1], seen[name] = name, true end
    end
    for _, call in ipairs(calls) do
        add(call.name)
        for _, option in ipairs(call.options) do add(option.name) end
    end
    table.sort(out)
    return table.concat(out, " ")
end

local function flags(option)
    local out = {}
    if option.letter ~= "" then out[#out + 1] = "-" .. option.letter end
    if option.name then out[#out + 1] = "--" .. option.name end
    return out
end

local function map(list, f)
    local out = {}
    for i, value in ipairs(list) do out[i] = f(value) end
    return out
end

-- The commands that fit, joined.
local function commands_that(line, fit, joint)
    local out = {}
    for _, command in ipairs(line.commands) do
        if fit(command) then out[#out + 1] = command.name end
    end
    return table.concat(out, joint)
end

local function takes_script(command) return command.script end
local function takes_name(command) return not command.script end
local function any() return true end

local function takes(number)
    return function(command)
        for _, taken in ipairs(command.takes) do
            if taken == number then return true end
        end
        return false
    end
end

local function filled(template, with) return (template:gsub("@(%l+)@", with)) end

-- ---- bash ----

local BASH = [=[
# bash completion for list_sync. Made with: list_sync options --format bash
_list_sync() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= words=0 opts= i
    local IFS=$' \t\n'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do # readline takes = for a word of its own
        case ${COMP_WORDS[i]} in
        @valued@)
            [[ ${COMP_WORDS[i + 1]} = '=' ]] && i=$((i + 1))
            i=$((i + 1)) ;;
        =) i=$((i + 1)) ;;
        -*) ;;
        *)
            words=$((words + 1))
            [[ $words = 1 ]] && command=${COMP_WORDS[i]} ;;
        esac
    done
    [[ $cur = '=' ]] && cur=
    [[ $prev = '=' && $COMP_CWORD -gt 2 ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    case $prev in
@values@    esac
    case $command in
    @any@ | '') ;;
    *) command=run words=2 ;; # a script
    esac
    if [[ $cur = -* ]]; then
        case $command in
@options@        esac
        COMPREPLY=($(compgen -W "$opts" -- "$cur"))
        return
    fi
    case $command in
    '') COMPREPLY=($(compgen -W '@commands@' -- "$cur")) ;;
    @named@)
        [[ $words = 1 ]] && COMPREPLY=($(compgen -W '@names@' -- "$cur"))
        return ;;
@words@    *) [[ $words = 1 ]] || return ;;
    esac
    IFS=$'\n'
    COMPREPLY+=($(compgen -f -X '!*.lua' -- "$cur") $(compgen -d -- "$cur"))
    compopt -o filenames 2>/dev/null
}
complete -F _list_sync list_sync
]=]

local function bash_values(line)
    local out = {}
    for _, option in ipairs(line.options) do
        if option.value then
            local what = option.choices and ("COMPREPLY=($(compgen -W '%s' -- \"$cur\")); "):format(option.choices)
                or option.value == "FILE" and 'COMPREPLY=($(compgen -f -- "$cur")); ' or ""
            out[#out + 1] = ("    %s) %sreturn ;;\n"):format(table.concat(flags(option), " | "), what)
        end
    end
    return table.concat(out)
end

local function bash_options(line)
    local out = {}
    for i, command in ipairs(line.commands) do
        local words = table.concat(map(command.takes, function(number) return table.concat(flags(line.options[number]), " ") end), " ")
        out[i] = ("        %s) opts='%s' ;;\n"):format(command.name, words)
    end
    local everywhere = {}
    for _, option in ipairs(line.options) do
        if option.everywhere then everywhere[#everywhere + 1] = table.concat(flags(option), " ") end
    end
    return table.concat(out) .. ("        *) opts='%s' ;;\n"):format(table.concat(everywhere, " "))
end

-- A word of the command's own stands before the script.
local function bash_words(line)
    local out = {}
    for _, command in ipairs(line.commands) do
        if command.words then
            out[#out + 1] = ("    %s)\n        [[ $words = 1 ]] && COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n        [[ $words = 2 ]] || return ;;\n"):format(command.name, command.words)
        end
    end
    return table.concat(out)
end

function completion.bash(line)
    local valued = {}
    for _, option in ipairs(line.options) do
        if option.value then valued[#valued + 1] = table.concat(flags(option), " | ") end
    end
    return filled(BASH, {
        valued = table.concat(valued, " | "), values = bash_values(line), options = bash_options(line), words = bash_words(line), any = commands_that(line, any, " | "),
        commands = commands_that(line, any, " "), named = commands_that(line, takes_name, " | "), names = names(),
    })
end

-- ---- zsh ----

local ZSH = [=[
#compdef list_sync
# zsh completion for list_sync. Made with: list_sync options --format zsh
_list_sync_first() {
    local -a commands
    commands=(
@commands@    )
    _describe -t commands command commands
    _files -g '*.lua(-.)'
}

_list_sync() {
    local command=run
    integer i
    for ((i = 2; i < CURRENT; i++)); do
        case ${words[i]} in
        (@valued@) ((i++)) ;;
        (-*) ;;
        (@any@) command=${words[i]}; break ;;
        (*) break ;;
        esac
    done
    case $command in
@options@    esac
}

if [[ ${funcstack[1]} = _list_sync ]]; then
    _list_sync "$@"
else
    compdef _list_sync list_sync
fi
]=]

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function zsh_option(option)
    local value = ""
    if option.value then
        local action = option.choices and ("(%s)"):format(option.choices) or option.value == "FILE" and "_files" or " "
        value = ":" .. option.value .. ":" .. action
    end
    return table.concat(map(flags(option), function(flag)
        return ("            %s \\\n"):format(quoted(("*%s[%s]%s"):format(flag, option.help:gsub("[%[%]\\:]", "\\%0"), value)))
    end))
end

function completion.zsh(line)
    local options, valued = {}, {}
    for _, option in ipairs(line.options) do
        if option.value then valued[#valued + 1] = table.concat(flags(option), "|") end
    end
    for i, command in ipairs(line.commands) do
        local specs = table.concat(map(command.takes, function(number) return zsh_option(line.options[number]) end))
        local second = command.words and quoted(("2:what:(%s)"):format(command.words)) .. " \\\n            " .. quoted "3:script:_files -g '*.lua(-.)'"
            or command.script and quoted "2:script:_files -g '*.lua(-.)'" or quoted(("2:name:(%s)"):format(names()))
        options[i] = ("    (%s)\n        _arguments -s \\\n%s            '1: :_list_sync_first' \\\n            %s ;;\n"):format(command.name, specs, second)
    end
    return filled(ZSH, {
        commands = table.concat(map(line.commands, function(command)
            return "        " .. quoted(("%s:%s"):format(command.name, command.help:gsub(":", "\\:"))) .. "\n"
        end)),
        options = table.concat(options), any = commands_that(line, any, "|"), valued = table.concat(valued, "|"),
    })
end

-- ---- fish ----

local function fish_quoted(text) return "'" .. text:gsub("[\\']", "\\%0") .. "'" end

-- Where an option or a word belongs; run's own come without the word, too.
local function fish_where(line, fit)
    local others = commands_that(line, function(command) return not fit(command) end, " ")
    if others == "" then return "" end
    local with_run = fit(line.commands[1])
    return " -n " .. fish_quoted(with_run and "not __fish_seen_subcommand_from " .. others or "__fish_seen_subcommand_from " .. commands_that(line, fit, " "))
end

function completion.fish(line)
    local out = { "# fish completion for list_sync. Made with: list_sync options --format fish\n", "complete -c list_sync -f\n" }
    for _, command in ipairs(line.commands) do
        out[#out + 1] = ("complete -c list_sync -n __fish_use_subcommand -a %s -d %s\n"):format(command.name, fish_quoted(command.help))
    end
    out[#out + 1] = ("complete -c list_sync%s -a '(__fish_complete_suffix .lua)'\n"):format(fish_where(line, takes_script))
    out[#out + 1] = ("complete -c list_sync%s -a %s\n"):format(fish_where(line, takes_name), fish_quoted(names()))
    for _, command in ipairs(line.commands) do
        if command.words then
            local of_it = function(other) return other == command end
            out[#out + 1] = ("complete -c list_sync%s -a %s\n"):format(fish_where(line, of_it), fish_quoted(command.words))
        end
    end
    for number, option in ipairs(line.options) do
        out[#out + 1] = ("complete -c list_sync%s%s%s%s -d %s\n"):format(fish_where(line, takes(number)), option.letter ~= "" and " -s " .. option.letter or "",
            option.name and " -l " .. option.name or "",
            not option.value and "" or option.choices and " -x -a " .. fish_quoted(option.choices) or option.value == "FILE" and " -r -F" or " -x",
            fish_quoted(option.help))
    end
    return table.concat(out)
end

return completion
