#include "script/state.h"

#include <string.h>

/* One option on its way from the checked Lua table to a struct: same name on both sides. */
typedef enum field_kind { TEXT, TEXT_LIST, CHAR, INT, UINT32, SIZE, BOOL } field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    size_t at;       /* offset in the struct */
    size_t count_at; /* TEXT_LIST: of its length */
} field;

static const field connector_fields[] = {
    {.name = "name", .kind = TEXT, .at = offsetof(ls_connector_options, name)},
    {.name = "db_type", .kind = TEXT, .at = offsetof(ls_connector_options, db_type)},
    {.name = "host", .kind = TEXT, .at = offsetof(ls_connector_options, host)},
    {.name = "port", .kind = INT, .at = offsetof(ls_connector_options, port)},
    {.name = "user", .kind = TEXT, .at = offsetof(ls_connector_options, user)},
    {.name = "password", .kind = TEXT, .at = offsetof(ls_connector_options, password)},
    {.name = "database", .kind = TEXT, .at = offsetof(ls_connector_options, database)},
    {.name = "tables",
     .kind = TEXT_LIST,
     .at = offsetof(ls_connector_options, tables),
     .count_at = offsetof(ls_connector_options, ntables)},
    {.name = "plugin", .kind = TEXT, .at = offsetof(ls_connector_options, plugin)},
    {.name = "slot", .kind = TEXT, .at = offsetof(ls_connector_options, slot)},
    {.name = "publication", .kind = TEXT, .at = offsetof(ls_connector_options, publication)},
    {.name = "partition_root", .kind = BOOL, .at = offsetof(ls_connector_options, partition_root)},
    {.name = "max_topics", .kind = SIZE, .at = offsetof(ls_connector_options, max_topics)},
    {.name = "server_id", .kind = UINT32, .at = offsetof(ls_connector_options, server_id)},
    {.name = "start", .kind = TEXT, .at = offsetof(ls_connector_options, start)},
    {.name = "ddl", .kind = BOOL, .at = offsetof(ls_connector_options, ddl)},
    {.name = "row_image", .kind = TEXT, .at = offsetof(ls_connector_options, row_image)},
    {.name = "delivery", .kind = TEXT, .at = offsetof(ls_connector_options, delivery)},
    {.name = "on_invalid_text", .kind = TEXT, .at = offsetof(ls_connector_options, on_invalid_text)},
    {.name = "memory", .kind = SIZE, .at = offsetof(ls_connector_options, memory)},
};

static const field table_fields[] = {
    {.name = "pattern", .kind = TEXT, .at = offsetof(ls_table_options, pattern)},
    {.name = "filtered", .kind = BOOL, .at = offsetof(ls_table_options, filtered)},
    {.name = "as_schema", .kind = TEXT, .at = offsetof(ls_table_options, as_schema)},
    {.name = "as_table", .kind = TEXT, .at = offsetof(ls_table_options, as_table)},
    {.name = "moves", .kind = TEXT, .at = offsetof(ls_table_options, moves)},
    {.name = "format", .kind = TEXT, .at = offsetof(ls_table_options, format)},
    {.name = "topic",
     .kind = TEXT_LIST,
     .at = offsetof(ls_table_options, topics),
     .count_at = offsetof(ls_table_options, ntopics)},
    {.name = "partitions", .kind = INT, .at = offsetof(ls_table_options, partitions)},
    {.name = "replication", .kind = INT, .at = offsetof(ls_table_options, replication)},
    {.name = "identity", .kind = TEXT, .at = offsetof(ls_table_options, identity)},
    {.name = "json", .kind = TEXT, .at = offsetof(ls_table_options, json)},
    {.name = "key", .kind = TEXT_LIST, .at = offsetof(ls_table_options, key), .count_at = offsetof(ls_table_options, nkey)},
    {.name = "own_key", .kind = BOOL, .at = offsetof(ls_table_options, own_key)},
    {.name = "source", .kind = BOOL, .at = offsetof(ls_table_options, source)},
    {.name = "tombstones", .kind = BOOL, .at = offsetof(ls_table_options, tombstones)},
};

static const field consumer_fields[] = {
    {.name = "name", .kind = TEXT, .at = offsetof(ls_consumer_options, name)},
    {.name = "group_id", .kind = TEXT, .at = offsetof(ls_consumer_options, group_id)},
    {.name = "topic_list",
     .kind = TEXT_LIST,
     .at = offsetof(ls_consumer_options, topics),
     .count_at = offsetof(ls_consumer_options, ntopics)},
    {.name = "instances", .kind = INT, .at = offsetof(ls_consumer_options, instances)},
    {.name = "consumer_id", .kind = TEXT, .at = offsetof(ls_consumer_options, consumer_id)},
    {.name = "auto_offset_reset", .kind = TEXT, .at = offsetof(ls_consumer_options, auto_offset_reset)},
    {.name = "decode", .kind = TEXT, .at = offsetof(ls_consumer_options, decode)},
    {.name = "memory", .kind = SIZE, .at = offsetof(ls_consumer_options, memory)},
};

static const field csv_fields[] = {
    {.name = "filename", .kind = TEXT, .at = offsetof(ls_csv_options, filename)},
    {.name = "split_files", .kind = BOOL, .at = offsetof(ls_csv_options, split_files)},
    {.name = "compress", .kind = TEXT, .at = offsetof(ls_csv_options, compress)},
    {.name = "rotate_bytes", .kind = SIZE, .at = offsetof(ls_csv_options, rotate_bytes)},
    {.name = "rotate_rows", .kind = SIZE, .at = offsetof(ls_csv_options, rotate_rows)},
    {.name = "rotate_every", .kind = SIZE, .at = offsetof(ls_csv_options, rotate_every)},
    {.name = "max_open_files", .kind = SIZE, .at = offsetof(ls_csv_options, max_open_files)},
    {.name = "header", .kind = BOOL, .at = offsetof(ls_csv_options, header)},
    {.name = "formula_guard", .kind = BOOL, .at = offsetof(ls_csv_options, formula_guard)},
    {.name = "bom", .kind = BOOL, .at = offsetof(ls_csv_options, bom)},
    {.name = "delimiter", .kind = CHAR, .at = offsetof(ls_csv_options, delimiter)},
    {.name = "quote", .kind = CHAR, .at = offsetof(ls_csv_options, quote)},
    {.name = "newline", .kind = TEXT, .at = offsetof(ls_csv_options, newline)},
    {.name = "null", .kind = TEXT, .at = offsetof(ls_csv_options, null_text)},
    {.name = "absent", .kind = TEXT, .at = offsetof(ls_csv_options, absent_text)},
    {.name = "prefix", .kind = BOOL, .at = offsetof(ls_csv_options, prefix)},
};

static const field layout_column_fields[] = {
    {.name = "title", .kind = TEXT, .at = offsetof(ls_layout_column, title)},
    {.name = "from", .kind = TEXT, .at = offsetof(ls_layout_column, from)},
    {.name = "date", .kind = TEXT, .at = offsetof(ls_layout_column, date)},
    {.name = "optional", .kind = BOOL, .at = offsetof(ls_layout_column, optional)},
};

#define COUNT(fields) (sizeof(fields) / sizeof *(fields))

/* The functions below run in a protected body: memory that is out is raised as an error. */

static void *take(lua_State *L, ls_config *c, size_t n) {
    void *p = ls_arena_zalloc(&c->arena, n);
    if (!p) luaL_error(L, "out of memory");
    return p;
}

/* The text on top of the stack, copied; NULL when it is nil. */
static const char *text_on_top(lua_State *L, ls_config *c) {
    size_t n;
    const char *p = lua_tolstring(L, -1, &n);
    return p ? memcpy(take(L, c, n + 1), p, n + 1) : NULL;
}

static const char *const *texts_on_top(lua_State *L, ls_config *c, size_t *count) {
    *count = lua_objlen(L, -1);
    const char **list = take(L, c, (*count ? *count : 1) * sizeof *list);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        list[i] = text_on_top(L, c);
        lua_pop(L, 1);
    }
    return list;
}

/* Fills the struct at `to` from the table on top of the stack. */
static void read_fields(lua_State *L, ls_config *c, const field *fields, size_t n, void *to) {
    for (const field *f = fields; f < fields + n; f++) {
        void *at = (char *)to + f->at;
        lua_getfield(L, -1, f->name);
        switch (f->kind) {
        case TEXT: *(const char **)at = text_on_top(L, c); break;
        case TEXT_LIST: *(const char *const **)at = texts_on_top(L, c, (size_t *)(void *)((char *)to + f->count_at)); break;
        case CHAR: *(char *)at = *lua_tostring(L, -1); break;
        case INT: *(int *)at = (int)lua_tonumber(L, -1); break;
        case UINT32: *(uint32_t *)at = (uint32_t)lua_tonumber(L, -1); break;
        case SIZE: *(size_t *)at = (size_t)lua_tonumber(L, -1); break;
        case BOOL: *(bool *)at = lua_toboolean(L, -1); break;
        }
        lua_pop(L, 1);
    }
}

static const char *text_at(lua_State *L, ls_config *c, int i) {
    lua_rawgeti(L, -1, i);
    const char *text = text_on_top(L, c);
    lua_pop(L, 1);
    return text;
}

/* The option `name`, a list of { name, value }. */
static const ls_conf_pair *read_pairs(lua_State *L, ls_config *c, const char *name, size_t *n) {
    lua_getfield(L, -1, name);
    *n = lua_objlen(L, -1);
    ls_conf_pair *list = take(L, c, (*n ? *n : 1) * sizeof *list);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        list[i] = (ls_conf_pair){.name = text_at(L, c, 1), .value = text_at(L, c, 2)};
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return list;
}

/* The options' kafka_conf: { memory = boolean, pairs = { { name, value } ... } }. */
static void read_kafka(lua_State *L, ls_config *c, ls_kafka_options *k) {
    lua_getfield(L, -1, "kafka_conf");
    lua_getfield(L, -1, "memory");
    k->memory = lua_toboolean(L, -1);
    lua_pop(L, 1);
    k->pairs = read_pairs(L, c, "pairs", &k->npairs);
    lua_pop(L, 1);
}

static const char *text_of(lua_State *L, ls_config *c, const char *name) {
    lua_getfield(L, -1, name);
    const char *text = text_on_top(L, c);
    lua_pop(L, 1);
    return text;
}

static int number_of(lua_State *L, const char *name, int none) {
    lua_getfield(L, -1, name);
    int n = lua_isnumber(L, -1) ? (int)lua_tonumber(L, -1) : none;
    lua_pop(L, 1);
    return n;
}

/* The options' columns: a list of { name, drop, cast, mask, text, keep, rename }, the numbers as in columns.h. */
static void read_columns(lua_State *L, ls_config *c, ls_table_options *o) {
    lua_getfield(L, -1, "columns");
    o->ncolumns = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    ls_column_rule *rules = take(L, c, (o->ncolumns ? o->ncolumns : 1) * sizeof *rules);
    for (size_t i = 0; i < o->ncolumns; i++) {
        ls_column_rule *r = &rules[i];
        lua_rawgeti(L, -1, (int)i + 1);
        r->name = text_of(L, c, "name");
        r->drop = number_of(L, "drop", 0) != 0;
        r->cast = number_of(L, "cast", -1);
        r->mask = (ls_mask)number_of(L, "mask", LS_MASK_NONE);
        r->keep = (unsigned)number_of(L, "keep", 0);
        r->rename = text_of(L, c, "rename");
        lua_getfield(L, -1, "text");
        r->text = text_on_top(L, c);
        r->text_len = lua_objlen(L, -1); /* a secret may hold NUL bytes */
        lua_pop(L, 2);
    }
    o->columns = rules;
    lua_pop(L, 1);
}

static bool is_set(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    bool set = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return set;
}

static bool is_true(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* The writer's layout: a list of { pattern, columns, computed } and all the options of a writer. Gives whether one has functions. */
static bool read_layouts(lua_State *L, ls_config *c, ls_csv_options *o) {
    bool computed = false;
    lua_getfield(L, -1, "layout");
    o->nlayouts = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    ls_csv_layout_options *all = take(L, c, (o->nlayouts ? o->nlayouts : 1) * sizeof *all);
    for (size_t i = 0; i < o->nlayouts; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        computed |= is_true(L, "computed");
        all[i].what.pattern = text_of(L, c, "pattern");
        read_fields(L, c, csv_fields, COUNT(csv_fields), &all[i].csv);
        lua_getfield(L, -1, "columns");
        all[i].what.ncolumns = lua_objlen(L, -1);
        ls_layout_column *columns = take(L, c, (all[i].what.ncolumns + 1) * sizeof *columns);
        for (size_t k = 0; k < all[i].what.ncolumns; k++) {
            lua_rawgeti(L, -1, (int)k + 1);
            read_fields(L, c, layout_column_fields, COUNT(layout_column_fields), &columns[k]);
            lua_pop(L, 1);
        }
        all[i].what.columns = columns;
        lua_pop(L, 2);
    }
    o->layouts = all;
    lua_pop(L, 1);
    return computed;
}

/* The sets of options that tables may have of their own, the connector's first; says whether one of them has a function. */
static bool read_sets(lua_State *L, ls_config *c, ls_connector_options *o) {
    bool functions = false;
    lua_getfield(L, -1, "sets");
    o->nsets = lua_objlen(L, -1);
    ls_table_options *sets = take(L, c, o->nsets * sizeof *sets);
    for (size_t i = 0; i < o->nsets; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        read_fields(L, c, table_fields, COUNT(table_fields), &sets[i]);
        sets[i].headers = read_pairs(L, c, "headers", &sets[i].nheaders);
        read_columns(L, c, &sets[i]);
        functions = functions || is_set(L, "filter") || is_set(L, "map") || is_set(L, "send_functions");
        lua_pop(L, 1);
    }
    o->sets = sets;
    lua_pop(L, 1);
    return functions;
}

/* A stage: { kind, options, line }, on top of the stack. */
static void read_stage(lua_State *L, ls_config *c, ls_stage *s) {
    lua_getfield(L, -1, "line");
    s->line = (int)lua_tonumber(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, -1, "kind");
    s->is_connector = strcmp(lua_tostring(L, -1), "connector") == 0;
    lua_pop(L, 1);
    lua_getfield(L, -1, "options");
    s->has_hooks = is_set(L, "filter") || is_set(L, "map");
    read_kafka(L, c, &s->kafka);
    if (s->is_connector) {
        read_fields(L, c, connector_fields, COUNT(connector_fields), &s->as.connector);
        s->has_hooks = read_sets(L, c, &s->as.connector);
        s->name = s->as.connector.name;
    } else {
        read_fields(L, c, consumer_fields, COUNT(consumer_fields), &s->as.consumer);
        s->name = s->as.consumer.name;
        lua_getfield(L, -1, "writer");
        s->as.consumer.lua_writer = is_set(L, "write");
        if (s->as.consumer.lua_writer) {
            s->has_hooks = true;
            s->as.consumer.flush_every = (ls_flush_every){(size_t)number_of(L, "flush_rows", 0), number_of(L, "flush_ms", 0)};
        } else {
            read_fields(L, c, csv_fields, COUNT(csv_fields), &s->as.consumer.csv);
            s->has_hooks |= read_layouts(L, c, &s->as.consumer.csv);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int read_config(lua_State *L) {
    ls_config *c = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.script", "path");
    c->script = text_on_top(L, c);
    ls_lua_push_field(L, "list_sync.script", "stages");
    c->nstages = lua_objlen(L, -1);
    c->stages = take(L, c, (c->nstages ? c->nstages : 1) * sizeof *c->stages);
    for (size_t i = 0; i < c->nstages; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        read_stage(L, c, &c->stages[i]);
        lua_pop(L, 1);
    }
    return 0;
}

int ls_script_config(ls_script *s, ls_config *out, ls_error *err) {
    *out = (ls_config){0};
    if (ls_lua_protected(s->L, read_config, out, LS_USAGE, err) == 0) return 0;
    ls_config_free(out);
    return -1;
}

void ls_config_free(ls_config *c) {
    ls_arena_free(&c->arena);
    *c = (ls_config){0};
}
