/* The CSV writer: RFC 4180 rows of changes. The files are csv_file.c's, and csv_route.c says which; csv_layout.c knows the layouts. */
#include "write/csv_layout.h"

#include "base/hash.h"
#include "base/pattern.h"

#include <stdlib.h>
#include <string.h>

enum {
    LS_CSV_TABLES_MAX = LS_LIMIT(10000, 4), /* tables that something is remembered of; past it all are forgotten and learnt again */
    LS_CSV_BUCKETS = LS_LIMIT(1024, 2),
    LS_CSV_PLANS = LS_LIMIT(256, 2),        /* schemas whose plans are kept */
    LS_CSV_LANES = LS_LIMIT(256, 2),        /* schemas whose lanes are kept */
    LS_CSV_TRUNCATES = LS_LIMIT(1024, 4),   /* truncates remembered, so that one that comes from every partition is written once */
    LS_CSV_KEEP_ROW = 1024 * 1024 /* bytes of row buffer kept between rows */
};

/* What is known of a table in the files of one route. */
typedef struct table {
    struct table *next;
    ls_csv_route route;
    ls_buf cell;          /* schema.table as it is written, then its name, NUL-terminated, at `name` */
    size_t cell_len, name;
    ls_buf known;         /* header of its last I row; empty: none yet */
    uint32_t known_id;    /* schema that `known` is of */
    uint32_t version;     /* grows as `known` changes: plans of its D rows depend on it */
    ls_csv_part *deletes; /* where its last D row went, and how many cells that had */
    size_t delete_cells;
    bool told_unchanged; /* that cells of values that were not sent look like NULL's */
} table;

/* Where D rows of a schema go, and which column stands in each cell behind action and table. */
typedef struct delete_plan {
    ls_csv_part *part; /* NULL: not made yet */
    uint32_t version;  /* of the table, when it was made */
    uint32_t *col;     /* LS_CSV_NO_COLUMN: the cell is absent */
    size_t ncols;
} delete_plan;

/* How rows of a schema are written. In a lane with columns deletes[0] has the part alone: all rows have the same cells. */
typedef struct plan {
    uint32_t id; /* of the schema; 0: empty */
    ls_csv_route route;
    table *table;
    ls_csv_part *inserts;   /* NULL: not looked up yet */
    delete_plan deletes[2]; /* of rows with the key alone, and of whole rows */
    uint32_t *laid;         /* where the lane's columns are; NULL: not looked up yet */
    bool checked;           /* ls_csv_lane_check() has seen it */
} plan;

_Static_assert(LS_MANIFEST_POS_MAX == sizeof(((ls_tx *)0)->pos), "a truncate is remembered as the manifest has it");

typedef struct csv {
    ls_writer base;
    ls_csv_disk disk;
    ls_csv_lane *lanes; /* the writer's own, then those of its layouts */
    size_t nlanes;
    const ls_csv_conf **confs; /* theirs */
    const char **patterns; /* of the layouts */
    struct {
        uint32_t id; /* of the schema; 0: empty */
        ls_csv_lane *lane;
    } recent[LS_CSV_LANES];
    ls_csv_lane *lane; /* of the change that is being written */
    ls_csv_route at;   /* ... */
    table *tables[LS_CSV_BUCKETS];
    size_t ntables;
    plan plans[LS_CSV_PLANS];
    ls_manifest_truncate truncates[LS_CSV_TRUNCATES]; /* a ring */
    size_t ntruncates;
    ls_buf row, header, text;
} csv;

/* ---- cells */

static void put_absent(csv *c) { ls_csv_put_absent(&c->lane->dialect, &c->row); }
static void put_cell(csv *c, const ls_value *v) { ls_csv_put_cell(&c->lane->dialect, &c->row, v, &c->text); }

static void begin_row(csv *c, char action, const table *t) {
    if (c->row.cap > LS_CSV_KEEP_ROW) ls_buf_free(&c->row);
    ls_buf_clear(&c->row);
    if (c->lane->conf.bare) return;
    ls_buf_char(&c->row, action);
    ls_buf_char(&c->row, c->lane->conf.delimiter);
    ls_buf_add(&c->row, t->cell.data, t->cell_len);
}

static int end_row(csv *c, ls_csv_part *p, ls_error *err) {
    size_t skip = c->lane->conf.bare && c->row.len; /* the delimiter before the first cell */
    if (c->row.failed || !ls_buf_room(&c->row, 1)) return ls_fail_memory(err, "writing a CSV row"); /* an empty row is at a place, too */
    return ls_csv_part_add(p, c->row.data + skip, c->row.len - skip, err);
}

static void begin_header(csv *c) {
    ls_buf_clear(&c->header);
    ls_buf_room(&c->header, 1); /* an empty one is at a place, too */
    if (!c->lane->conf.bare) ls_buf_fmt(&c->header, "action%ctable", c->lane->conf.delimiter);
}

static void put_header(csv *c, const ls_column *col) {
    if (c->header.len) ls_buf_char(&c->header, c->lane->conf.delimiter);
    ls_csv_put_text(&c->lane->dialect, &c->header, col->name, col->name_len);
}

/* ---- tables */

static void free_table(table *t) {
    ls_buf_free(&t->cell);
    ls_buf_free(&t->known);
    free(t);
}

static void forget_plan(plan *l) {
    for (size_t i = 0; i < 2; i++) free(l->deletes[i].col);
    free(l->laid);
    *l = (plan){0};
}

static void forget_all(csv *c) {
    for (size_t i = 0; i < LS_CSV_PLANS; i++) forget_plan(&c->plans[i]);
    for (size_t i = 0; i < LS_CSV_BUCKETS; i++)
        for (table *t = c->tables[i], *next; t; t = next) {
            next = t->next;
            free_table(t);
        }
    memset(c->tables, 0, sizeof c->tables);
    c->ntables = 0;
}

static bool same_route(const ls_csv_route *a, const ls_csv_route *b) { return a->inserts == b->inserts && a->deletes == b->deletes; }

/* The table of that name on the change's route; NULL when memory is out. */
static table *table_of(csv *c, const ls_schema *s) {
    ls_buf_clear(&c->text);
    ls_buf_add(&c->text, s->schema, s->schema_len);
    ls_buf_char(&c->text, '.');
    ls_buf_add(&c->text, s->table, s->table_len);
    const char *name = ls_buf_cstr(&c->text);
    if (!name) return NULL;
    table **bucket = &c->tables[(ls_hash(LS_HASH_START, name, c->text.len) + c->at.inserts->serial) % LS_CSV_BUCKETS];
    for (table *t = *bucket; t; t = t->next)
        if (same_route(&t->route, &c->at) && strcmp(t->cell.data + t->name, name) == 0) return t;
    if (c->ntables == LS_CSV_TABLES_MAX) forget_all(c);
    table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    ls_csv_put_text(&c->lane->dialect, &t->cell, name, c->text.len);
    t->cell_len = t->name = t->cell.len;
    ls_buf_add(&t->cell, name, c->text.len + 1);
    if (t->cell.failed) {
        free_table(t);
        return NULL;
    }
    t->version = 1;
    t->route = c->at;
    t->next = *bucket;
    c->ntables++;
    return *bucket = t;
}

static plan *plan_of(csv *c, const ls_schema *s) {
    plan *l = &c->plans[(s->id + c->at.inserts->serial) % LS_CSV_PLANS];
    if (l->id == s->id && same_route(&l->route, &c->at)) return l;
    table *t = table_of(c, s);
    if (!t) return NULL;
    forget_plan(l);
    l->id = s->id;
    l->route = c->at;
    l->table = t;
    return l;
}

/* ---- insert rows */

/* Notes the columns of the table's newest I row: without split_files, D rows stand under the same header. */
static int learn(csv *c, plan *l, const ls_schema *s, ls_error *err) {
    table *t = l->table;
    if (l->inserts && t->known_id == s->id) return 0;
    begin_header(c);
    for (uint32_t i = 0; i < s->ncols; i++) put_header(c, &s->cols[i]);
    if (c->header.failed) return ls_fail_memory(err, "writing a CSV header");
    if (ls_csv_files_part(c->at.inserts, c->header.data, c->header.len, &l->inserts, err)) return -1;
    if (t->known.len != c->header.len || memcmp(t->known.data, c->header.data, c->header.len) != 0) {
        ls_buf_clear(&t->known);
        ls_buf_add(&t->known, c->header.data, c->header.len);
        t->version++;
    }
    t->known_id = s->id;
    return t->known.failed ? ls_fail_memory(err, "writing a CSV header") : 0;
}

/* A part is its first record's table's. */
static void claim(ls_csv_part *p, const table *t) {
    if (!p->table) p->table = strdup(t->cell.data + t->name); /* without it the part is not found by table: no harm */
}

/* Said once a table. */
static void tell_unchanged(const csv *c, table *t, const ls_schema *s) {
    const ls_csv_conf *conf = &c->lane->conf;
    if (!conf->log || t->told_unchanged || strcmp(conf->null_text, conf->absent_text) != 0) return;
    t->told_unchanged = true;
    ls_log_line(conf->log, LS_WARN,
                "table %s.%s: an update leaves values out that it did not change, and their cells look like NULL's: set absent = \"(unchanged)\" or another text for them, or "
                "have the server send them (PostgreSQL: ALTER TABLE ... REPLICA IDENTITY FULL)", s->schema, s->table);
}

static int write_insert(csv *c, plan *l, const ls_schema *s, const ls_value *row, ls_error *err) {
    if (learn(c, l, s, err)) return -1;
    claim(l->inserts, l->table);
    begin_row(c, 'I', l->table);
    bool unchanged = false;
    for (uint32_t i = 0; i < s->ncols; i++) {
        unchanged |= row[i].state == LS_UNCHANGED;
        put_cell(c, &row[i]);
    }
    if (unchanged) tell_unchanged(c, l->table, s);
    return end_row(c, l->inserts, err);
}

/* ---- delete rows */

/* Makes d->col for a header: 1: each column that the row carries has its cell; 0: it has not; -1: memory. */
static int fill_cells(csv *c, delete_plan *d, const ls_schema *s, const char *header, size_t n, size_t carried, const uint32_t *cols) {
    const char *at = header, *end = header + n;
    size_t cells = ls_csv_count_cells(&c->lane->conf, header, n), found = 0;
    bool *wanted = calloc((size_t)s->ncols + 1, sizeof *wanted);
    d->col = malloc((cells + 1) * sizeof *d->col);
    d->ncols = 0;
    if (!wanted || !d->col) {
        free(wanted);
        return -1;
    }
    for (size_t i = 0; i < carried; i++) wanted[cols[i]] = true;
    uint32_t next = 0; /* mostly the same order */
    for (size_t i = 0; ls_csv_next_cell(&c->lane->conf, &at, end, &c->text); i++) {
        if (i < 2 && !c->lane->conf.bare) continue; /* action, table */
        bool here = next < s->ncols && s->cols[next].name_len == c->text.len && memcmp(s->cols[next].name, c->text.data, c->text.len) == 0;
        int col = here ? (int)next : ls_schema_find(s, c->text.data, c->text.len);
        if (col >= 0) next = (uint32_t)col + 1;
        if (col >= 0 && wanted[col]) {
            wanted[col] = false;
            found++;
        }
        d->col[d->ncols++] = col < 0 ? LS_CSV_NO_COLUMN : (uint32_t)col;
    }
    free(wanted);
    return c->text.failed ? -1 : found == carried;
}

/* In one file D and T rows stand under the header of the table's last I row; where no I row was seen, and for split files,
 * under that of the table's newest part. NULL: there is none. */
static const char *known_header(csv *c, const table *t, size_t *n) {
    *n = t->known.len;
    if (*n && !c->lane->conf.split_files) return t->known.data;
    const ls_csv_part *p = ls_csv_files_of_table(c->at.deletes, t->cell.data + t->name);
    *n = p ? p->header_len : 0;
    return p ? p->header : NULL;
}

/* A header of the columns that the row carries, in the identity's own order. */
static int own_header(csv *c, const ls_schema *s, size_t carried, const uint32_t *cols) {
    begin_header(c);
    for (size_t i = 0; i < carried; i++) put_header(c, &s->cols[cols[i]]);
    return c->header.failed ? -1 : 0;
}

static int lay_out_deletes(csv *c, plan *l, const ls_schema *s, bool whole, ls_error *err) {
    delete_plan *d = &l->deletes[whole];
    size_t carried = whole ? s->ncols : s->nkey, n = 0;
    uint32_t *cols = malloc((carried + 1) * sizeof *cols);
    const char *header = NULL;
    int fits = 0;
    for (size_t i = 0; cols && i < carried; i++) cols[i] = whole ? (uint32_t)i : s->key[i];
    free(d->col);
    *d = (delete_plan){0};
    if (!c->lane->conf.split_files) header = known_header(c, l->table, &n);
    if (cols && header) fits = fill_cells(c, d, s, header, n, carried, cols);
    if (cols && !fits) {
        free(d->col);
        d->col = cols;
        d->ncols = carried;
        cols = NULL;
        fits = own_header(c, s, carried, d->col);
        header = c->header.data;
        n = c->header.len;
    }
    free(cols);
    if (!d->col || fits < 0) return ls_fail_memory(err, "writing a CSV row");
    d->version = l->table->version;
    return ls_csv_files_part(c->at.deletes, header, n, &d->part, err);
}

/* Does the row before carry more than its key? */
static bool is_whole(const ls_schema *s, const ls_value *row) {
    if (!s->nkey) return true;
    for (uint32_t i = 0; i < s->ncols; i++)
        if (row[i].state <= LS_NULL && !s->cols[i].key_at) return true;
    return false;
}

static int write_delete(csv *c, plan *l, const ls_schema *s, const ls_value *row, ls_error *err) {
    bool whole = is_whole(s, row);
    delete_plan *d = &l->deletes[whole];
    if ((!d->part || d->version != l->table->version) && lay_out_deletes(c, l, s, whole, err)) return -1;
    claim(d->part, l->table);
    l->table->deletes = d->part;
    l->table->delete_cells = d->ncols;
    begin_row(c, 'D', l->table);
    for (size_t i = 0; i < d->ncols; i++) {
        if (d->col[i] == LS_CSV_NO_COLUMN)
            put_absent(c);
        else
            put_cell(c, &row[d->col[i]]);
    }
    return end_row(c, d->part, err);
}

/* ---- rows of a lane with columns */

static int laid_part(csv *c, ls_csv_files *files, table *t, ls_csv_part **out, ls_error *err) {
    if (!*out && ls_csv_files_part(files, c->lane->header.data, c->lane->header.len, out, err)) return -1;
    claim(*out, t);
    return 0;
}

static int write_laid(csv *c, plan *l, const ls_work *w, uint32_t number, int image, ls_error *err) {
    const ls_change *ch = &w->seen.changes[number];
    const ls_value *cells = ls_layout_cells(w, number, image), *row = image ? ch->after : ch->before;
    ls_csv_part **part = image ? &l->inserts : &l->deletes[0].part;
    if (!row || cells == ls_cells_left_out) return 0;
    if (!l->laid && !(l->laid = ls_csv_lane_find(c->lane, ch->schema))) return ls_fail_memory(err, "writing a CSV row");
    if (image && !l->checked && ls_csv_lane_check(c->lane, ch->schema, l->laid, err)) return -1;
    if (image) l->checked = true;
    if (laid_part(c, image ? c->at.inserts : c->at.deletes, l->table, part, err)) return -1;
    begin_row(c, image ? 'I' : 'D', l->table);
    if (ls_csv_lane_put(c->lane, ch, row, cells, l->laid, &c->row, &c->text, err)) return -1;
    return end_row(c, *part, err);
}

/* ---- truncates */

/* A message that does not say where it comes from is never taken for another. */
static bool seen_truncate(csv *c, const ls_change *ch) {
    const char *base = c->at.deletes->base; /* each name that has the table's rows has it */
    ls_manifest_truncate now = {.files = c->disk.keep ? ls_csv_keep_hash(c->disk.keep, base) : ls_hash(LS_HASH_START, base, strlen(base)),
                                .connector = ls_hash(LS_HASH_START, ch->tx->connector, strlen(ch->tx->connector)),
                                .seq = ch->seq};
    size_t n = c->ntruncates < LS_CSV_TRUNCATES ? c->ntruncates : LS_CSV_TRUNCATES;
    if (!*ch->tx->pos) return false;
    memcpy(now.pos, ch->tx->pos, strlen(ch->tx->pos));
    for (size_t i = 0; i < n; i++) {
        const ls_manifest_truncate *t = &c->truncates[i];
        if (t->seq == now.seq && t->files == now.files && t->connector == now.connector && strcmp(t->pos, now.pos) == 0) return true;
    }
    c->truncates[c->ntruncates++ % LS_CSV_TRUNCATES] = now;
    return false;
}

/* The part and the number of cells that a T row is padded to: where the table's D rows would go, as far as that is known. */
static int lay_out_truncate(csv *c, table *t, ls_error *err) {
    size_t n;
    if (ls_csv_lane_is_laid(c->lane)) {
        t->delete_cells = c->lane->layout->ncolumns;
        return laid_part(c, c->at.deletes, t, &t->deletes, err);
    }
    if (t->deletes && c->lane->conf.split_files) return 0;
    const char *header = known_header(c, t, &n);
    if (!header && t->deletes) return 0;
    if (!header) {
        begin_header(c);
        if (c->header.failed) return ls_fail_memory(err, "writing a CSV row");
        header = c->header.data;
        n = c->header.len;
    }
    t->delete_cells = ls_csv_count_cells(&c->lane->conf, header, n) - 2;
    return ls_csv_files_part(c->at.deletes, header, n, &t->deletes, err);
}

static int write_truncate(csv *c, const ls_schema *s, const ls_change *ch, ls_error *err) {
    table *t = table_of(c, s);
    if (!t) return ls_fail_memory(err, "writing a CSV row");
    if (c->lane->conf.bare || seen_truncate(c, ch)) return 0;
    if (lay_out_truncate(c, t, err)) return -1;
    ls_csv_part *p = t->deletes;
    claim(p, t);
    begin_row(c, 'T', t);
    for (size_t i = 0; i < t->delete_cells; i++) put_absent(c);
    if (!t->delete_cells) t->deletes = NULL; /* no D row was seen: the next T looks again */
    return end_row(c, p, err);
}

/* ---- the writer */

static ls_csv_lane *lane_of(csv *c, const ls_schema *s) {
    size_t at = s->id % LS_CSV_LANES;
    if (c->nlanes == 1) return c->lanes;
    if (c->recent[at].id != s->id) {
        c->recent[at].id = s->id;
        c->recent[at].lane = &c->lanes[1 + ls_pattern_best(c->patterns, c->nlanes - 1, s->schema, s->table)];
    }
    return c->recent[at].lane;
}

/* Past LS_CSV_NAMES_MAX all files are closed, and found again as rows come. */
static int start_anew(csv *c, ls_error *err) {
    if (ls_csv_disk_flush(&c->disk, err)) return -1;
    forget_all(c);
    ls_csv_disk_close(&c->disk);
    for (size_t i = 0; i < c->nlanes; i++)
        if (ls_csv_routes_again(&c->lanes[i].routes, err)) return -1;
    return ls_csv_disk_find(&c->disk, c->confs, c->nlanes, err);
}

static int write_change(csv *c, const ls_work *w, uint32_t number, ls_error *err) {
    const ls_change *ch = &w->seen.changes[number];
    const ls_schema *s = ch->schema;
    if (ch->flags & LS_DROPPED || !memchr("IUDT", ch->action, 4)) return 0;
    if (c->disk.nnames > LS_CSV_NAMES_MAX - 2 && start_anew(c, err)) return -1;
    c->lane = lane_of(c, s);
    if (ls_csv_disk_time(&c->disk, ch->tx->ts, err) || ls_csv_routes_find(&c->lane->routes, ch, &c->at, err)) return -1;
    if (ch->action == 'T') return write_truncate(c, s, ch, err);
    plan *l = plan_of(c, s);
    if (!l) return ls_fail_memory(err, "writing a CSV row");
    if (ls_csv_lane_is_laid(c->lane)) return write_laid(c, l, w, number, 0, err) || write_laid(c, l, w, number, 1, err) ? -1 : 0;
    if (ch->after && learn(c, l, s, err)) return -1; /* an update's D stands under its I's header */
    if (ch->before && write_delete(c, l, s, ch->before, err)) return -1;
    return ch->after ? write_insert(c, l, s, ch->after, err) : 0;
}

static int write_batch(ls_writer *w, ls_batch *b, ls_error *err) {
    for (uint32_t i = 0; i < b->count; i++)
        if (write_change((csv *)(void *)w, ls_work_of(b), i, err)) return -1;
    return 0;
}

/* The ring as a list, the oldest first. NULL: memory. */
static ls_manifest_truncate *list_truncates(const csv *c, size_t *n) {
    *n = c->ntruncates < LS_CSV_TRUNCATES ? c->ntruncates : LS_CSV_TRUNCATES;
    ls_manifest_truncate *list = malloc((*n + 1) * sizeof *list);
    for (size_t i = 0; list && i < *n; i++) list[i] = c->truncates[(c->ntruncates - *n + i) % LS_CSV_TRUNCATES];
    return list;
}

static int flush(ls_writer *w, const ls_position *at, size_t n, ls_error *err) {
    csv *c = (csv *)(void *)w;
    ls_csv_commit commit = {.at = at, .n = n, .span = c->disk.span};
    if (!c->disk.keep) return ls_csv_disk_flush(&c->disk, err);
    ls_manifest_truncate *list = list_truncates(c, &commit.ntruncates);
    if (!list) return ls_fail_memory(err, "flushing CSV files");
    commit.truncates = list;
    int rc = ls_csv_disk_commit(&c->disk, &commit, err);
    free(list);
    return rc;
}

/* A partition that came to a topic whose others are known is read from its beginning: all of it is new. */
static int begin_partition(ls_writer *w, ls_position *at, ls_error *err) {
    (void)err;
    const ls_csv_keep *keep = ((csv *)(void *)w)->disk.keep;
    const ls_manifest *m = keep ? ls_csv_keep_found(keep) : NULL;
    int known = 0;
    for (size_t i = 0; m && i < m->nplaces; i++) {
        if (strcmp(m->places[i].topic, at->topic) != 0) continue;
        known = 2;
        if (m->places[i].partition != at->partition) continue;
        at->offset = m->places[i].offset;
        return 1;
    }
    return known;
}

static void close_writer(ls_writer *w) {
    csv *c = (csv *)(void *)w;
    forget_all(c);
    ls_csv_disk_close(&c->disk);
    ls_csv_keep_close(c->disk.keep);
    for (size_t i = 0; i < c->nlanes; i++) ls_csv_lane_close(&c->lanes[i]);
    free(c->lanes);
    free(c->confs);
    free(c->patterns);
    ls_buf_free(&c->row);
    ls_buf_free(&c->header);
    ls_buf_free(&c->text);
    free(c);
}

static const ls_writer_ops csv_ops = {.write = write_batch, .flush = flush, .begin = begin_partition, .close = close_writer};

/* The files are brought back to the manifest before any of them is looked at. */
static int open_keep(csv *c, const ls_csv_conf *conf, ls_error *err) {
    if (!conf->keep) return ls_csv_keep_refuse(conf, err);
    if (ls_csv_keep_open(&c->disk.keep, conf, err)) return -1;
    const ls_manifest *m = ls_csv_keep_found(c->disk.keep);
    if (m->has_span) c->disk.span = m->span;
    for (size_t i = 0; i < m->ntruncates; i++) c->truncates[c->ntruncates++ % LS_CSV_TRUNCATES] = m->truncates[i];
    return 0;
}

static int open_lanes(csv *c, const ls_csv_conf *conf, ls_error *err) {
    c->lanes = calloc(conf->nlayouts + 1, sizeof *c->lanes);
    c->confs = calloc(conf->nlayouts + 1, sizeof(ls_csv_conf *));
    c->patterns = malloc((conf->nlayouts + 1) * sizeof *c->patterns);
    if (!c->lanes || !c->confs || !c->patterns) return ls_fail_memory(err, "opening CSV files");
    c->disk.conf = &c->lanes[0].conf;
    for (size_t i = 0; i < conf->nlayouts; i++) c->patterns[i] = conf->layouts[i].what.pattern;
    while (c->nlanes <= conf->nlayouts) {
        const ls_csv_layout *y = c->nlanes ? &conf->layouts[c->nlanes - 1] : NULL;
        c->confs[c->nlanes] = &c->lanes[c->nlanes].conf;
        if (ls_csv_lane_open(&c->lanes[c->nlanes++], &c->disk, y ? &y->conf : conf, y ? &y->what : NULL, err)) return -1;
    }
    return ls_csv_disk_find(&c->disk, c->confs, c->nlanes, err);
}

const char *ls_csv_manifest(const ls_writer *w) {
    const csv *c = (const csv *)(const void *)w;
    return c->disk.keep ? ls_csv_keep_path(c->disk.keep) : NULL;
}

int ls_csv_open(ls_writer **out, const ls_csv_conf *conf, ls_error *err) {
    csv *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "opening CSV files");
    c->base.ops = &csv_ops;
    c->disk.span = LS_CSV_NO_SPAN;
    if (open_keep(c, conf, err) || open_lanes(c, conf, err)) {
        close_writer(&c->base);
        return -1;
    }
    *out = &c->base;
    return 0;
}
