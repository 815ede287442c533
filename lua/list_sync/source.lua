-- source.lua - where the options of a call stand in a script's text: their lines for messages, their places for `list_sync test --update`.
require("jit").off(true, true) -- runs a few times: not worth a trace

local source = {}

local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }

-- Where the token at `at` ends that holds no option: a comment, a text, white space. nil: it is another one.
local function skip(text, at)
    local equals = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    if equals then return select(2, text:find("]" .. equals .. "]", at, true)) or #text end
    local _, last = text:find("^%-%-[^\n]*", at)
    if not last then _, last = text:find("^%s+", at) end
    if last then return last end
    local quote = text:match("^[\"']", at)
    if not quote then return nil end
    repeat
        at = text:find("[\\\n" .. quote .. "]", at + 1)
        if at and text:sub(at, at) == "\\" then at = at + 1 else break end
    until false
    return at or #text
end

-- The options in the table whose { stands before `at`, on line `line` of the text. lines: of each `key =`, also in the tables within it,
-- where the key is "outer\0inner"; values: of its own keys, first and last byte of the value; last: where the last token within it ends;
-- close: where its } is, nil: there is none.
local function options_of(text, at, line)
    local found = { lines = {}, values = {}, last = at - 1 }
    local fronts, front = {}, "" -- front: of the keys of the table at hand; false: they have no name
    local opened -- the front of the table that may begin here
    local own, from -- the own key whose value is read, and where that begins
    local function enter(with)
        fronts[#fronts + 1], front, opened = front, with, nil
    end
    local function leave()
        front, opened = table.remove(fronts), nil
    end
    while at <= #text do
        local last = skip(text, at)
        local blank = last
        local word = not last and text:match("^[%a_][%w_]*", at)
        local key = front and text:match("^%[%s*[\"']([^\"'\n]*)[\"']%s*%]%s*=[^=]", at)
        local sign = not last and not word and text:sub(at, at)
        if key then
            last = text:find("]", at + #key, true)
        elseif word then
            last, key = at + #word - 1, front and text:match("^%s*=[^=]", at + #word) and word
            if OPENS[word] then enter(false) elseif CLOSES[word] then leave() else opened = nil end
        elseif sign then
            last = at
            if sign == "{" then enter(opened or false) elseif sign:find "[(%[]" then enter(false) elseif sign:find "[})%]]" then leave()
            elseif sign ~= "=" then opened = nil end
        end
        local is_token = not blank or not text:find("^[%s%-]", at)
        if own and from and (front == nil or front == "" and sign and sign:find "[,;]") then
            found.values[own] = found.values[own] or { from, found.last }
            own, from = nil, nil
        end
        if front == nil then
            found.close = at
            break
        end
        if key then
            opened = front .. key .. "\0"
            if front == "" and not own then own = key end
            if not found.lines[front .. key] then found.lines[front .. key] = line end
        elseif blank and is_token then
            opened = nil
        end
        if own and not from and is_token and not key and sign ~= "=" then from = at end
        if is_token then found.last = last end
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
    return options_of(text, brace + 1, line), again ~= nil and again <= stop
end

function source.lines_of_call(path, line, call)
    local text = source.read(path)
    local found = text and source.call(text, line, call)
    return found and found.lines or {}
end

return source
