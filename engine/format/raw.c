/* raw.c - decode = "raw": any message as a row of the table kafka.<topic>, an insert without a key. */
#include "format/read.h"

#include "change/time.h"
#include "change/value.h"

enum { KEY, VALUE, TIMESTAMP, PARTITION, OFFSET, COLUMNS };

static const ls_seen_column columns[COLUMNS] = {[KEY] = {.name = "key", .name_len = 3, .type = LS_TYPE_BYTES},
                                                [VALUE] = {.name = "value", .name_len = 5, .type = LS_TYPE_BYTES},
                                                [TIMESTAMP] = {.name = "timestamp", .name_len = 9, .type = LS_TYPE_TIMESTAMP},
                                                [PARTITION] = {.name = "partition", .name_len = 9, .type = LS_TYPE_INTEGER},
                                                [OFFSET] = {.name = "offset", .name_len = 6, .type = LS_TYPE_INTEGER}};

static const ls_schema *schema_of(ls_decoder *d, const char *topic) {
    const ls_seen_row row = {.schema = "kafka",
                             .schema_len = 5,
                             .table = topic,
                             .table_len = strlen(topic),
                             .cols = columns,
                             .ncols = COLUMNS,
                             .ordered = COLUMNS,
                             .whole = true};
    uint32_t at[COLUMNS]; /* the columns come as they stand here */
    const char *why;
    return ls_tables_schema(d->tables, &row, at, &why);
}

static ls_value bytes_or_null(const char *p, size_t n) { return p ? ls_value_bytes_of(LS_KIND_BYTES, p, n) : ls_value_state(LS_NULL); }

/* The time as text, in the arena; NULL: memory. */
static const char *time_text(ls_decoder *d, ls_work *w, int64_t us) {
    ls_civil t = ls_time_civil(us);
    ls_buf_clear(&d->text);
    ls_time_date(&d->text, t.year, t.month, t.day);
    ls_buf_char(&d->text, 'T');
    ls_time_clock(&d->text, t.hour, t.minute, t.second, t.micro);
    ls_buf_char(&d->text, 'Z');
    return d->text.failed ? NULL : ls_arena_copy(&w->arena, d->text.data, d->text.len);
}

/* One for the messages of a batch that have one time; no source. NULL: memory. */
static const ls_tx *tx_of(ls_decoder *d, ls_work *w, int64_t us) {
    const ls_tx tx = {.ts = us, .connector = "", .db = ""};
    if (d->last_work == w && d->last_generation == w->seen.generation && d->last_tx->ts == us) return d->last_tx;
    const ls_tx *made = ls_work_tx(w, &tx);
    if (!made) return NULL;
    d->last_work = w;
    d->last_generation = w->seen.generation;
    return d->last_tx = made;
}

/* Of what Kafka says, no time is out of the years that have four digits; of another one nothing is made. */
static int64_t micros(int64_t ms) {
    const int64_t year_10000 = 253402300800000;
    return ms >= 0 && ms < year_10000 ? ms * 1000 : -1;
}

static int read_message(ls_decoder *d, ls_work *w, const ls_incoming *m, ls_error *err) {
    int64_t us = micros(m->time);
    const ls_schema *s = schema_of(d, m->topic);
    ls_value *row = s ? ls_work_values(w, COLUMNS) : NULL;
    const char *time = row && us >= 0 ? time_text(d, w, us) : NULL;
    const ls_tx *tx = row && (time || us < 0) ? tx_of(d, w, us < 0 ? 0 : us) : NULL;
    ls_change *c = tx ? ls_work_add(w, s, tx, 'I', 0) : NULL;
    if (!c) return ls_fail_memory(err, "reading a message");
    row[KEY] = bytes_or_null(m->key, m->key_len);
    row[VALUE] = bytes_or_null(m->value, m->value_len);
    row[TIMESTAMP] = time ? ls_value_text(time, d->text.len) : ls_value_state(LS_NULL);
    row[PARTITION] = ls_value_int(m->partition);
    row[OFFSET] = ls_value_int(m->offset);
    c->after = row;
    return 0;
}

const ls_reader ls_read_raw = {.name = "raw", .tombstones = true, .read = read_message};
