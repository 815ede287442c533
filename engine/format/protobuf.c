/* protobuf.c - changes to messages: the format "protobuf" (change.proto). */
#include "format/protobuf.h"

#include "base/json.h"
#include "change/number.h"
#include "change/value.h"
#include "format/format.h"

#include <math.h>
#include <stdlib.h>

/* What a schema's messages are put together in. The names and types stand; each message fills in the values and the lists. */
typedef struct template_ {
    ListSync__Column *columns; /* 2 * ncols + nkey: of the row after, of the row before, of the key that a row moved to or from */
    ListSync__Column **lists;  /* as many */
    ProtobufCBinaryData *key, *unchanged; /* nkey names; room for ncols names */
} template_;

static const ListSync__Column__Type types[] = {[LS_TYPE_STRING] = LIST_SYNC__COLUMN__TYPE__TYPE_STRING,
                                               [LS_TYPE_BOOLEAN] = LIST_SYNC__COLUMN__TYPE__TYPE_BOOLEAN,
                                               [LS_TYPE_INTEGER] = LIST_SYNC__COLUMN__TYPE__TYPE_INTEGER,
                                               [LS_TYPE_FLOAT] = LIST_SYNC__COLUMN__TYPE__TYPE_FLOAT,
                                               [LS_TYPE_DECIMAL] = LIST_SYNC__COLUMN__TYPE__TYPE_DECIMAL,
                                               [LS_TYPE_BYTES] = LIST_SYNC__COLUMN__TYPE__TYPE_BYTES,
                                               [LS_TYPE_DATE] = LIST_SYNC__COLUMN__TYPE__TYPE_DATE,
                                               [LS_TYPE_TIME] = LIST_SYNC__COLUMN__TYPE__TYPE_TIME,
                                               [LS_TYPE_DATETIME] = LIST_SYNC__COLUMN__TYPE__TYPE_DATETIME,
                                               [LS_TYPE_TIMESTAMP] = LIST_SYNC__COLUMN__TYPE__TYPE_TIMESTAMP,
                                               [LS_TYPE_TIMETZ] = LIST_SYNC__COLUMN__TYPE__TYPE_TIMETZ,
                                               [LS_TYPE_INTERVAL] = LIST_SYNC__COLUMN__TYPE__TYPE_INTERVAL,
                                               [LS_TYPE_JSON] = LIST_SYNC__COLUMN__TYPE__TYPE_JSON,
                                               [LS_TYPE_UUID] = LIST_SYNC__COLUMN__TYPE__TYPE_UUID,
                                               [LS_TYPE_BITS] = LIST_SYNC__COLUMN__TYPE__TYPE_BITS,
                                               [LS_TYPE_ARRAY] = LIST_SYNC__COLUMN__TYPE__TYPE_ARRAY,
                                               [LS_TYPE_SET] = LIST_SYNC__COLUMN__TYPE__TYPE_SET,
                                               [LS_TYPE_GEOMETRY] = LIST_SYNC__COLUMN__TYPE__TYPE_GEOMETRY,
                                               [LS_TYPE_VECTOR] = LIST_SYNC__COLUMN__TYPE__TYPE_VECTOR,
                                               [LS_TYPE_UNKNOWN] = LIST_SYNC__COLUMN__TYPE__TYPE_UNSPECIFIED};

ListSync__Column__Type ls_protobuf_type(int type) { return types[type]; }

int ls_protobuf_type_read(ListSync__Column__Type type) {
    for (int i = 0; i <= LS_TYPE_UNKNOWN; i++)
        if (types[i] == type) return i;
    return -1;
}

static ProtobufCBinaryData bytes(const char *p, size_t n) { return (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)p}; }
static ProtobufCBinaryData text(const char *s) { return bytes(s, strlen(s)); }

static void template_free(void *p) {
    template_ *t = p;
    free(t->columns);
    free(t->lists);
    free(t->key);
    free(t->unchanged);
    free(t);
}

static template_ *template_new(const ls_schema *s) {
    template_ *t = calloc(1, sizeof *t);
    size_t n = 2 * (size_t)s->ncols + s->nkey;
    if (!t) return NULL;
    t->columns = malloc((n + 1) * sizeof *t->columns);
    t->lists = malloc((n + 1) * sizeof(*t->lists));
    t->key = malloc((s->nkey + (size_t)1) * sizeof *t->key);
    t->unchanged = malloc((s->ncols + (size_t)1) * sizeof *t->unchanged);
    if (!t->columns || !t->lists || !t->key || !t->unchanged) {
        template_free(t);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const ls_column *c = &s->cols[i < 2 * (size_t)s->ncols ? i % s->ncols : s->key[i - 2 * (size_t)s->ncols]];
        list_sync__column__init(&t->columns[i]);
        t->columns[i].name = bytes(c->name, c->name_len);
    }
    for (uint32_t i = 0; i < s->nkey; i++) t->key[i] = t->columns[s->key[i]].name;
    return t;
}

static template_ *template_of(const ls_schema *s) {
    template_ *t = ls_schema_cache(s, template_free);
    if (t) return t;
    t = template_new(s);
    if (t) ls_schema_set_cache(s, t, template_free);
    return t;
}

/* ---- values */

static void put_text(ListSync__Column *c, const ls_value *v) {
    c->value_case = LIST_SYNC__COLUMN__VALUE_TEXT_VALUE;
    c->text_value = bytes(v->as.p, v->len);
}

static void put_int(ListSync__Column *c, int64_t i) {
    c->value_case = LIST_SYNC__COLUMN__VALUE_INT_VALUE;
    c->int_value = i;
}

/* One number has one form, whatever the source held it in. */
static void put_uint(ListSync__Column *c, uint64_t u) {
    if (u <= INT64_MAX) {
        put_int(c, (int64_t)u);
        return;
    }
    c->value_case = LIST_SYNC__COLUMN__VALUE_UINT_VALUE;
    c->uint_value = u;
}

/* Digits as a number, or as they are where no number has just these. */
static void put_integer_text(ListSync__Column *c, const ls_value *v) {
    const ls_json_value number = {.kind = LS_JSON_NUMBER, .p = v->as.p, .n = v->len};
    int64_t i;
    uint64_t u;
    bool integer = ls_number_is_integer(v->as.p, v->len) && !(v->len == 2 && memcmp(v->as.p, "-0", 2) == 0);
    if (integer && ls_json_i64(&number, &i) == 0)
        put_int(c, i);
    else if (integer && ls_json_u64(&number, &u) == 0)
        put_uint(c, u);
    else
        put_text(c, v);
}

static void put_double(ListSync__Column *c, double d) {
    c->value_case = LIST_SYNC__COLUMN__VALUE_DOUBLE_VALUE;
    c->double_value = d;
}

static void put_float_text(ListSync__Column *c, const ls_value *v) {
    ls_value read = {.kind = LS_KIND_DOUBLE};
    if (ls_number_read_double(v->as.p, v->len, &read.as.d) == 0 && ls_value_same(&read, v))
        put_double(c, read.as.d);
    else
        put_text(c, v);
}

static bool is_nested(int type) {
    return type == LS_TYPE_ARRAY || type == LS_TYPE_SET || type == LS_TYPE_GEOMETRY || type == LS_TYPE_VECTOR;
}

/* A text; false: no column of this type holds one. */
static bool put_text_of(ListSync__Column *c, const ls_value *v, int type) {
    switch (type) {
    case LS_TYPE_INTEGER: put_integer_text(c, v); return true;
    case LS_TYPE_FLOAT: put_float_text(c, v); return true;
    case LS_TYPE_JSON:
        c->value_case = LIST_SYNC__COLUMN__VALUE_JSON_VALUE;
        c->json_value = bytes(v->as.p, v->len);
        return true;
    default: put_text(c, v); return type != LS_TYPE_BOOLEAN && type != LS_TYPE_BYTES && !is_nested(type);
    }
}

/* A value that its column's type does not hold, as a hook may have left one in a column of no type, goes without the type. */
static void put_value(ListSync__Column *c, const ls_value *v, int type) {
    bool fits = true;
    if (v->state == LS_NULL) {
        c->value_case = LIST_SYNC__COLUMN__VALUE_NULL_VALUE;
        c->null_value = 1;
        c->type = ls_protobuf_type(type);
        return;
    }
    switch ((enum ls_kind)v->kind) {
    case LS_KIND_TEXT: fits = put_text_of(c, v, type); break;
    case LS_KIND_INT:
        put_int(c, v->as.i);
        fits = type == LS_TYPE_INTEGER || type == LS_TYPE_FLOAT;
        break;
    case LS_KIND_UINT:
        put_uint(c, v->as.u);
        fits = type == LS_TYPE_INTEGER || type == LS_TYPE_FLOAT;
        break;
    case LS_KIND_DOUBLE:
        put_double(c, v->as.d);
        fits = type == LS_TYPE_FLOAT;
        break;
    case LS_KIND_FLOAT:
        c->value_case = LIST_SYNC__COLUMN__VALUE_FLOAT_VALUE;
        c->float_value = (float)v->as.d;
        fits = type == LS_TYPE_FLOAT;
        break;
    case LS_KIND_BOOL:
        c->value_case = LIST_SYNC__COLUMN__VALUE_BOOL_VALUE;
        c->bool_value = v->as.i != 0;
        fits = type == LS_TYPE_BOOLEAN;
        break;
    case LS_KIND_BYTES:
        c->value_case = LIST_SYNC__COLUMN__VALUE_BYTES_VALUE;
        c->bytes_value = bytes(v->as.p, v->len);
        fits = type == LS_TYPE_BYTES;
        break;
    case LS_KIND_JSON:
        c->value_case = LIST_SYNC__COLUMN__VALUE_JSON_VALUE;
        c->json_value = bytes(v->as.p, v->len);
        fits = is_nested(type);
        break;
    }
    c->type = ls_protobuf_type(fits ? type : LS_TYPE_UNKNOWN);
}

/* ---- the message */

/* Adds a column to a list, unless its value was not sent. */
static void put(ListSync__Column *c, const ls_value *v, int type, ListSync__Column **list, size_t *n) {
    if (v->state > LS_NULL) return;
    put_value(c, v, type);
    list[(*n)++] = c;
}

static void put_after(const template_ *t, const ls_change *c, ListSync__Change *m) {
    const ls_schema *s = c->schema;
    m->columns = t->lists;
    m->unchanged = t->unchanged;
    for (uint32_t i = 0; i < s->ncols; i++) {
        put(&t->columns[i], &c->after[i], s->cols[i].type, m->columns, &m->n_columns);
        if (c->after[i].state == LS_UNCHANGED) t->unchanged[m->n_unchanged++] = t->columns[i].name;
    }
}

/* The key's columns in the key's own order; without a key, or asked for, the whole row. */
static void put_before(const template_ *t, const ls_change *c, ListSync__Change *m) {
    const ls_schema *s = c->schema;
    bool whole = !s->nkey || c->flags & LS_WHOLE_IDENTITY;
    m->identity = t->lists + s->ncols;
    for (uint32_t i = 0; i < (whole ? s->ncols : s->nkey); i++) {
        uint32_t col = whole ? i : s->key[i];
        put(&t->columns[s->ncols + col], &c->before[col], s->cols[col].type, m->identity, &m->n_identity);
    }
}

static size_t put_moved(const template_ *t, const ls_change *c, ListSync__Column ***list) {
    const ls_schema *s = c->schema;
    size_t n = 0;
    *list = t->lists + 2 * (size_t)s->ncols;
    for (uint32_t i = 0; i < s->nkey; i++)
        put(&t->columns[2 * (size_t)s->ncols + i], &c->moved[i], s->cols[s->key[i]].type, *list, &n);
    return n;
}

static void put_row(const template_ *t, const ls_change *c, ListSync__Change *m) {
    m->pk = t->key;
    m->n_pk = c->schema->nkey;
    if (c->after) put_after(t, c, m);
    if (c->before) put_before(t, c, m);
    if (c->flags & LS_MOVED_FROM) m->n_moved_from = put_moved(t, c, &m->moved_from);
    if (c->flags & LS_MOVED_TO) m->n_moved_to = put_moved(t, c, &m->moved_to);
}

/* False: the change has no source. */
static bool put_source(const ls_change *c, ListSync__Source *s) {
    const ls_tx *tx = c->tx;
    if (!*tx->connector && !*tx->db && !*tx->pos && !*tx->id && !tx->ts && !c->seq && !c->sub && !(c->flags & LS_SNAPSHOT)) return false;
    s->v = 1;
    s->connector = text(tx->connector);
    s->db = text(tx->db);
    s->ts = tx->ts;
    s->tx = text(tx->id);
    s->pos = text(tx->pos);
    s->seq = c->seq;
    s->sub = c->sub;
    s->snapshot = (c->flags & LS_SNAPSHOT) != 0;
    return true;
}

static ListSync__Change__Action action_of(const ls_change *c) {
    switch (c->action) {
    case 'I': return LIST_SYNC__CHANGE__ACTION__ACTION_INSERT;
    case 'U': return LIST_SYNC__CHANGE__ACTION__ACTION_UPDATE;
    case 'D': return LIST_SYNC__CHANGE__ACTION__ACTION_DELETE;
    case 'T': return LIST_SYNC__CHANGE__ACTION__ACTION_TRUNCATE;
    case 'R': return LIST_SYNC__CHANGE__ACTION__ACTION_RENAME_TABLE;
    default: return c->whole_table ? LIST_SYNC__CHANGE__ACTION__ACTION_DROP_TABLE : LIST_SYNC__CHANGE__ACTION__ACTION_DROP_DATABASE;
    }
}

static int encode(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    const template_ *t = template_of(c->schema);
    ListSync__Change m = LIST_SYNC__CHANGE__INIT;
    ListSync__Source source = LIST_SYNC__SOURCE__INIT;
    if (!t) return ls_fail_memory(err, "encoding a message");
    m.action = action_of(c);
    m.schema = bytes(c->schema->schema, c->schema->schema_len);
    if (c->whole_table) m.table = bytes(c->schema->table, c->schema->table_len);
    if (c->to_table) {
        m.to_schema = text(c->to_schema);
        m.to_table = text(c->to_table);
    }
    if (ls_format_is_row(c)) put_row(t, c, &m);
    if (!o->no_source && put_source(c, &source)) m.source = &source;
    size_t n = protobuf_c_message_get_packed_size(&m.base);
    if (!ls_buf_room(out, n)) return ls_fail_memory(err, "encoding a message");
    out->len += protobuf_c_message_pack(&m.base, (uint8_t *)out->data + out->len);
    return 0;
}

const ls_format_ops ls_format_protobuf = {.name = "protobuf", .binary = true, .encode = encode};
