#include "capture/binlog_rows.h"

#include "capture/binlog_inflate.h"
#include "change/row.h"

#include <inttypes.h>

static const uint64_t NO_TABLE = 0xffffff; /* ends a statement whose last table is not logged */

static bool has(const uint8_t *bits, uint32_t i) {
    return bits[i / 8] >> i % 8 & 1;
}

static uint32_t count(const uint8_t *bits, uint32_t n) {
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) k += has(bits, i);
    return k;
}

/* Is a column missing from the row after that the row before does not have either? */
static bool is_partial(const ls_rows *r) {
    if (!r->after || r->nafter == r->map->ncols) return false;
    for (uint32_t i = 0; i < r->map->ncols; i++)
        if (!has(r->after, i) && !(r->before && has(r->before, i))) return true;
    return false;
}

/* The first type of the three that this one belongs to; 0: it is none. */
static uint8_t family(uint8_t type) {
    static const uint8_t first[] = {LS_ROWS_V1, LS_ROWS_V2, LS_ROWS_COMPRESSED_V1, LS_ROWS_COMPRESSED_V2};
    for (size_t i = 0; i < sizeof first; i++)
        if (type >= first[i] && type < first[i] + LS_ROWS_ACTIONS) return first[i];
    return 0;
}

bool ls_rows_is(uint8_t type) {
    return family(type) != 0 || type == LS_ROWS_PARTIAL_UPDATE;
}

int ls_rows_inflate(ls_rows *r, ls_buf *plain, ls_error *err) {
    if (!r->map || !r->compressed) return 0;
    if (ls_inflate_part(&r->in, plain, err)) return ls_fail_in(err, "table %s.%s", r->map->schema_name, r->map->table_name);
    if (r->in.failed) return ls_fail_cut(err, &r->in);
    r->in = ls_cursor_over(plain->data, plain->len);
    return 0;
}

int ls_rows_open(ls_rows *r, const ls_maps *maps, uint8_t type, ls_cursor in, ls_error *err) {
    static const uint8_t actions[LS_ROWS_ACTIONS] = {'I', 'U', 'D'};
    uint8_t of = family(type);
    bool json_changes = type == LS_ROWS_PARTIAL_UPDATE, v2 = of == LS_ROWS_V2 || of == LS_ROWS_COMPRESSED_V2 || json_changes;
    *r = (ls_rows){.in = in, .compressed = of >= LS_ROWS_COMPRESSED_V1, .json_changes = json_changes};
    r->action = json_changes ? 'U' : actions[type - of];
    r->id = ls_cursor_le(&r->in, 6);
    r->ends_statement = ls_cursor_le(&r->in, 2) & 1;
    if (v2) {
        size_t extra = (size_t)ls_cursor_le(&r->in, 2); /* counts itself */
        if (!r->in.failed && extra < 2)
            return ls_fail(err, LS_FAIL, "its extra data is %zu bytes long, 2 at least", extra);
        ls_cursor_take(&r->in, extra - 2);
    }
    uint64_t ncols = ls_lenenc(&r->in);
    size_t bytes = (size_t)((ncols + 7) / 8);
    const uint8_t *first = ls_cursor_take(&r->in, bytes), *second = first;
    if (r->action == 'U') second = ls_cursor_take(&r->in, bytes);
    if (r->in.failed) return ls_fail_cut(err, &r->in);
    ls_map *map = ls_maps_find(maps, r->id);
    if (!map && r->id != NO_TABLE) return ls_fail(err, LS_FAIL, "no TABLE_MAP came for its table id %" PRIu64, r->id);
    if (!map || !map->captured) return 0;
    if (ncols != map->ncols)
        return ls_fail(err, LS_FAIL, "table %s.%s: rows of %" PRIu64 " columns, its TABLE_MAP has %" PRIu32,
                       map->schema_name, map->table_name, ncols, map->ncols);
    r->map = map;
    if (r->action != 'I') r->before = first, r->nbefore = count(first, map->ncols);
    if (r->action != 'D') r->after = second, r->nafter = count(second, map->ncols);
    r->partial = is_partial(r);
    r->part_before = r->before && r->nbefore < map->ncols;
    for (uint32_t i = 0; json_changes && i < map->ncols; i++) r->njson += map->cols[i].code == LS_WIRE_JSON;
    return 0;
}

/* A document of the row before. */
typedef struct document {
    const uint8_t *p;
    size_t n;
    uint8_t state; /* enum ls_state; LS_ABSENT: the image lacks it */
} document;

typedef struct image {
    const uint8_t *present;
    uint32_t n; /* columns that it has */
    bool keys_only; /* the other columns are passed over */
    bool *mended;   /* as for ls_wire_read() */
    enum ls_state missing;    /* of columns that it lacks */
    ls_value *out;            /* a value for each of the schema's columns, LS_ABSENT so far */
    const ls_value *before;   /* in a row after, the row before; may be NULL */
    document *documents;      /* with json_changes those of the table's JSON columns: a row before's are found, a row after's built on them */
    const uint8_t *changed;   /* a bit for each of them: changes stand in the row after; NULL: nowhere */
} image;

/* What is left of an image. */
typedef struct unread {
    const uint8_t *present, *nulls;
    uint32_t i, nth; /* the next column, and which of the present ones it is */
} unread;

/* Reads the key's columns among them, as far as that goes. */
static void read_keys(ls_rows *r, const unread *rest, ls_value *out, ls_arena *arena, ls_buf *text) {
    ls_error unused;
    bool mended;
    for (uint32_t i = rest->i, nth = rest->nth; i < r->map->ncols && !r->in.failed; i++) {
        const ls_wire_column *c = &r->map->cols[i];
        if (!has(rest->present, i) || has(rest->nulls, nth++)) continue;
        if (!c->is_key || ls_wire_read(c, &r->in, arena, text, &mended, &out[c->at], &unused) || r->in.failed) {
            if (!c->is_key) ls_wire_skip(c, &r->in);
            if (c->is_key) out[c->at].state = LS_ABSENT;
        }
    }
}

/* Which value of which row is none of its type: whoever has to mend it needs the row's key. */
static int bad_value(ls_rows *r, const unread *rest, const ls_wire_column *bad, const image *of, ls_arena *arena, ls_buf *text,
                     ls_error *err) {
    ls_value *out = of->out;
    enum { KEY_MAX = 200 }; /* bytes of it that are shown */
    const ls_schema *s = r->map->schema;
    out[bad->at].state = LS_ABSENT;
    read_keys(r, rest, out, arena, text);
    ls_buf_clear(text);
    for (uint32_t i = 0; i < s->nkey; i++) {
        const ls_value *v = &out[s->key[i]];
        if (v->state != LS_PRESENT && of->before) v = &of->before[s->key[i]];
        ls_buf_fmt(text, "%s%s = ", i ? ", " : ", key ", s->cols[s->key[i]].name);
        if (v->state == LS_PRESENT)
            ls_value_print(text, v);
        else
            ls_buf_char(text, '?');
    }
    size_t n = text->failed ? 0 : text->len < KEY_MAX ? text->len : KEY_MAX;
    while (n && n < text->len && (text->data[n] & 0xc0) == 0x80) n--; /* not inside a character */
    return ls_fail_in(err, "table %s.%s, column %.*s%.*s", s->schema, s->table, (int)bad->name_len, bad->name, (int)n,
                      n ? text->data : "");
}

/* A document that comes as changes of the one before. Where the event does not have that one, as under PARTIAL_JSON with another
 * row image than FULL, the new one is not known: neither sent nor said to be unchanged. */
static int read_json(ls_rows *r, const ls_wire_column *c, const document *before, bool *mended, ls_value *out, ls_arena *arena,
                     ls_buf *text, ls_error *err) {
    size_t n;
    const uint8_t *p = ls_wire_take(c, &r->in, &n);
    if (!p) return 0;
    if (before->state == LS_PRESENT) return ls_wire_changed_json(before->p, before->n, p, n, arena, text, mended, out, err);
    out->state = before->state == LS_NULL ? LS_NULL : LS_UNCHANGED;
    if (n == 0) return 0;
    if (before->state == LS_NULL) return ls_fail(err, LS_FAIL, "changes of a document that was NULL");
    out->state = LS_ABSENT;
    r->lost = true;
    return 0;
}

/* Notes where the row before's document stands, which may not be wanted itself. */
static void note_document(const ls_rows *r, const ls_wire_column *c, bool is, bool null, document *d) {
    ls_cursor in = r->in;
    *d = (document){.state = LS_ABSENT};
    if (!is) return;
    if (!null) d->p = ls_wire_take(c, &in, &d->n);
    d->state = null ? LS_NULL : LS_PRESENT;
}

static int read_image(ls_rows *r, const image *of, ls_arena *arena, ls_buf *text, ls_error *err) {
    const ls_map *m = r->map;
    const uint8_t *nulls = ls_cursor_take(&r->in, (of->n + 7) / 8);
    if (!nulls) return 0;
    for (uint32_t i = 0, nth = 0, json = 0; i < m->ncols; i++) {
        const ls_wire_column *c = &m->cols[i];
        bool wanted = !c->hidden && (!of->keys_only || c->is_key), is = has(of->present, i), null = is && has(nulls, nth);
        bool is_json = of->documents && c->code == LS_WIRE_JSON, after = of->missing == LS_UNCHANGED;
        document *d = is_json ? &of->documents[json++] : NULL;
        bool changed = d && after && of->changed && has(of->changed, json - 1);
        int rc = 0;
        nth += is;
        if (d && !after) note_document(r, c, is, null, d);
        if (!is) {
            if (!c->hidden) of->out[c->at].state = (uint8_t)of->missing;
        } else if (null) {
            if (wanted) of->out[c->at].state = LS_NULL;
        } else if (!wanted) {
            ls_wire_skip(c, &r->in);
        } else if (changed) {
            rc = read_json(r, c, d, of->mended, &of->out[c->at], arena, text, err);
        } else {
            rc = ls_wire_read(c, &r->in, arena, text, of->mended, &of->out[c->at], err);
        }
        const unread rest = {of->present, nulls, i + 1, nth};
        if (rc) return bad_value(r, &rest, c, of, arena, text, err);
    }
    return 0;
}

/* What stands before the row after of an event with changes of documents. */
static int read_options(ls_rows *r, image *after, ls_error *err) {
    enum { PARTIAL_JSON = 1 };
    if (!r->json_changes) return 0;
    uint64_t options = ls_lenenc(&r->in);
    if (options & PARTIAL_JSON) after->changed = ls_cursor_take(&r->in, (r->njson + 7) / 8);
    if (options <= PARTIAL_JSON) return 0;
    return ls_fail(err, LS_FAIL, "table %s.%s: value options %" PRIu64 " are not known, only 1", r->map->schema_name, r->map->table_name, options);
}

/* Without its key nobody can tell which row it is. A minimal image leaves the key out of an insert that takes its default. */
static int check_key(const ls_rows *r, const ls_value *before, const ls_value *after, ls_error *err) {
    const ls_schema *s = r->map->schema;
    for (uint32_t i = 0; i < s->nkey; i++) {
        uint16_t k = s->key[i];
        if ((before && before[k].state <= LS_NULL) || (r->action != 'D' && after && after[k].state <= LS_NULL)) continue;
        return ls_fail(err, LS_FAIL,
                       "table %s.%s: a row came without its key column %s, because the session's binlog_row_image is not FULL and the "
                       "statement left it to the column's default: SET GLOBAL binlog_row_image = 'FULL', and reconnect the applications",
                       s->schema, s->table, s->cols[k].name);
    }
    return 0;
}

static int add_row(const ls_rows *r, ls_work *w, const ls_tx *tx, uint64_t *seq, ls_value *before, ls_value *after) {
    const ls_schema *s = r->map->schema;
    if (r->action == 'I') return ls_row_insert(w, s, tx, seq, after);
    if (r->action == 'D') return ls_row_remove(w, s, tx, seq, before);
    return ls_row_update(w, s, tx, seq, before, after);
}

int ls_rows_next(ls_rows *r, ls_work *w, const ls_tx *tx, uint64_t *seq, bool mend, ls_buf *text, ls_error *err) {
    const ls_map *m = r->map;
    ls_value *before = NULL, *after = NULL;
    const uint8_t *at = r->in.at;
    document *documents = r->json_changes ? ls_arena_alloc(&w->arena, r->njson * sizeof *documents) : NULL;
    if (r->json_changes && !documents) return ls_fail_memory(err, "a row");
    r->mended = false;
    if (r->before) {
        image of = {.present = r->before, .n = r->nbefore, .mended = &r->mended, .missing = LS_ABSENT, .documents = documents};
        /* of the row before only the key is sent on, and what the row after lacks */
        of.keys_only = m->schema->nkey && m->schema->before == LS_BEFORE_KEY && (r->action == 'D' || r->nafter == m->ncols);
        if (!(of.out = before = ls_work_values(w, m->schema->ncols))) return ls_fail_memory(err, "a row");
        if (read_image(r, &of, &w->arena, text, err)) return -1;
    }
    if (r->after) {
        image of = {.present = r->after, .n = r->nafter, .missing = r->before ? LS_UNCHANGED : LS_ABSENT, .before = before, .documents = documents};
        of.mended = mend ? &r->mended : NULL;
        if (!(of.out = after = ls_work_values(w, m->schema->ncols))) return ls_fail_memory(err, "a row");
        if (read_options(r, &of, err) || read_image(r, &of, &w->arena, text, err)) return -1;
    }
    if (r->in.failed) {
        ls_fail_cut(err, &r->in);
        return r->compressed ? ls_fail_in(err, "in its rows, inflated") : -1;
    }
    if (r->in.at == at)
        return ls_fail(err, LS_FAIL, "table %s.%s: a row without columns", m->schema_name, m->table_name);
    if (check_key(r, before, after, err)) return -1;
    return add_row(r, w, tx, seq, before, after) ? ls_fail_memory(err, "a row") : 0;
}
