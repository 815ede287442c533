#include "base/text.h"
#include "capture/binlog_map_parts.h"

#include <inttypes.h>
#include <stdlib.h>

/* Optional metadata of one table map while it is read. */
typedef struct options {
    ls_cursor signs, default_collation, collations, names, key, key_with_prefix;
    ls_cursor label_default_collation, label_collations, set_labels, enum_labels;
    bool has_names;
} options;

static void read_options(ls_cursor *c, options *o) {
    while (ls_cursor_left(c)) {
        uint8_t field = ls_cursor_u8(c);
        size_t n = (size_t)ls_lenenc(c);
        const uint8_t *p = ls_cursor_take(c, n);
        if (!p) return;
        ls_cursor in = ls_cursor_over(p, n);
        switch (field) {
        case 1:
            o->signs = in;
            break;
        case 2:
            o->default_collation = in;
            break;
        case 3:
            o->collations = in;
            break;
        case 4:
            o->names = in;
            o->has_names = true;
            break;
        case 5:
            o->set_labels = in;
            break;
        case 6:
            o->enum_labels = in;
            break;
        case 8:
            o->key = in;
            break;
        case 9:
            o->key_with_prefix = in;
            break;
        case 10:
            o->label_default_collation = in;
            break;
        case 11:
            o->label_collations = in;
            break;
        default:
            break; /* geometry types, visibility, dimensions: nothing depends on them */
        }
    }
}

static void apply_signs(ls_map *m, ls_cursor *in) {
    size_t n = ls_cursor_left(in), bit = 0;
    for (uint32_t i = 0; i < m->ncols; i++) {
        if (!ls_wire_is_numeric(m->cols[i].code)) continue;
        m->cols[i].is_unsigned =
            (bit / 8 < n && in->at[bit / 8] & (0x80 >> bit % 8)) || m->cols[i].code == LS_WIRE_YEAR;
        bit++;
    }
}

/* The columns that a field of collations counts: those of text, or those of labels. */
static bool counts(const ls_wire_column *c, bool labels, bool mariadb) {
    return labels ? ls_wire_is_labelled(c->code) : ls_wire_has_collation(c, mariadb);
}

static ls_wire_column *collated(ls_map *m, uint64_t nth, bool labels, bool mariadb) {
    for (uint32_t i = 0; i < m->ncols; i++)
        if (counts(&m->cols[i], labels, mariadb) && nth-- == 0) return &m->cols[i];
    return NULL;
}

/* in: the usual collation, then pairs of a column and its own; each: a collation for every column. -1: they do not fit the
 * columns. */
static int apply_collations(ls_map *m, ls_cursor *in, ls_cursor *each, bool labels, bool mariadb) {
    uint32_t usual = ls_cursor_left(in) ? (uint32_t)ls_lenenc(in) : 0;
    for (uint32_t i = 0; i < m->ncols; i++) {
        if (!counts(&m->cols[i], labels, mariadb)) continue;
        m->cols[i].collation = ls_cursor_left(each) ? (uint32_t)ls_lenenc(each) : usual;
    }
    while (ls_cursor_left(in)) {
        ls_wire_column *c = collated(m, ls_lenenc(in), labels, mariadb);
        uint32_t collation = (uint32_t)ls_lenenc(in);
        if (!c) return -1;
        c->collation = collation;
    }
    return in->failed || each->failed ? -1 : 0;
}

static void pass_labels(ls_cursor *in) {
    for (uint64_t n = ls_lenenc(in); n && !in->failed; n--) ls_cursor_take(in, (size_t)ls_lenenc(in));
}

/* The labels of each ENUM and SET column, which the map owns. */
static int apply_labels(const ls_map_reader *r, ls_map *m, options *o, ls_error *err) {
    for (uint32_t i = 0; i < m->ncols; i++) {
        ls_wire_column *c = &m->cols[i];
        ls_cursor *in = c->code == LS_WIRE_SET ? &o->set_labels : &o->enum_labels;
        const ls_charset *charset = NULL;
        ls_labels *labels;
        if (!ls_wire_is_labelled(c->code)) continue;
        if (c->collation != LS_COLLATION_BINARY && ls_map_charset(r, c->collation, &charset, err)) return -1;
        if (!charset && c->collation != LS_COLLATION_BINARY) {
            c->unsupported = "labels in a character set that is not converted";
            pass_labels(in);
            continue;
        }
        if (ls_labels_read(&labels, in, charset, err)) return ls_fail_in(err, "column %.*s", (int)c->name_len, c->name);
        if (!labels) return ls_fail(err, LS_FAIL, "its labels do not fit its columns");
        c->labels = labels;
    }
    return 0;
}

static int apply_names(ls_map *m, ls_cursor *in) {
    for (uint32_t i = 0; i < m->ncols; i++) {
        size_t n = (size_t)ls_lenenc(in);
        const uint8_t *p = ls_cursor_take(in, n);
        if (!p || n > UINT32_MAX || !ls_utf8_valid((const char *)p, n)) return -1;
        m->cols[i].name = (const char *)p;
        m->cols[i].name_len = (uint32_t)n;
    }
    return 0;
}

/* DB_ROW_HASH_1, a BIGINT UNSIGNED behind the others: where MariaDB keeps the hash of a UNIQUE of long columns. */
static bool is_row_hash(const ls_wire_column *c) {
    static const char name[] = "DB_ROW_HASH_";
    size_t n = sizeof name - 1;
    if (c->code != LS_WIRE_LONGLONG || !c->is_unsigned || c->name_len <= n || memcmp(c->name, name, n) != 0) return false;
    for (; n < c->name_len; n++)
        if (c->name[n] < '0' || c->name[n] > '9') return false;
    return true;
}

/* Gives the columns their numbers in the schema. Gives how many there are. */
static uint32_t number_columns(ls_map *m, bool mariadb) {
    uint32_t n = m->ncols;
    while (mariadb && n && is_row_hash(&m->cols[n - 1])) m->cols[--n].hidden = true;
    for (uint32_t i = 0; i < n; i++) m->cols[i].at = i;
    return n;
}

/* A sequence is logged as a table of one row with these columns. */
static bool is_sequence(const ls_map *m) {
    static const char *const names[] = {"next_not_cached_value", "minimum_value", "maximum_value", "start_value",
                                        "increment", "cache_size", "cycle_option", "cycle_count"};
    if (m->ncols != sizeof names / sizeof *names) return false;
    for (uint32_t i = 0; i < m->ncols; i++)
        if (strlen(names[i]) != m->cols[i].name_len || memcmp(names[i], m->cols[i].name, m->cols[i].name_len) != 0) return false;
    return true;
}

/* A system-versioned table has a column for the row's begin and one for its end: TIMESTAMP(6), or transaction numbers. */
static bool looks_versioned(const ls_map *m) {
    uint32_t times = 0, numbers = 0;
    for (uint32_t i = 0; i < m->ncols; i++) {
        times += m->cols[i].code == LS_WIRE_TIMESTAMP2 && m->cols[i].meta == 6;
        numbers += m->cols[i].code == LS_WIRE_LONGLONG && m->cols[i].is_unsigned;
    }
    return times > 1 || numbers > 1;
}

/* Column numbers of the key into *key (room for ncols); gives how many, or -1. */
static int64_t read_key(ls_map *m, options *o, uint16_t *key) {
    bool prefixes = ls_cursor_left(&o->key_with_prefix) > 0;
    ls_cursor *in = prefixes ? &o->key_with_prefix : &o->key;
    int64_t n = 0;
    while (ls_cursor_left(in)) {
        uint64_t col = ls_lenenc(in);
        if (prefixes) ls_lenenc(in); /* the prefix only concerns the index: the column is the key's */
        if (in->failed || col >= m->ncols || m->cols[col].is_key || m->cols[col].hidden) return -1;
        m->cols[col].is_key = true;
        key[n++] = (uint16_t)m->cols[col].at;
    }
    return n;
}

int ls_map_metadata(const ls_map_reader *r, ls_map *m, ls_cursor *in, ls_error *err) {
    options o = {0};
    bool mariadb = r->conf->mariadb;
    read_options(in, &o);
    if (in->failed) return ls_fail_cut(err, in);
    if (!o.has_names)
        return ls_fail(err, LS_FAIL,
                       "the log holds no column names: SET GLOBAL binlog_row_metadata = 'FULL'; what was "
                       "written before that cannot be captured");
    apply_signs(m, &o.signs);
    if (apply_names(m, &o.names)) return ls_fail(err, LS_FAIL, "its column names do not fit its columns");
    if (apply_collations(m, &o.default_collation, &o.collations, false, mariadb) ||
        apply_collations(m, &o.label_default_collation, &o.label_collations, true, mariadb))
        return ls_fail(err, LS_FAIL, "its character sets do not fit its columns");
    if (mariadb && is_sequence(m)) {
        m->captured = false; /* its values are no rows of anybody's */
        return 0;
    }
    m->maybe_versioned = mariadb && looks_versioned(m);
    if (apply_labels(r, m, &o, err)) return -1;
    m->nseen = number_columns(m, mariadb);
    m->key = calloc(m->ncols ? m->ncols : 1, sizeof *m->key);
    if (!m->key) return ls_fail_memory(err, "a table map");
    int64_t nkey = read_key(m, &o, m->key);
    if (nkey < 0) return ls_fail(err, LS_FAIL, "its key does not fit its columns");
    m->nkey = (uint32_t)nkey;
    return 0;
}
