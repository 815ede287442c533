#include "pipeline/dead_letter.h"

#include "base/clock.h"
#include "base/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_OWN_HEADERS = 16, /* at most, of a letter */
    LS_SAID_MAX = 4096   /* tables and kinds of error that are warned of */
};

struct ls_dead {
    ls_worker *worker;
    const char *stage, *topic;
    ls_policy on_error, on_oversize;
    bool letters;
    pthread_mutex_t mutex; /* below */
    ls_names said; /* "schema.table\0hook" */
    ls_buf name;
};

static ls_policy policy_of(const char *option) {
    return strcmp(option, "dead_letter") == 0 ? LS_POLICY_DEAD_LETTER : strcmp(option, "skip") == 0 ? LS_POLICY_SKIP : LS_POLICY_STOP;
}

int ls_dead_new(ls_dead **out, ls_worker *worker, ls_error *err) {
    const ls_stage *stage = worker->stage;
    ls_dead *d = *out = calloc(1, sizeof *d);
    if (!d) return ls_fail_memory(err, "starting");
    d->worker = worker;
    d->stage = stage->name;
    if (stage->is_connector) {
        const ls_connector_options *o = &stage->as.connector;
        d->topic = o->dead_letter_topic;
        d->on_error = policy_of(o->on_error);
        d->on_oversize = policy_of(o->on_oversize);
        d->letters = policy_of(o->on_invalid_text) == LS_POLICY_DEAD_LETTER;
    } else {
        d->topic = stage->as.consumer.dead_letter_topic;
        d->on_error = policy_of(stage->as.consumer.on_error);
    }
    d->letters |= d->on_error == LS_POLICY_DEAD_LETTER || d->on_oversize == LS_POLICY_DEAD_LETTER;
    pthread_mutex_init(&d->mutex, NULL);
    return 0;
}

void ls_dead_free(ls_dead *d) {
    if (!d) return;
    ls_names_free(&d->said);
    ls_buf_free(&d->name);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

ls_policy ls_dead_on_error(const ls_dead *d) { return d->on_error; }
ls_policy ls_dead_on_oversize(const ls_dead *d) { return d->on_oversize; }
bool ls_dead_letters(const ls_dead *d) { return d->letters; }
const char *ls_dead_topic(const ls_dead *d) { return d->topic; }

ls_dead_row ls_dead_row_of(const ls_change *c) {
    return (ls_dead_row){.fault = c->fault, .schema = c->schema->schema, .table = c->schema->table, .pos = c->tx->pos, .seq = c->seq, .sub = c->sub,
                         .partition = -1, .offset = -1};
}

ls_policy ls_dead_policy(const ls_dead *d, const ls_fault *f) {
    if (strcmp(f->hook, "text") == 0) return LS_POLICY_DEAD_LETTER;
    return f->bytes ? d->on_oversize : d->on_error;
}

/* Is it the first of its table and kind? */
static bool is_first(ls_dead *d, const ls_dead_row *row) {
    pthread_mutex_lock(&d->mutex);
    uint32_t before = d->said.n;
    ls_buf_clear(&d->name);
    if (row->table)
        ls_buf_fmt(&d->name, "%s.%s", row->schema, row->table);
    else
        ls_buf_str(&d->name, row->topic);
    ls_buf_char(&d->name, '\0');
    ls_buf_str(&d->name, row->fault->hook);
    bool fine = !d->name.failed && before < LS_SAID_MAX && ls_names_add(&d->said, d->name.data, d->name.len) >= 0;
    bool first = fine && d->said.n > before;
    pthread_mutex_unlock(&d->mutex);
    return first;
}

void ls_dead_note(ls_dead *d, const ls_dead_row *row, ls_policy policy) {
    bool letter = policy == LS_POLICY_DEAD_LETTER;
    atomic_fetch_add(letter ? &d->worker->dead : &d->worker->skipped, 1);
    if (!is_first(d, row)) return;
    ls_log_line(&d->worker->log, LS_WARN, "%s: it %s%s; said once a %s and kind of error, counted for each", row->fault->text,
                letter ? "goes to the dead letters, topic " : "is left out", letter ? d->topic : "", row->table ? "table" : "topic");
}

void ls_dead_total(const ls_dead *d) {
    uint64_t dead = atomic_load(&d->worker->dead), skipped = atomic_load(&d->worker->skipped);
    if (dead) ls_log_line(&d->worker->log, LS_WARN, "dead letters: %" PRIu64 " in this run, in topic %s", dead, d->topic);
    if (skipped) ls_log_line(&d->worker->log, LS_WARN, "in error and left out: %" PRIu64 " in this run", skipped);
}

/* ---- headers ---- */

/* The value is what was added to l->text since the last one: a pointer is made of that when all are there. */
static void end(ls_letter *l, const char *name) {
    l->headers[l->n++] = (ls_producer_header){.name = name, .len = l->text.len - l->from};
    l->from = l->text.len;
}

static void add_text(ls_letter *l, const char *name, const char *text) {
    ls_buf_str(&l->text, text);
    end(l, name);
}

static void add_number(ls_letter *l, const char *name, uint64_t number) {
    ls_buf_u64(&l->text, number);
    end(l, name);
}

static void add_time(ls_letter *l) {
    char text[32];
    int64_t now = ls_clock_wall_us();
    time_t second = (time_t)(now / 1000000);
    struct tm tm;
    gmtime_r(&second, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    ls_buf_fmt(&l->text, "%s.%03dZ", text, (int)(now / 1000 % 1000));
    end(l, "list_sync.time");
}

static int room(ls_letter *l, size_t n) {
    if (n <= l->cap) return 0;
    ls_producer_header *more = realloc(l->headers, n * sizeof *more);
    if (!more) return -1;
    l->headers = more;
    l->cap = n;
    return 0;
}

int ls_letter_fill(ls_letter *l, const ls_dead *d, const ls_dead_row *row, const ls_producer_header *kept, size_t nkept, ls_error *err) {
    const ls_fault *f = row->fault;
    if (room(l, nkept + LS_OWN_HEADERS)) return ls_fail_memory(err, "writing a dead letter");
    ls_buf_clear(&l->text);
    l->from = 0;
    if (nkept) memcpy(l->headers, kept, nkept * sizeof *kept);
    l->n = nkept;
    add_text(l, "list_sync.error", f->text);
    add_text(l, "list_sync.hook", f->hook);
    if (f->path) {
        ls_buf_fmt(&l->text, "%s:%d", f->path, f->line);
        end(l, "list_sync.script");
    }
    add_text(l, "list_sync.stage", d->stage);
    if (row->table) {
        ls_buf_fmt(&l->text, "%s.%s", row->schema, row->table);
        end(l, "list_sync.table");
    }
    if (row->pos && *row->pos) {
        add_text(l, "list_sync.pos", row->pos);
        add_number(l, "list_sync.seq", row->seq);
        if (row->sub) add_number(l, "list_sync.sub", row->sub);
    }
    if (row->topic) add_text(l, "list_sync.topic", row->topic);
    if (row->partition >= 0) add_number(l, "list_sync.partition", (uint64_t)row->partition);
    if (row->offset >= 0) add_number(l, "list_sync.offset", (uint64_t)row->offset);
    if (f->bytes) add_number(l, "list_sync.bytes", f->bytes);
    add_time(l);
    if (l->text.failed) return ls_fail_memory(err, "writing a dead letter");
    const char *at = l->text.data;
    for (size_t i = nkept; i < l->n; at += l->headers[i++].len) l->headers[i].value = at;
    return 0;
}

void ls_letter_free(ls_letter *l) {
    free(l->headers);
    ls_buf_free(&l->text);
    *l = (ls_letter){0};
}
