-- hooks.lua - the loop over a batch's rows that runs a stage's functions: filter, map, then topic, key, headers and format. C enters it once a batch,
-- and again behind a row whose function raised an error, where the stage's on_error is not "stop".
local ffi = require "list_sync.ffi"
local bit = require "bit"
local jit = require "jit"
local place = require "list_sync.place"
local row = require "list_sync.row"
local script = require "list_sync.script"
local send = require "list_sync.send"

local C = ffi.C
local at, new_row = row.at, row.new
local band = bit.band
local DROPPED, FILTER, MAP = C.LS_DROPPED, C.LS_HOOK_FILTER, C.LS_HOOK_MAP
local TOPIC, KEY, HEADERS, FORMAT, MOVES = C.LS_HOOK_TOPIC, C.LS_HOOK_KEY, C.LS_HOOK_HEADERS, C.LS_HOOK_FORMAT, C.LS_HOOK_MOVES
local INSERT, UPDATE, DELETE, TRUNCATE, DROP, RENAME = 73, 85, 68, 84, 88, 82
local HOT_LOOP = 200 -- how often LuaJIT sees a loop before it compiles it; it comes with 56
local LOOP_UNROLL = 60 -- how often it follows a loop within a row, as ls.json has them, before it gives the way through up; it comes with 15
local WARM_UP_ROWS = 2 * HOT_LOOP -- its counters are few, and loops share them
local KEY_SHOWN = 100    -- bytes of a row's key in a message
local TEXT_SHOWN = 1200  -- bytes of an error's text in a message

require("jit.opt").start("hotloop=" .. HOT_LOOP, "loopunroll=" .. LOOP_UNROLL)
jit.off(true, true) -- the loop alone is worth traces
local hooks = {}

local drop, wrong, halves = send.drop, send.wrong_answer, send.filter_halves

-- A function(view, i) that does all that a set of options says of a row.
local function handler_of_set(set)
    local filter, map, sender, split = set.filter, set.map, send.sender_of(set), set.moves == "split"
    local function handle(view, i)
        local keep = nil
        if filter then
            at.hook = FILTER
            if split and at.batch.changes[i].action == UPDATE then
                keep = halves(filter, view, i)
            else
                keep = filter(view)
                if keep ~= nil and keep ~= true and keep ~= false then wrong(keep) end
            end
        end
        local halved = split and at.batch.changes[i].action == UPDATE -- one that map makes of an insert has no row before
        if map and keep ~= false then
            at.hook = MAP
            keep = map(view)
            if keep ~= nil and keep ~= true and keep ~= false then wrong(keep) end
        end
        if keep == false then drop(i) end
        if sender then -- clones are sent even where their row is not
            local first, last = at.clones, at.batch.count - 1 -- halves come behind the clones
            if keep ~= false then sender(view, i, halved) end
            for k = first, last do sender(new_row(k, at.run), k, halved) end
        end
    end
    return handle
end

-- One loop a stage, so that LuaJIT takes its functions for the constants that they are.
local function loop_over(sets)
    local only, handlers, formats = nil, {}, {}
    for number, set in ipairs(sets) do
        handlers[number - 1], formats[number - 1] = handler_of_set(set), set.format_function
    end
    if #sets == 1 then only = handlers[0] end
    local formatted = next(formats) ~= nil
    local function loop(first, count) -- without the clones that rows before `first` have made
        local batch, run = at.batch, at.run
        for i = first, count - 1 do
            local c = batch.changes[i] -- a clone may have moved them
            local action = c.action
            if action == INSERT or action == UPDATE or action == DELETE then
                if band(c.flags, DROPPED) == 0 then
                    at.index, at.clones = i, batch.count
                    if only then
                        only(new_row(i, run), i)
                    else
                        at.rule = c.schema.rule
                        handlers[c.schema.rule](new_row(i, run), i)
                    end
                end
            elseif formatted and (action == TRUNCATE or action == DROP or action == RENAME) then
                local format = formats[c.schema.rule]
                if format then
                    at.index, at.clones, at.hook, at.rule = i, batch.count, FORMAT, c.schema.rule
                    batch.frozen = 1
                    send.message(i, format(new_row(i, run)))
                    batch.frozen = 0
                end
            end
        end
    end
    jit.on(loop)
    for _, handle in pairs(handlers) do jit.on(handle, true) end
    return loop
end

-- Runs the loop over rows that no hook is called for, so that LuaJIT begins with the loop and compiles each kind of row as
-- a branch of it. Else the small functions of row.lua, called several times a row, get hot first and are compiled apart. That is
-- why loops within hooks are compiled late, too.
function hooks.warm_up(loop)
    local changes = ffi.new("ls_change[?]", WARM_UP_ROWS)
    local batch = ffi.new("ls_batch", { count = WARM_UP_ROWS, changes = changes })
    collectgarbage() -- a finalizer that runs while LuaJIT records would end the recording
    at.batch = batch
    loop(0, WARM_UP_ROWS)
    at.batch = nil
end

local function shortened(text, max) return #text > max and text:sub(1, max) .. "..." or text end

local function where(c)
    local key = row.key_text(c)
    local pos = c.tx ~= nil and ffi.string(c.tx.pos) or ""
    local tx = pos ~= "" and (", position %s/%s"):format(pos, tostring(c.seq)) or ""
    return ("%s.%s, %s%s"):format(row.fields.schema(c), row.fields.table(c), key and "key " .. shortened(key, KEY_SHOWN) or "no key", tx)
end

-- The place of a hook's definition, for an error that no line of the user's raised.
local function definition(hook)
    local info = debug.getinfo(hook, "S")
    return info.source:sub(2), info.linedefined
end

-- What Lua says of the mistakes that are made most, and the mend.
local MENDS = {
    { "attempt to compare number with string", "a decimal, and a date or time, is text: tonumber(row.new.column)" },
    { "attempt to compare string with number", "a decimal, and a date or time, is text: tonumber(row.new.column)" },
    { "attempt to index field 'new' %(a nil value%)", "a delete has no row.new; row.image is the row that there is" },
    { "attempt to index field 'old' %(a nil value%)", "an insert has no row.old; row.image is the row that there is" },
    { "%(a nil value%)", "NULL reads as nil" },
    { "^attempt to compare .*nil", "NULL reads as nil" },
}

local function with_mend(text)
    for _, mend in ipairs(MENDS) do
        if text:find("^attempt to") and text:find(mend[1]) then return text .. "; " .. mend[2] end
    end
    return text
end

-- An error of the script's function fn, which is `what`, as it is told; c: the change that it was called with, or nil. path, line: where
-- fn is, if it is no function. option: how C is told of it, for a change.
function hooks.tell(e, fn, what, c, path, line, option)
    local text, its_path, its_line = place.of_error(e)
    if its_path then path, line = its_path, its_line elseif type(fn) == "function" then path, line = definition(fn) end
    if c then C.ls_row_blame(at.batch, option, path, line or 0) end
    return ("%s:%d: %s: %s%s"):format(path, line, what, shortened(with_mend(text), TEXT_SHOWN), c and (" (%s)"):format(where(c)) or "")
end

local HOOKS = {
    [FILTER] = "filter", [MAP] = "map", [TOPIC] = "topic", [KEY] = "key", [HEADERS] = "headers", [FORMAT] = "format",
    [MOVES] = "moves",
}

-- The function of a set that an option is.
local function function_of(set, option) return set[option .. "_function"] or set[option] end

local function handler_for(stage, sets)
    local title = ("%s %q"):format(stage.kind, stage.options.name)
    return function(e)
        if at.index >= at.batch.count then return (place.of_error(e)) end
        local option, c = HOOKS[at.hook], at.batch.changes[at.index]
        local hook = function_of(#sets == 1 and sets[1] or sets[c.schema.rule + 1], option)
        return hooks.tell(e, hook, ("%s of %s"):format(option, title), c, script.path, stage.line, option)
    end
end

-- The loop and the message handler of a stage; nil when it has no hooks.
function hooks.of(name)
    for _, stage in ipairs(script.stages) do
        local options = stage.options
        if options.name == name then
            local sets, any = options.sets or { options }, false
            for _, set in ipairs(sets) do any = any or set.filter or set.map or send.sender_of(set) end
            if not any then return nil end
            local loop = loop_over(sets)
            hooks.warm_up(loop)
            return loop, handler_for(stage, sets)
        end
    end
    place.raise(nil, nil, ("there is no stage %q"):format(name))
end

-- Where a stage's functions are: "filter is at shop.lua:7, map is at shop.lua:12"; "" without.
function hooks.places(name)
    local out, said = {}, {}
    for _, stage in ipairs(script.stages) do
        for _, set in ipairs(stage.options.name == name and (stage.options.sets or { stage.options }) or {}) do
            for _, option in ipairs { "filter", "map", "topic", "key", "headers", "format" } do
                local hook = function_of(set, option)
                if type(hook) == "function" and not said[hook] then
                    said[hook] = true
                    out[#out + 1] = ("%s is at %s:%d"):format(option, definition(hook))
                end
            end
        end
    end
    return table.concat(out, ", ")
end

-- ---- a writer ----

local wrong_answer -- what was last said of a thing that `open` returned

-- For a message handler: is it an error that Lua itself has found? What error(), assert() or a library's C raised may be of what the script
-- works with; "attempt to call ...", "bad argument #1 to ..." and a module that is not there are the script's own.
local function is_mistake(e)
    if type(e) ~= "string" then return false end
    if e == wrong_answer or e:find "bad argument #%d+ to '[^']*' %(.- expected" or e:find "module '[^']*' not found" then return true end
    local raiser = debug.getinfo(3, "S") -- 1: this function, 2: the handler
    return raiser ~= nil and raiser.what ~= "C"
end

local function write_loop(write, w)
    local function loop(first, count)
        local batch, run = at.batch, at.run
        for i = first, count - 1 do
            if band(batch.changes[i].flags, DROPPED) == 0 then
                at.index = i
                write(w, new_row(i, run))
            end
        end
    end
    jit.on(loop)
    return loop
end

local function wrong_positions(what)
    wrong_answer = ("open returned %s; it returns nothing, a list of { topic =, partition =, offset = }, or a function(topic, partition)"):format(what)
    error(wrong_answer, 0)
end

local function offset_of(offset)
    if offset == nil then return nil end
    if type(offset) == "cdata" then offset = tonumber(offset) end
    if type(offset) ~= "number" or offset % 1 ~= 0 or offset < 0 or offset > 2 ^ 53 then
        wrong_positions(("the offset %s"):format(tostring(offset)))
    end
    return offset
end

local function name_of(topic, partition) return topic .. "/" .. partition end

-- A list as a function(topic, partition), and what it knows.
local function begin_of(positions)
    if positions == nil then return function() end end
    if type(positions) == "function" then return positions end
    if type(positions) ~= "table" then wrong_positions("a " .. type(positions)) end
    local known = {}
    for i = 1, #positions do
        local p = positions[i]
        if type(p) ~= "table" or type(p.topic) ~= "string" or type(p.partition) ~= "number" then wrong_positions "a list of something else" end
        known[name_of(p.topic, p.partition)] = offset_of(p.offset)
    end
    return function(topic, partition) return known[name_of(topic, partition)] end, known
end

-- What engine/script/writer.c calls of a stage's writer, and its message handler.
function hooks.writer_of(name)
    for _, stage in ipairs(script.stages) do
        local writer = stage.options.name == name and stage.options.writer
        if writer and writer.write then
            local w, calls, what, begin, known = {}, {}, nil, nil, nil
            if writer.hook then jit.on(writer.write) end -- the one around callback; of a writer's own the script is master
            local write = write_loop(writer.write, w)
            function calls.open()
                what = "open"
                begin, known = begin_of(writer.open and writer.open(w))
            end
            function calls.begin(topic, partition)
                what = "open"
                return offset_of(begin(topic, partition))
            end
            function calls.write(first, count)
                what = "write"
                write(first, count)
            end
            function calls.flush(positions)
                what = "flush"
                if writer.flush then writer.flush(w, positions) end
                if not known then return end
                for _, p in ipairs(positions) do -- a partition that goes and comes back begins here, not where open found it
                    known[name_of(p.topic, p.partition)] = p.offset
                end
            end
            for _, function_name in ipairs { "discard", "close" } do
                calls[function_name] = function()
                    what = function_name
                    if writer[function_name] then writer[function_name](w) end
                end
            end
            return calls, function(e)
                local has_row = what == "write" and at.batch ~= nil and at.index < at.batch.count
                local option = writer.hook and "callback" or "writer." .. what
                at.mistake = is_mistake(e) and 1 or 0
                return hooks.tell(e, writer.hook or writer[what] or writer.write, ("%s of %s %q"):format(option, stage.kind, name),
                    has_row and at.batch.changes[at.index] or nil, nil, nil, option)
            end
        end
    end
    place.raise(nil, nil, ("there is no writer of a stage %q"):format(name))
end

return hooks
