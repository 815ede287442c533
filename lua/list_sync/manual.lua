-- manual.lua - the manual page list_sync(1), in man's macros.
local calls = require "list_sync.options"
local reference = require "list_sync.reference"

require("jit").off(true, true) -- runs a few times: not worth a trace

local manual = {}

-- What groff would take for its own: backslashes, dashes, and a dot or quote that begins a line.
local function safe(text)
    text = text:gsub("%s+", " "):gsub("\\", "\\e"):gsub("%-", "\\-")
    return (text:gsub("^([.'])", "\\&%1"))
end

local function bold(text) return "\\fB" .. safe(text) .. "\\fR" end

-- A line of usage: words in capitals are what the reader fills in.
local function usage(text) return (safe(text):gsub("%f[%w]%u[%u]*%f[^%w]", "\\fI%0\\fR"):gsub("^list_sync", "\\fBlist_sync\\fR")) end

local function sentence(text) return text:sub(1, 1):upper() .. text:sub(2) .. "." end

local function flags(option)
    local out = {}
    if option.letter ~= "" then out[#out + 1] = bold("-" .. option.letter) end
    if option.name then out[#out + 1] = bold("--" .. option.name) end
    return table.concat(out, ", ") .. (option.value and " \\fI" .. safe(option.value) .. "\\fR" or "")
end

local function commands_of(line, number)
    local names = {}
    for _, command in ipairs(line.commands) do
        for _, taken in ipairs(command.takes) do
            if taken == number then names[#names + 1] = command.name end
        end
    end
    return table.concat(names, ", ")
end

function manual.page(line)
    local out = {}
    local function add(text, ...) out[#out + 1] = text:format(...) .. "\n" end
    add('.\\" Made with: list_sync options --format man')
    add('.TH LIST_SYNC 1 "" "list_sync %s" "User Commands"', line.version)
    add('.SH NAME\nlist_sync \\- %s', safe(line.about))
    add ".SH SYNOPSIS\n.nf"
    for _, command in ipairs(line.commands) do add("%s", usage(command.usage)) end
    add ".fi"
    add(".SH DESCRIPTION\n%s %s", safe "A script, which is a Lua file, declares connectors, which read the changes of a database and send them to Kafka, and consumers,",
        safe "which read them from Kafka and write them. The first word is a command, or a script to run: a word with a / or ending in .lua.")
    add ".SH COMMANDS"
    for _, command in ipairs(line.commands) do add(".TP\n%s\n%s", bold(command.name), safe(sentence(command.help))) end
    add ".SH OPTIONS"
    for number, option in ipairs(line.options) do
        add(".TP\n%s\n%s%s", flags(option), safe(sentence(option.help)), option.everywhere and "" or safe(" (" .. commands_of(line, number) .. ")"))
    end
    add(".SH SCRIPT\n%s", safe 'A script begins with local ls = require "list_sync". These are its calls and what they take.')
    for _, call in ipairs(calls) do
        add(".SS ls.%s\n%s", call.name, safe(call.doc))
        for _, option in ipairs(call.options) do
            add(".TP\n%s (%s)\n%s", bold(option.name), safe(reference.facts(option)), safe(option.doc))
        end
    end
    add ".SH SIGNALS"
    add("%s", safe "SIGTERM and SIGINT deliver what is begun and stop; a second one stops at once.")
    add ".SH EXIT STATUS"
    for _, exit in ipairs(line.exits) do add(".TP\n.B %d\n%s", exit.code, safe(sentence(exit.meaning))) end
    return table.concat(out)
end

return manual
