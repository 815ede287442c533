/* Any bytes as a row of binlog events, each as long as its header says: decoded or refused, and what is decoded can be
 * read. The seeds were cut out of a MariaDB 10.11 server's binlog. */
#include "base/cursor.h"
#include "capture/binlog.h"
#include "change/value.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 19, LENGTH_AT = 9 };

static const char *charset(void *ctx, uint32_t collation) {
    static const char *const names[] = {"utf8mb4", "latin1", "utf8mb3", "binary", NULL};
    (void)ctx;
    return collation == 63 ? "binary" : names[collation % 5];
}

static int columns(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n, ls_error *err) {
    (void)ctx, (void)schema, (void)table;
    if (n > 40) return ls_fail(err, LS_AGAIN, "the server does not answer");
    for (size_t i = 0; i < n; i++) cols[i].precision = (int)(i % 7);
    return 0;
}

static void warn(void *ctx, const char *text) { (void)ctx, (void)text; }

static void read_image(ls_buf *text, const ls_schema *s, const ls_value *v) {
    for (uint32_t i = 0; v && i < s->ncols; i++)
        if (v[i].state <= LS_NULL) ls_value_json(text, &v[i], s->cols[i].type);
}

static void read_batch(ls_work *w, ls_buf *text) {
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf_clear(text);
        ls_buf_str(text, c->schema->schema);
        read_image(text, c->schema, c->after);
        read_image(text, c->schema, c->before);
        if (c->seq == 0 || text->failed) abort();
    }
    ls_work_reset(w);
}

/* One event, in an allocation of its own so that a read beyond it is seen; it lives until its last batch is read. */
static int decode(ls_binlog *b, ls_work *w, ls_buf *text, const uint8_t *p, size_t n) {
    ls_error err;
    uint8_t *event = malloc(n ? n : 1);
    if (!event) return -1;
    memcpy(event, p, n);
    int rc = ls_binlog_event(b, event, n, w, &err);
    read_batch(w, text);
    while (rc == 1) {
        rc = ls_binlog_more(b, w, &err);
        read_batch(w, text);
    }
    free(event);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const tables[] = {"*.*", "!other.*"};
    ls_schemas schemas = {0};
    ls_buf text = {0};
    ls_error err;
    ls_place at = {.file = 1, .offset = 4};
    ls_binlog *b = NULL;
    ls_binlog_conf conf = {.tables = tables,
                           .ntables = 2,
                           .ddl = true,
                           .mariadb = true,
                           .schemas = &schemas,
                           .ask = {.charset = charset, .columns = columns, .warn = warn}};
    ls_work *w = ls_work_new(&schemas, "fuzz", "mariadb");
    if (w && ls_binlog_new(&b, &conf, &err) == 0) ls_binlog_start(b, &at, "", 0);
    ls_cursor c = ls_cursor_over(data, size);
    while (b && ls_cursor_left(&c)) {
        ls_cursor header = c;
        ls_cursor_take(&header, LENGTH_AT);
        size_t n = (size_t)ls_cursor_le(&header, 4);
        if (header.failed || n < HEADER || n > ls_cursor_left(&c)) n = ls_cursor_left(&c);
        if (decode(b, w, &text, ls_cursor_take(&c, n), n)) break;
    }
    ls_binlog_free(b);
    ls_work_free(w);
    ls_buf_free(&text);
    return 0;
}
