/* Any bytes as a row of binlog events, each as long as its header says: decoded or refused, and what is decoded can be
 * read. The seeds were recorded from a MariaDB 10.11 server, without checksums but for one, and from MySQL 9.7. */
#include "base/cursor.h"
#include "binlogserver.h"
#include "capture/binlog.h"

#include <stdlib.h>
#include <string.h>

/* on_invalid_text, by all of the input's bytes: each input has one, and its neighbours have others. */
static ls_invalid_policy policy_of(const uint8_t *data, size_t size) {
    uint32_t h = 0x811c9dc5u; /* FNV-1a */
    for (size_t i = 0; i < size; i++) h = (h ^ data[i]) * 0x01000193u;
    return (ls_invalid_policy)((h >> 16) % (LS_INVALID_SKIP + 1));
}

/* first: room for the first change's place. */
static void read_batch(ls_work *w, ls_buf *text, ls_invalid_policy policy, char first[40]) {
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf_clear(text);
        read_image(text, c->schema, c->after, policy);
        read_image(text, c->schema, c->before, policy);
        if (c->seq == 0 || text->failed) abort();
        if (!*first) memcpy(first, c->tx->pos, sizeof c->tx->pos);
    }
    for (uint32_t i = 1; i < w->nmarks; i++)
        if (ls_place_cmp(&w->marks[i - 1].place, &w->marks[i].place) > 0 &&
            w->marks[i - 1].place.file == w->marks[i].place.file && w->marks[i].place.offset > UINT32_MAX)
            abort(); /* only a ROTATE goes back */
    ls_work_reset(w);
}

/* One event, copied to its own allocation so that a read beyond it is seen. */
static int decode(ls_binlog *b, ls_work *w, ls_buf *text, ls_invalid_policy policy, char first[40], const uint8_t *p, size_t n) {
    ls_error err;
    void *event = malloc(n ? n : 1);
    if (!event) return -1;
    memcpy(event, p, n);
    int rc = ls_binlog_event(b, event, n, w, &err);
    for (; rc == 1; rc = ls_binlog_more(b, w, &err)) read_batch(w, text, policy, first);
    if (rc < 0 && (err.code == LS_OK || !strstr(err.text, "offset "))) abort();
    free(event);
    return rc;
}

static void run(const uint8_t *data, size_t size, bool mariadb, const char *delivered_pos, uint64_t delivered_seq,
                char first[40]) {
    static const char *const tables[] = {"*.*", "!sv.my"};
    enum { LENGTH_AT = 9 };
    ls_schemas schemas = {0};
    ls_buf text = {0};
    ls_error err;
    ls_place at = {.file = 6, .offset = 4};
    ls_binlog_conf conf = {.tables = tables,
                           .ntables = 2,
                           .ddl = true,
                           .mariadb = mariadb,
                           .partial_rows = mariadb,
                           .on_invalid_text = policy_of(data, size),
                           .lower_case = !mariadb,
                           .hold_max = size % 3 * 1000,
                           .schemas = &schemas,
                           .ask = {.charset = charset, .columns = columns, .versioned = versioned, .warn = warn}};
    ls_binlog *b = NULL;
    ls_work *w = ls_work_new(&schemas, "fuzz", "mariadb");
    if (!w || ls_binlog_new(&b, &conf, &err)) goto out;
    ls_binlog_start(b, &at, delivered_pos, delivered_seq, size % 5 == 4);
    while (size) {
        ls_cursor length = ls_cursor_over(data, size);
        ls_cursor_take(&length, LENGTH_AT);
        size_t n = (size_t)ls_cursor_le(&length, 4);
        if (length.failed || n == 0 || n > size) n = size;
        if (decode(b, w, &text, conf.on_invalid_text, first, data, n)) break;
        data += n;
        size -= n;
        if (ls_work_full(w)) read_batch(w, &text, conf.on_invalid_text, first);
    }
    read_batch(w, &text, conf.on_invalid_text, first);
out:
    ls_binlog_free(b);
    ls_work_free(w);
    ls_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char first[40] = "", again[40] = "";
    run(data, size, true, "", 0, first);
    run(data, size, size % 2, first, 1, again); /* as after a restart */
    return 0;
}
