/* postgres_identity.c - what the server sends of rows before: the tables' REPLICA IDENTITY. */
#include "capture/postgres.h"

enum { NAMED_MAX = 20 }; /* tables named in one message; the rest is counted */

/* Of a partitioned table the partitions count: the server looks at the one that a row is in. */
PGresult *ls_pg_without_identity(ls_pg *s, ls_error *err, const char *from, const char *param) {
    ls_buf sql = {0};
    ls_buf_fmt(&sql,
               "SELECT p.shown_schema, p.shown_table, n.nspname, c.relname FROM %s"
               " LEFT JOIN LATERAL pg_partition_tree(p.oid) leaf ON leaf.isleaf"
               " JOIN pg_class c ON c.oid = coalesce(leaf.relid::oid, p.oid) AND c.relkind = 'r'"
               " JOIN pg_namespace n ON n.oid = c.relnamespace "
               "WHERE c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid"
               " AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate"
               " ELSE false END) ORDER BY 1, 2, 3, 4",
               from);
    const char *text = ls_buf_cstr(&sql);
    PGresult *res = NULL;
    if (text)
        res = ls_pg_query(s, err, "looking up the tables' REPLICA IDENTITY", text, 1, &param);
    else
        ls_fail_memory(err, "looking up the tables' REPLICA IDENTITY");
    ls_buf_free(&sql);
    return res;
}

/* The tables whose changes may come, under the names that they come under: a given publication's, else all. Of partitions the
 * row's own one counts, again. */
static PGresult *not_whole(ls_pg *s, ls_error *err) {
    static const char published[] = "SELECT c.oid, t.schemaname shown_schema, t.tablename shown_table FROM pg_publication_tables t"
                                    " JOIN pg_namespace n ON n.nspname = t.schemaname"
                                    " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename WHERE t.pubname = $1";
    static const char roots[] = "SELECT c.oid, n.nspname shown_schema, c.relname shown_table FROM pg_class c"
                                " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE $1::text IS NULL AND c.relkind IN ('r', 'p')"
                                " AND NOT c.relispartition";
    static const char leaves[] = "SELECT c.oid, n.nspname shown_schema, c.relname shown_table FROM pg_class c"
                                 " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE $1::text IS NULL AND c.relkind = 'r'";
    const ls_source_conf *o = s->conf;
    const char *publication = s->plugin->published ? o->publication : NULL;
    ls_buf sql = {0};
    ls_buf_fmt(&sql,
               "SELECT p.shown_schema, p.shown_table, n.nspname, c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
               " AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1 AND a.attstorage <> 'p') FROM (%s) p"
               " LEFT JOIN LATERAL pg_partition_tree(p.oid) leaf ON leaf.isleaf"
               " JOIN pg_class c ON c.oid = coalesce(leaf.relid::oid, p.oid) AND c.relkind = 'r' AND c.relpersistence = 'p'"
               " JOIN pg_namespace n ON n.oid = c.relnamespace "
               "WHERE c.relreplident <> 'f' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1, 2, 3, 4",
               publication ? published : o->partition_root ? roots : leaves);
    const char *text = ls_buf_cstr(&sql);
    PGresult *res = NULL;
    if (text)
        res = ls_pg_query(s, err, "looking up the tables' REPLICA IDENTITY", text, 1, &publication);
    else
        ls_fail_memory(err, "looking up the tables' REPLICA IDENTITY");
    ls_buf_free(&sql);
    return res;
}

static void add(ls_buf *mends, int n, const PGresult *res, int row) {
    if (n >= NAMED_MAX) return;
    ls_buf_str(mends, n ? " ALTER TABLE " : "ALTER TABLE ");
    ls_pg_quote_table(mends, PQgetvalue(res, row, 2), PQgetvalue(res, row, 3));
    ls_buf_str(mends, " REPLICA IDENTITY FULL;");
}

int ls_pg_identity(ls_pg *s, ls_error *err) {
    const ls_source_conf *o = s->conf;
    if (!o->whole_before && !o->inspect) return 0;
    PGresult *res = not_whole(s, err);
    if (!res) return -1;
    ls_buf mends = {0};
    int n = 0, rc = 0;
    bool refused = false;
    for (int i = 0; i < PQntuples(res); i++) {
        bool large = *PQgetvalue(res, i, 4) == 't';
        const char *schema = PQgetvalue(res, i, 0), *table = PQgetvalue(res, i, 1);
        if (!ls_tables_match(o->tables, o->ntables, schema, table)) continue;
        bool wanted = ls_schemas_before(o->schemas, ls_schemas_rule(o->schemas, schema, table)) != LS_BEFORE_KEY;
        if (wanted && !refused) { /* no word of the others then */
            refused = true;
            n = 0;
            ls_buf_clear(&mends);
        }
        if (refused ? wanted : large) add(&mends, n++, res, i);
    }
    if (n > NAMED_MAX) ls_buf_fmt(&mends, " and so for %d more", n - NAMED_MAX);
    const char *text = ls_buf_cstr(&mends);
    if (!text)
        rc = ls_fail_memory(err, "looking up the tables' REPLICA IDENTITY");
    else if (refused)
        rc = ls_fail(err, LS_USAGE, "identity = \"full\" and moves = \"split\" need whole rows before: of %d table%s the server sends rows before an UPDATE or DELETE as their key alone; run: %s",
                     n, n == 1 ? "" : "s", text);
    else if (n)
        ls_log_line(&s->log, LS_WARN,
                    "an UPDATE of %d table%s leaves out large values (stored out of line, about 2 kB and more) that it does not change: "
                    "messages name them in `unchanged`; to have them, run: %s",
                    n, n == 1 ? "" : "s", text);
    ls_buf_free(&mends);
    PQclear(res);
    return rc;
}
