-- rows.lua - hooks that look at and change the batch of test_script.c, a stage each. What they see they assert; what they
-- leave behind is compared there.
local ls = require "list_sync"
local ffi = require "ffi"

local function stage(name, hooks)
    ls.connector {
        name = name, db_type = "postgres", host = "db", user = "u", database = "d", table = "public.*", topic = "t", kafka_conf = "memory",
        filter = hooks.filter, map = hooks.map,
    }
end

local function equal(got, want)
    if got ~= want then error(("got %s, want %s"):format(tostring(got), tostring(want)), 2) end
end

local function walk(image)
    local out = {}
    for name, value in pairs(image) do out[#out + 1] = name .. "=" .. tostring(value) end
    return table.concat(out, " ")
end

stage("reads", {
    filter = function(row)
        local source = row.source
        equal(row.db, "postgres")
        equal(row.schema, "public")
        equal(row.ts, 1732313405123456)
        equal(source.ts, row.ts)
        equal(source.pos, "0000000001a3b748")
        equal(source.tx, "742")
        equal(source.sub, 0)
        equal(source.connector, "shop")
        if row.table == "log" then
            equal(source.seq, 5)
            equal(row.old.line, "old")
            equal(row.new.line, "new")
            return
        end
        equal(row.table, "orders")
        equal(row.image.id, 7)
        if row.action == "I" then
            equal(source.seq, 1)
            equal(row.old, nil)
            local new = row.new
            equal(new.status, "neu\195\182")
            equal(new.total, "12.50")
            equal(new.qty, 1.5)
            equal(new.paid, true)
            equal(new.data, "AP8=")
            equal(new.at, "2026-01-02T03:04:05Z")
            equal(new["note"], nil)
            assert(ffi.istype("int64_t", new.big) and new.big == 9007199254740993LL)
            equal(tostring(new.big), "9007199254740993")
            equal(tostring(18446744073709551615ULL), "18446744073709551615")
            equal(new.day, "2026-01-02")
            equal(row:text "total", "12.50")
            equal(row:text "big", "9007199254740993")
            equal(row:text "data", "AP8=")
            equal(row:text "paid", "true")
            equal(row:text "qty", "1.5")
            equal(row:text "note", nil)
            equal(row:has "note", true)
            equal(row:has "nothing", false)
            equal(walk(new), "id=7 status=neu\195\182 total=12.50 qty=1.5 paid=true data=AP8= at=2026-01-02T03:04:05Z note=nil big=9007199254740993 day=2026-01-02")
        elseif row.action == "U" then
            equal(source.seq, 2)
            equal(row.new.note, ls.absent)
            equal(row:has "note", false)
            equal(row:has "status", true)
            equal(row.old.id, 7)
            equal(row.old.status, ls.absent)
            equal(row.new.total, nil)
            equal(walk(row.old), "id=7")
            equal(walk(row.new), "id=7 status=neu\195\182 total=nil qty=1.5 paid=true data=AP8= at=2026-01-02T03:04:05Z big=9007199254740993 day=2026-01-02")
        else
            equal(row.action, "D")
            equal(source.seq, 3)
            equal(row.new, nil)
            equal(row:has "status", false)
            equal(row:text "id", "7")
            equal(walk(row.image), "id=7")
        end
    end,
})

stage("filters", { filter = function(row) return row.action ~= "U" end })

local mapped = 0
stage("filters_then_maps", {
    filter = function(row) return row.action ~= "U" end,
    map = function(row)
        assert(row.action ~= "U", "a row that filter left out came to map")
        mapped = mapped + 1
        return row.action == "D"
    end,
})

stage("writes", {
    map = function(row)
        if row.action ~= "I" then return end
        local new = row.new
        new.id = 8
        new.status = new.status:upper()
        new.total = 3
        new.qty = 0.1
        new.paid = false
        new.data = "AAEC"
        new.at = "2026-01-02T03:04:05.5Z"
        new.note = "a note"
        new.big = 18446744073709551615ULL
        new.day = nil
    end,
})

stage("adds", {
    map = function(row)
        if not row.new then return end
        row.new.n = 2
        row.new.text = "x"
        row.new.flag = true
        row.new.large = -9007199254740993LL
        row.new.none = nil
        equal(row.new.n, 2)
        equal(row.new.none, nil)
        equal(row.new.large, -9007199254740993LL)
        if row.old then equal(row.old.n, ls.absent) end
    end,
})

stage("drops", {
    map = function(row)
        if row.table ~= "orders" then return end
        for name in pairs(row.image) do
            if name ~= "id" and name ~= "status" and name ~= "day" then row:drop(name) end
        end
        if row:has "status" then row.new.added = "x" end
    end,
})

stage("renames", {
    map = function(row)
        row.schema = "archive"
        row.table = row.table .. "_2026"
    end,
})

stage("changes_action", {
    map = function(row)
        if row.table == "log" then
            row.action = "I"
        elseif row.action == "U" then
            row.action = "D"
        elseif row.action == "I" then
            row.action = "U"
            equal(row.old.id, 7)
            equal(row.old.status, ls.absent)
        end
    end,
})

local kept = {}
stage("copies", {
    map = function(row)
        kept[#kept + 1] = row:copy()
        if #kept < 4 then return end
        local i, u, d, log = kept[1], kept[2], kept[3], kept[4]
        equal(i.action .. u.action .. d.action .. log.action, "IUDU")
        equal(i.new.status, "neu\195\182")
        equal(i.old, nil)
        equal(i.image, i.new)
        equal(u.new.note, ls.absent)
        equal(d.image.id, 7)
        equal(log.old.line, "old")
        equal(log.source.seq, 5)
        equal(log.table, "log")
    end,
})

local function raises(f, ...)
    local ok, why = pcall(f, ...)
    assert(not ok, "it did not raise")
    assert(tostring(why):find("was not sent", 1, true), why)
end

stage("absent", {
    filter = function(row)
        if row.action ~= "U" or row.table ~= "orders" then return end
        local a = row.new.note
        assert(a == ls.absent and a ~= nil and a ~= "" and a ~= 0)
        assert(a, "a truth test does not raise")
        raises(function() return a + 1 end)
        raises(function() return 1 - a end)
        raises(function() return a .. "x" end)
        raises(function() return "x" .. a end)
        raises(function() return a < 1 end)
        raises(function() return "x" <= a end)
        raises(function() return a > nil end)
        raises(function() return -a end)
        raises(function() return #a end)
        raises(function() return a.x end)
        raises(function() return a() end)
        raises(function() a.x = 1 end)
        raises(function() return a:upper() end)
        raises(tostring, a)
        raises(string.format, "%s", a)
        raises(pairs, a)
    end,
})

-- What row:number, time, json and bytes read; ls.date, ls.json, ls.array and the masks.
stage("reads_more", {
    filter = function(row)
        if row.action ~= "I" then
            if row.action == "D" then
                assert(not pcall(row.number, row, "total"), "an absent value is no number")
                assert(not pcall(row.json, row, "nothing"))
            end
            return
        end
        equal(row:number "total", 12.5)
        equal(row:number "qty", 1.5)
        equal(row:number "big", 9007199254740992)
        equal(row:number "id", 7)
        equal(row:number "note", nil)
        assert(not pcall(row.number, row, "status"))
        equal(row:time "at", 1767323045000000)
        equal(row:time "day", 1767312000000000)
        equal(row:time "note", nil)
        assert(not pcall(row.time, row, "status"))
        equal(row:bytes "data", "\0\255")
        assert(not pcall(row.bytes, row, "status"))
        equal(ls.date("%d/%m/%Y %H:%M:%S", row:time "at"), "02/01/2026 03:04:05")
        equal(ls.date("%Y-%m-%d", -1), "1969-12-31")
        equal(ls.date("%Y", nil), nil)
        row.new.doc = ls.json { b = { 1, 2.5, 9007199254740993LL, n = 4 }, a = "q\"\1", z = ls.null, [5] = true }
        equal(row.new.doc, '{"5":true,"a":"q\\"\\u0001","b":[1,2.5,9007199254740993,null],"z":null}')
        local doc = row:json "doc"
        equal(doc.a, 'q"\1')
        equal(doc.z, ls.null)
        equal(doc.b[3], 9007199254740993LL)
        equal(doc.b[4], ls.null)
        equal(doc["5"], true)
        row.new.list = ls.array { "a", ls.null, ls.array {}, -18446744073709551615ULL, n = 5 }
        local list = row.new.list
        equal(list.n, 5)
        equal(list[2], ls.null)
        equal(list[3].n, 0)
        equal(list[5], ls.null)
        row.new.list = ls.array { { a = 1, n = 7 }, ls.null }
        list = row.new.list
        equal(list[1].n, 7)
        row.new.list = list
        equal(row:text "list", '[{"a":1,"n":7},null]')
        equal(ls.sha256 "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        equal(ls.hmac("key") "The quick brown fox jumps over the lazy dog", "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")
        equal(ls.keep_last(4) "DE\195\182\195\1821234", "****1234")
        equal(ls.keep_last(4) "12", "**")
        equal(ls.keep_last(1) "a\195\182", "*\195\182")
        row:drop "doc"
        row:drop "list"
    end,
})

local exact = {
    "[12345678901234567890,-9223372036854775808,\"12345678901234567890\",{\"12345678901234567\\\"\":1234567890123456}]",
    "1e400", "[18446744073709551616]", "{\"a\":[1,2}", "[1234567890123456-7]",
}
-- What comes back as it was.
local kept = {
    '{"a":[],"b":{},"n":5,"o":[[],{"n":0}]}', "[]", '{"n":2}', '"[]"', '{"[]":"[ ]\\"[]"}', '{"\\u0001a":["\\u0001a","\\u0001n12",[],"\\u0001"]}',
    '[12345678901234567890,"\\u0001n12345678901234567890","\\\\"]',
}
stage("reads_json", {
    map = function(row)
        if row.action ~= "I" then return end
        row.new.doc = exact[1]
        local doc = row:json "doc"
        equal(tostring(doc[1]), "12345678901234567890")
        equal(tostring(doc[2]), "-9223372036854775808")
        equal(doc[3], "12345678901234567890")
        equal(doc[4]['12345678901234567"'], 1234567890123456)
        for _, text in ipairs(kept) do
            row.new.doc = text
            equal(ls.json(row:json "doc").text, text)
        end
        equal(ls.json { n = 2, "a" }.text, '["a",null]')
        for i = 3, #exact do
            row.new.doc = exact[i]
            assert(not pcall(row.json, row, "doc"), exact[i])
        end
        row:drop "doc"
    end,
})

stage("writes_more", {
    map = function(row)
        if row.action ~= "I" then return end
        row.new.total = ls.decimal "99999999999999999999.10"
        row.new.data = ls.bytes "\1\2\3"
        row.new.more = ls.decimal(5)
        row.new.raw = ls.bytes "\0"
        row.new.list = ls.array { 1, 0.1, ls.array { "x" } }
        row.new.doc = ls.json { x = 1 }
    end,
})

stage("renames_columns", {
    map = function(row)
        if row.table ~= "orders" then return end
        row:rename("id", "number")
        row:rename("status", "state")
        equal(row.image.number, 7)
        assert(not pcall(function() return row.image.id end))
        row:rename("number", "number")
    end,
})

stage("masks", {
    map = function(row)
        if row.table ~= "orders" then return end
        row:mask("id", ls.hmac "k")
        row:mask("status", function(v) return v and v:upper() end)
        row:mask("note", ls.sha256)
        row:mask("day", function() return nil end)
    end,
})

stage("masks_a_moved_row", {
    map = function(row)
        row:mask("id", function(v) return v + 1 end)
        if row.action == "I" then row:mask("id", function(v) return ("#%d"):format(v) end) end
    end,
})

stage("clones", {
    filter = function(row) return row.table == "orders" end,
    map = function(row)
        local first, second = row:clone(), nil
        first.table = "first"
        equal(first.source.sub, 1)
        equal(first.source.seq, row.source.seq)
        if row.action == "I" then
            second = first:clone()
            second.table = "second"
            second.new.note = "2"
            equal(row.new.note, nil)
            equal(first.new.note, nil)
            equal(second.source.sub, 2)
        end
        return row.action ~= "D"
    end,
})

stage("no_hooks", {})
