/* A table map and a ROWS event of its table: decoded or refused, and what is decoded can be read, sent, and read again as the same.
 * Beside fuzz_binlog, so that what changes is rows and values and not the events around them. Input: the event's type, a byte of
 * options, the length of the map, two bytes, little endian, the map behind its table id and flags, the rows event behind its own. The
 * seeds were recorded from MariaDB 10.11 and MySQL 9.7 servers. */
#include "base/cursor.h"
#include "base/json.h"
#include "binlogserver.h"
#include "capture/binlog_rows.h"
#include "format/format.h"

#include <string.h>

enum { TABLE_ID = 7, FLAGS = 1, ROWS_MAX = 2000 }; /* a few compressed bytes may be very many rows */

static void want(bool ok) {
    if (!ok) abort();
}

/* Of its own, so that a read beyond it is seen; `before` bytes stay free in front. */
static uint8_t *own(const uint8_t *p, size_t n, size_t before) {
    uint8_t *copy = malloc(before + n ? before + n : 1);
    want(copy != NULL);
    if (n) memcpy(copy + before, p, n);
    return copy;
}

static void same_image(const ls_schema *s, const ls_value *sent, const ls_schema *as, const ls_value *read) {
    for (uint32_t i = 0; sent && read && i < s->ncols; i++) {
        if (sent[i].state > LS_NULL) continue;
        int k = ls_schema_find(as, s->cols[i].name, s->cols[i].name_len);
        want(k >= 0 && ls_value_same(&sent[i], &read[k]));
    }
}

/* Columns of a table map may have one name, as no table's have. */
static bool names_differ(const ls_schema *s) {
    for (uint32_t i = 0; i < s->ncols; i++)
        if (ls_schema_find(s, s->cols[i].name, s->cols[i].name_len) != (int)i) return false;
    return true;
}

/* Each of the other formats writes a document of it, too, or flat tells that a column has the name of one of its members. */
static void send_otherwise(ls_batch *b, uint32_t i, ls_buf *text) {
    static const ls_format_ops *const others[] = {&ls_format_debezium, &ls_format_maxwell, &ls_format_flat};
    ls_error err;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        ls_buf_clear(text);
        if (others[k]->encode(&(const ls_format_options){0}, b, i, text, &err))
            want(others[k] == &ls_format_flat && strstr(err.text, "has a member of that name"));
        else
            want(ls_json_is_document(text->data, text->len) && strcmp(ls_format_guess(text->data, text->len), others[k]->name) == 0);
    }
}

/* As a consumer gets it that decodes messages of the format. */
static void send_and_read(const ls_format_ops *format, ls_batch *b, uint32_t i, ls_buf *text) {
    const ls_change *c = &b->changes[i];
    ls_schemas schemas = {0};
    ls_decoder *d = ls_decoder_for(&schemas, format->name);
    ls_work *w = ls_work_new(&schemas, "", "");
    ls_error err;
    ls_buf_clear(text);
    want(d && w && format->encode(&(const ls_format_options){0}, b, i, text, &err) == 0);
    if (ls_decoder_read(d, w, text->data, text->len, &err)) {
        want(strstr(err.text, " was wanted") && !strstr(err.text, "JSON")); /* an image without values is not written */
    } else {
        const ls_change *read = &w->seen.changes[0];
        want(read->action == c->action);
        same_image(c->schema, c->after, read->schema, read->after);
        same_image(c->schema, c->before, read->schema, read->before);
    }
    ls_work_free(w);
    ls_decoder_free(d);
}

static void read_changes(ls_work *w, ls_buf *text, ls_invalid_policy policy, bool send) {
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf_clear(text);
        read_image(text, c->schema, c->after, policy);
        read_image(text, c->schema, c->before, policy);
        want(!text->failed);
        if (send && i == 0 && names_differ(c->schema)) {
            send_and_read(&ls_format_list_sync, &w->seen, i, text);
            send_and_read(&ls_format_protobuf, &w->seen, i, text);
            send_otherwise(&w->seen, i, text);
        }
    }
    ls_work_reset(w);
}

/* One row, and what becomes of it if it has mended text: a row before has it under each policy, and not all of that is sent. */
static int next_row(ls_rows *r, ls_work *w, const ls_tx *tx, uint64_t *seq, ls_invalid_policy policy, ls_buf *text, ls_error *err) {
    const ls_invalid how = {policy, NULL, warn};
    if (ls_rows_next(r, w, tx, seq, policy != LS_INVALID_STOP, text, err)) return -1;
    return r->mended ? ls_invalid_settle(&how, w, 0, &r->map->invalid_said, err) : 0;
}

static void read_rows(ls_rows *r, ls_work *w, ls_invalid_policy policy) {
    const ls_tx tx = {.pos = "000000060000000000ab", .id = "0-1-2"};
    ls_buf text = {0}, plain = {0}, shown = {0};
    ls_error err = {0};
    uint64_t seq = 0;
    const ls_tx *kept = ls_work_tx(w, &tx);
    int rc = ls_rows_inflate(r, &plain, &err);
    for (int n = 0; rc == 0 && n < ROWS_MAX && ls_rows_left(r); n++) {
        rc = next_row(r, w, kept, &seq, policy, &text, &err);
        want(!rc || (err.text[0] && ls_utf8_valid(err.text, strlen(err.text))));
        read_changes(w, &shown, policy, n == 0 && !rc);
        kept = ls_work_tx(w, &tx);
    }
    ls_buf_free(&text);
    ls_buf_free(&plain);
    ls_buf_free(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const tables[] = {"*.*"};
    enum { HEAD = 8 }; /* table id and flags */
    ls_cursor in = ls_cursor_over(data, size);
    uint8_t type = ls_cursor_u8(&in), options = ls_cursor_u8(&in);
    size_t nmap = (size_t)ls_cursor_le(&in, 2);
    if (in.failed || !ls_rows_is(type) || nmap > ls_cursor_left(&in)) return 0;
    ls_schemas schemas = {.before = options & 16 ? LS_BEFORE_SENT : LS_BEFORE_KEY};
    ls_binlog_conf conf = {.tables = tables,
                           .ntables = 1,
                           .mariadb = options & 1,
                           .partial_rows = options & 2,
                           .schemas = &schemas,
                           .ask = {.charset = charset, .columns = columns, .versioned = versioned, .warn = warn}};
    size_t nrows = ls_cursor_left(&in) - nmap;
    uint8_t *map = own(in.at, nmap, 0), *event = own(in.at + nmap, nrows, HEAD);
    memcpy(event, (const uint8_t[HEAD]){TABLE_ID, 0, 0, 0, 0, 0, FLAGS, 0}, HEAD);
    ls_work *w = ls_work_new(&schemas, "fuzz", "mariadb");
    ls_maps *maps;
    ls_rows r;
    ls_error err;
    want(ls_maps_new(&maps, &conf, &err) == 0 && w);
    if (ls_maps_put(maps, TABLE_ID, map, nmap, true, &err) == 0 &&
        ls_rows_open(&r, maps, type, ls_cursor_over(event, HEAD + nrows), &err) == 0 && r.map &&
        ls_map_prepare(maps, r.map, TABLE_ID, &err) == 0)
        read_rows(&r, w, (ls_invalid_policy)(options >> 2 & 3) % (LS_INVALID_SKIP + 1));
    ls_work_free(w);
    ls_maps_free(maps);
    free(map);
    free(event);
    return 0;
}
