-- source.lua - where the options of a call stand in a script's text: their lines for messages, their places for `list_sync test --update`.
require("jit").off(true, true) -- runs a few times: not worth a trace

local source = {}

local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }

-- Where the token at `at` ends that holds no option: a comment, a text, white space. nil: it is another one. Is it a text?
local function skip(text, at)
    local equals = text:match("^%-%-%[(=*)%[", at)
    if equals then return select(2, text:find("]" .. equals .. "]", at, true)) or #text end
    local _, last = text:find("^%-%-[^\n]*", at)
    if not last then _, last = text:find("^%s+", at) end
    if last then return last end
    equals = text:match("^%[(=*)%[", at)
    if equals then return select(2, text:find("]" .. equals .. "]", at, true)) or #text, true end
    local quote = text:match("^[\"']", at)
    if not quote then return nil end
    repeat
        at = text:find("[\\\n" .. quote .. "]", at + 1)
        if at and text:sub(at, at) == "\\" then at = at + 1 else break end
    until false
    return at or #text, true
end

-- The options in the table whose { stands at `open`, on line `line` of the text: by `key =` their lines, and first and last byte of
-- their values. `last` is the last token's end, `close` the place of the }; nil: there is none.
local function options_of(text, open, line)
    local found = { lines = {}, values = {}, open = open, last = open }
    local depth, at, key, from = 1, open + 1, nil, nil
    local function value_ends()
        if key and from and not found.values[key] then found.values[key] = { from, found.last } end
        key, from = nil, nil
    end
    while at <= #text do
        local last, is_text = skip(text, at)
        local word = not last and text:match("^[%a_][%w_]*", at)
        local name = depth == 1 and not key and text:match("^%[%s*[\"']([^\"'\n]*)[\"']%s*%]%s*=[^=]", at)
        local sign = not last and not word and text:sub(at, at)
        if name then
            last = text:find("=", text:find("]", at + #name, true), true)
        elseif word then
            last, name = at + #word - 1, depth == 1 and not key and text:match("^%s*=[^=]", at + #word) and word
            if name then last = text:find("=", last, true) end
            if OPENS[word] then depth = depth + 1 elseif CLOSES[word] then depth = depth - 1 end
        elseif sign then
            last = at
            if sign:find "[{(%[]" then depth = depth + 1 elseif sign:find "[})%]]" then depth = depth - 1 end
            if depth == 0 or depth == 1 and sign:find "[,;]" then value_ends() end
            if depth == 0 then
                found.close = at
                return found
            end
        end
        if name then
            if not found.lines[name] then found.lines[name] = line end
            key = name
        elseif key and not from and (sign or word or is_text) then
            from = at
        end
        if sign or word or is_text then found.last = last end
        line = line + select(2, text:sub(at, last):gsub("\n", ""))
        at = last + 1
    end
    return found
end

function source.read(path)
    local file = io.open(path, "rb")
    local text = file and file:read "*a"
    if file then file:close() end
    return text
end

-- What options_of() finds of the call ls.`call` that begins on that line; nil: the line has none. The second is true where the line
-- has another one behind it.
function source.call(text, line, call)
    local from = 1
    for _ = 2, line do
        from = (text:find("\n", from, true) or #text) + 1
    end
    local stop = text:find("\n", from, true) or #text
    local pattern = call .. "%s*%(?%s*{"
    local _, brace = text:find(pattern, from)
    if not brace or brace > stop then brace = text:find("{", from, true) end
    if not brace or brace > stop then return nil end
    local again = text:find(pattern, brace + 1)
    return options_of(text, brace, line), again ~= nil and again <= stop
end

function source.lines_of_call(path, line, call)
    local text = source.read(path)
    local found = text and source.call(text, line, call)
    return found and found.lines or {}
end

return source
