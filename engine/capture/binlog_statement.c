#include "capture/binlog_state.h"

#include "base/text.h"
#include "capture/binlog_inflate.h"
#include "capture/binlog_query.h"

#include <stdio.h>

static int add_table_change(ls_binlog *b, uint8_t action, const ls_query_names *n, ls_work *w, ls_error *err) {
    const ls_schema *s = ls_maps_bare(b->maps, n->schema, n->table);
    const ls_tx *tx = ls_bl_tx(b, w);
    uint32_t from = w->seen.count;
    ls_change *c = s && tx ? ls_work_add(w, s, tx, action, ++b->seq) : NULL;
    if (!c) return ls_fail_memory(err, "a change");
    c->whole_table = n->table[0] != '\0';
    if (action == 'R') {
        c->to_schema = ls_arena_copy(&w->arena, n->to_schema, strlen(n->to_schema));
        c->to_table = ls_arena_copy(&w->arena, n->to_table, strlen(n->to_table));
        if (!c->to_schema || !c->to_table) return ls_fail_memory(err, "a change");
    }
    ls_bl_drop_delivered(b, w, from);
    return 0;
}

static void fold(const ls_binlog *b, char *name) {
    for (; b->conf.lower_case && *name; name++)
        if (*name >= 'A' && *name <= 'Z') *name = (char)(*name + ('a' - 'A'));
}

/* Can a table of this database be captured? */
static bool database_matches(const ls_binlog *b, const char *schema) {
    char part[LS_NAME_MAX * 2];
    for (size_t i = 0; i < b->conf.ntables; i++) {
        const char *p = b->conf.tables[i];
        size_t n = 0;
        if (*p == '!') continue;
        while (p[n] && p[n] != '.') n += p[n] == '\\' && p[n + 1] ? 2 : 1;
        if (!p[n] || n >= sizeof part) continue;
        memcpy(part, p, n);
        part[n] = '\0';
        if (ls_glob(part, schema)) return true;
    }
    return false;
}

static int table_changes(ls_binlog *b, ls_query *q, ls_work *w, ls_error *err) {
    uint8_t action = q->kind == LS_QUERY_TRUNCATE ? 'T' : q->kind == LS_QUERY_RENAME ? 'R' : 'X';
    ls_query_names n;
    int more;
    while ((more = ls_query_next(q, &n)) == 1) {
        bool valid = true;
        char *const names[] = {n.schema, n.table, n.to_schema, n.to_table};
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            fold(b, names[i]);
            valid = valid && ls_utf8_valid(names[i], strlen(names[i]));
        }
        if (!valid && ls_utf8_valid(n.schema, strlen(n.schema)) && !database_matches(b, n.schema)) continue;
        if (!valid)
            return ls_fail(err, LS_FAIL, "a table's name is in a character set that is not converted, or not valid");
        bool wanted = q->kind == LS_QUERY_DROP_DATABASE
                          ? database_matches(b, n.schema)
                          : ls_tables_match_binlog(b->conf.tables, b->conf.ntables, n.schema, n.table);
        if (wanted && add_table_change(b, action, &n, w, err)) return -1;
    }
    return more ? ls_fail(err, LS_FAIL, "the table that a statement names cannot be read") : 0;
}

static int warn_partition(ls_binlog *b, ls_query *q, ls_error *err) {
    ls_query_names n;
    char text[LS_NAME_MAX * 2 + 256];
    if (ls_query_next(q, &n) < 0) return ls_fail(err, LS_FAIL, "the table that a statement names cannot be read");
    if (!ls_tables_match_binlog(b->conf.tables, b->conf.ntables, n.schema, n.table)) return 0;
    snprintf(text, sizeof text,
             "table %s.%s: ALTER TABLE changed its partitions; rows that went or came with them are not in the log",
             n.schema, n.table);
    b->conf.ask.warn(b->conf.ask.ctx, text);
    return 0;
}

static int statement_logging(const ls_query *q, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "a statement in database \"%s\" changed rows that are not in the log: statement logging; "
                   "SET GLOBAL binlog_format = 'ROW', and reconnect the applications: a session keeps the format that "
                   "it began with",
                   q->schema);
}

static int savepoint_query(ls_binlog *b, ls_query *q, ls_error *err) {
    ls_query_names n;
    if (ls_query_next(q, &n) != 1) return ls_fail(err, LS_FAIL, "a savepoint's name cannot be read");
    return q->kind == LS_QUERY_SAVEPOINT ? ls_bl_savepoint(b, n.table, err) : ls_bl_rollback_to(b, n.table, err);
}

static int statement(ls_binlog *b, const ls_event *h, ls_query *q, ls_work *w, ls_error *err) {
    int rc = 0;
    char xid[LS_XID_TEXT];
    if (!b->in_tx) {
        if (ls_bl_begin(b, h, err)) return -1;
        b->standalone = true;
    }
    switch (q->kind) {
    case LS_QUERY_BEGIN:
    case LS_QUERY_XA_START:
        b->standalone = false;
        b->xa = b->xa || q->kind == LS_QUERY_XA_START;
        b->hold.on = b->xa || b->drop_to != UINT64_MAX;
        return 0;
    case LS_QUERY_COMMIT:
        return ls_bl_commit(b, w, err);
    case LS_QUERY_ROLLBACK:
        return ls_bl_rollback(b, w, err);
    case LS_QUERY_XA_COMMIT:
    case LS_QUERY_XA_ROLLBACK:
        if (ls_query_xid(q, xid)) return ls_fail(err, LS_FAIL, "the name of an XA transaction cannot be read");
        return ls_bl_decide(b, xid, q->kind == LS_QUERY_XA_COMMIT, w, err);
    case LS_QUERY_SAVEPOINT:
    case LS_QUERY_ROLLBACK_TO:
        rc = savepoint_query(b, q, err);
        break;
    case LS_QUERY_DML:
        return statement_logging(q, err);
    case LS_QUERY_TRUNCATE:
        rc = table_changes(b, q, w, err);
        break;
    case LS_QUERY_DROP_TABLE:
    case LS_QUERY_DROP_DATABASE:
    case LS_QUERY_RENAME:
        rc = b->conf.ddl ? table_changes(b, q, w, err) : 0;
        break;
    case LS_QUERY_PARTITION:
        rc = warn_partition(b, q, err);
        break;
    case LS_QUERY_OTHER:
        break;
    }
    return rc || !b->standalone ? rc : ls_bl_end(b, w, err);
}

/* The client's collation among a QUERY event's status variables; 0: not there. Those before it have known lengths. */
static uint32_t client_collation(ls_cursor vars) {
    while (ls_cursor_left(&vars)) {
        switch (ls_cursor_u8(&vars)) {
        case 0:
            ls_cursor_take(&vars, 4);
            break; /* flags2 */
        case 1:
            ls_cursor_take(&vars, 8);
            break; /* sql_mode */
        case 3:
            ls_cursor_take(&vars, 4);
            break; /* auto_increment */
        case 6:
            ls_cursor_take(&vars, ls_cursor_u8(&vars));
            break; /* catalog */
        case 4:
            return (uint32_t)ls_cursor_le(&vars, 2);
        default:
            return 0;
        }
    }
    return 0;
}

static bool is_ascii(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] > 0x7f) return false;
    return true;
}

/* The statement's text as UTF-8 where names may need it. */
static int to_utf8(ls_binlog *b, uint32_t collation, const char **p, size_t *n, ls_error *err) {
    const ls_charset *c = NULL;
    if (is_ascii(*p, *n) || !collation) return 0; /* the server looks for words and quotes in ASCII too */
    if (ls_maps_charset(b->maps, collation, &c, err)) return -1;
    ls_buf_clear(&b->text);
    if (!c || ls_charset_is_utf8(c) || ls_charset_read(c, &b->text, *p, *n) || b->text.failed)
        return 0; /* a name that is not ASCII is refused later */
    *p = b->text.data;
    *n = b->text.len;
    return 0;
}

int ls_bl_query(ls_binlog *b, const ls_event *h, ls_cursor in, ls_work *w, ls_error *err) {
    char schema[LS_NAME_MAX];
    ls_query q;
    ls_cursor_take(&in, 8); /* thread, seconds */
    size_t nschema = ls_cursor_u8(&in);
    ls_cursor_take(&in, 2); /* error code */
    size_t nvars = (size_t)ls_cursor_le(&in, 2);
    const uint8_t *vars = ls_cursor_take(&in, nvars), *name = ls_cursor_take(&in, nschema);
    ls_cursor_take(&in, 1);
    if (in.failed) return ls_fail_cut(err, &in);
    if (nschema) memcpy(schema, name, nschema); /* its length is one byte */
    schema[nschema] = '\0';
    if (h->type == LS_EV_QUERY_COMPRESSED) {
        if (ls_inflate_part(&in, &b->inflated, err)) return -1;
        if (in.failed) return ls_fail_cut(err, &in);
        in = ls_cursor_over(b->inflated.data, b->inflated.len);
    }
    const char *text = in.at ? (const char *)in.at : "";
    size_t n = ls_cursor_left(&in);
    if (to_utf8(b, client_collation(ls_cursor_over(vars, nvars)), &text, &n, err)) return -1;
    ls_query_read(&q, text, n, schema);
    return statement(b, h, &q, w, err);
}
