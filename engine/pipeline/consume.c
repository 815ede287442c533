/* consume.c - a consumer instance: Kafka -> hooks -> writer, then flush, then commit. */
#include "pipeline/worker.h"

#include "base/clock.h"
#include "pipeline/csv_conf.h"
#include "pipeline/dead_sender.h"
#include "pipeline/incoming.h"
#include "pipeline/lua_writer.h"
#include "write/csv_keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_POLL_ROWS = 1024,        /* messages of one batch, at most */
    LS_POLL_BYTES = 1024 * 1024, /* ... and about so many bytes */
    LS_POLL_WAIT_MS = 100,
    LS_FLUSH_MS = 500,          /* written rows are flushed and their offsets committed this often */
    LS_FEW_PLACES = 64          /* partitions whose places need no memory of their own at a flush */
};

/* Where a change comes from, where rows in error do not stop the stage: each message has one. */
typedef struct message_origin {
    ls_origin origin; /* first: what ls_change.origin points to */
    const ls_message *message;
    bool told; /* its dead letter is sent, or it was left out */
} message_origin;

typedef struct instance {
    ls_worker *worker;
    ls_dead *dead;
    ls_dead_sender *letters; /* NULL: there are to be none */
    const ls_consumer_options *opt;
    ls_consumer *consumer;
    ls_decoder *decoder;
    ls_writer *writer;
    ls_csv_layout *layouts; /* the CSV writer's; NULL: none */
    ls_csv_keep_conf keep;  /* the CSV writer's, with delivery = "exactly_once" */
    bool exact;             /* ... */
    size_t noted;           /* exact: partitions whose places the writer has */
    ls_retry room;          /* the disk is full */
    ls_script *script;
    ls_schemas schemas;
    ls_work *work;
    ls_message messages[LS_POLL_ROWS];
    bool dirty;         /* rows were written that are not committed */
    size_t unflushed;   /* rows written since the last flush */
    ls_position *at;    /* room for a flush's positions */
    size_t cap_at;
    bool broken;        /* inside ls_consumer_poll() something failed with which the session ends: why */
    ls_error why;
    int64_t flushed_at; /* ls_clock_ms() */
    int assigned;       /* partitions held, as last logged */
    uint64_t progress;  /* --until-caught-up: as last seen, and when it changed: ls_clock_ms() */
    int64_t moved_at;
    char id[256];
} instance;

/* Where the partitions held have got to. */
static int positions(instance *in, size_t *n, ls_error *err) {
    ls_consumer_place few[LS_FEW_PLACES], *all = few;
    size_t room = sizeof few / sizeof *few;
    *n = ls_consumer_places(in->consumer, few, room);
    if (*n > room) {
        if (!(all = calloc(*n, sizeof *all))) return ls_fail_memory(err, "flushing");
        ls_consumer_places(in->consumer, all, *n);
    }
    if (*n > in->cap_at) {
        ls_position *more = realloc(in->at, *n * sizeof *more);
        if (more) in->at = more, in->cap_at = *n;
    }
    bool fine = *n <= in->cap_at;
    for (size_t i = 0; fine && i < *n; i++) in->at[i] = (ls_position){all[i].topic, all[i].partition, all[i].next};
    if (all != few) free(all);
    return fine ? 0 : ls_fail_memory(err, "flushing");
}

/* Written rows are made to stay first, then their offsets are committed: a crash in between repeats rows, unless the writer keeps the
 * positions with them. Such a one is told where partitions begin before there are rows: with auto_offset_reset = "latest" it is another place
 * at the next start. */
static int flush(instance *in, ls_error *err) {
    size_t n;
    in->flushed_at = ls_clock_ms();
    if (!in->dirty && !(in->exact && ls_consumer_places(in->consumer, NULL, 0) > in->noted)) return 0;
    if (in->letters && ls_dead_sender_await(in->letters, err)) return -1; /* offsets, and a writer's own positions, pass over them */
    if (positions(in, &n, err) || in->writer->ops->flush(in->writer, in->at, n, err) || ls_consumer_commit(in->consumer, err)) return -1;
    in->dirty = false;
    in->noted = n;
    in->unflushed = 0;
    return 0;
}

static void discard(instance *in) {
    if (in->dirty && in->writer->ops->discard) in->writer->ops->discard(in->writer);
    in->dirty = false;
    in->unflushed = 0;
}

/* Called from within ls_consumer_poll() when partitions go to another member: what is written must be committed before. If that fails
 * the session ends: the rows of the partitions that stay are to come again, too. */
static void revoked(void *ctx) {
    instance *in = ctx;
    if (in->writer && !in->broken) in->broken = flush(in, &in->why) != 0;
}

/* Called from within ls_consumer_poll(). A writer that can throw rows away does: to flush them without the places of partitions that it
 * does not hold any more would have them twice. */
static void lost(void *ctx) {
    instance *in = ctx;
    if (!in->writer || !in->writer->ops->discard || !in->dirty || in->broken) return;
    in->broken = true;
    ls_fail(&in->why, LS_AGAIN, "the group has given this member's partitions away: what was written since the last flush is thrown away");
}

/* Called from within ls_consumer_poll() when a partition comes. */
static int begin(void *ctx, const char *topic, int32_t partition, int64_t *offset) {
    instance *in = ctx;
    ls_position at = {topic, partition, 0};
    if (!in->writer->ops->begin || in->broken) return 0;
    int rc = in->writer->ops->begin(in->writer, &at, &in->why);
    in->broken = rc < 0;
    *offset = at.offset;
    return rc;
}

/* The changes from number `from` on are of this message. */
static int note_origin(instance *in, const ls_message *m, uint32_t from, ls_error *err) {
    ls_batch *b = &in->work->seen;
    const ls_origin *last = from ? b->changes[from - 1].origin : NULL;
    if (from == b->count) return 0;
    if (in->work->isolate || !last || last->partition != m->partition || strcmp(last->topic, m->topic) != 0) {
        message_origin *o = ls_arena_alloc(&in->work->arena, sizeof *o);
        if (!o) return ls_fail_memory(err, "reading messages");
        *o = (message_origin){{m->topic, m->partition}, m, false};
        last = &o->origin;
    }
    for (uint32_t i = from; i < b->count; i++) b->changes[i].origin = last;
    return 0;
}

/* Counts it, and sends its letter, if it is to have one. */
static int give_up(instance *in, const ls_message *m, ls_dead_row *row, bool letter, ls_error *err) {
    ls_policy policy = ls_dead_policy(in->dead, row->fault);
    row->topic = m->topic;
    row->partition = m->partition;
    row->offset = m->offset;
    ls_dead_note(in->dead, row, policy);
    return letter && policy == LS_POLICY_DEAD_LETTER ? ls_dead_sender_send(in->letters, m, row, err) : 0;
}

/* A message that could not be read, for *err. */
static int give_up_message(instance *in, const ls_message *m, ls_error *err) {
    char text[LS_ERROR_MAX];
    memcpy(text, err->text, sizeof text);
    const ls_fault f = {.hook = "decode", .text = text};
    ls_dead_row row = {.fault = &f};
    return give_up(in, m, &row, true, err);
}

/* The batch's rows in error: a message has one letter, however many rows the hooks have made of it. */
static int give_up_rows(instance *in, ls_error *err) {
    const ls_batch *b = &in->work->seen;
    for (uint32_t i = 0; i < b->count; i++) {
        const ls_change *c = &b->changes[i];
        if (!c->fault) continue;
        message_origin *o = (message_origin *)(uintptr_t)(const void *)c->origin;
        ls_dead_row row = ls_dead_row_of(c);
        if (give_up(in, o->message, &row, !o->told, err)) return -1;
        o->told = true;
    }
    return 0;
}

static int decode(instance *in, size_t n, ls_error *err) {
    for (size_t i = 0; i < n; i++) {
        const ls_message *m = &in->messages[i];
        uint32_t count = in->work->seen.count;
        if (ls_incoming_read(in->decoder, in->work, m, err) == 0) {
            if (note_origin(in, m, count, err)) return -1;
        } else {
            in->work->seen.count = count;
            if (!in->work->isolate || err->memory || give_up_message(in, m, err)) return -1;
        }
    }
    return 0;
}

static int handle(instance *in, size_t n, ls_error *err) {
    ls_work_reset(in->work);
    if (decode(in, n, err)) return -1;
    ls_batch *b = &in->work->seen;
    if (in->script && b->count && (ls_script_run(in->script, b, err) || ls_script_lay_out(in->script, b, err))) return -1;
    in->dirty = true; /* a write that fails half-way has written, too */
    if (b->count && in->writer->ops->write(in->writer, b, err)) return -1;
    if (in->work->isolate && give_up_rows(in, err)) return -1;
    if (in->script) atomic_store(&in->worker->script, ls_script_memory(in->script));
    atomic_fetch_add(&in->worker->rows, b->count);
    in->unflushed += b->count;
    ls_work_reset(in->work); /* before the messages that it points into go */
    ls_consumer_release(in->consumer);
    return 0;
}

static void show(instance *in) {
    int held = ls_consumer_assigned(in->consumer);
    if (held != in->assigned)
        ls_log_line(&in->worker->log, LS_INFO, "instance %d holds %d partition%s", in->worker->instance, held, held == 1 ? "" : "s");
    in->assigned = held;
    atomic_store(&in->worker->lag, ls_consumer_lag(in->consumer));
}

/* 1: every message that was there when the sources had ended is written and committed. */
static int at_ends(instance *in, bool *noted, ls_retry *retry, ls_error *err) {
    if (!*noted) {
        if (ls_consumer_note_ends(in->consumer, err)) return ls_retry_wait(retry, in->worker, err);
        ls_retry_ok(retry, in->worker, "Kafka answers");
        *noted = true;
    }
    if (ls_consumer_commit(in->consumer, err)) return -1; /* ends that lie behind the last message count, too */
    int all = ls_consumer_at_ends(in->consumer, err);
    if (all < 0) return ls_retry_wait(retry, in->worker, err);
    ls_retry_ok(retry, in->worker, "Kafka answers");
    return all;
}

/* --until-caught-up does not wait for ever for a group that gets nowhere. */
static int look_for_silence(instance *in, ls_error *err) {
    uint64_t progress = ls_consumer_progress(in->consumer);
    int64_t now = ls_clock_ms();
    if (!in->moved_at || progress != in->progress) in->moved_at = now;
    in->progress = progress;
    if (now - in->moved_at < LS_SILENCE_MS) return 0;
    return ls_fail(err, LS_FAIL,
                   "the group \"%s\" has read nothing for %d s and is not at its topics' ends, and --until-caught-up does not wait longer: see "
                   "that its other members run, and the brokers", in->opt->group_id, LS_SILENCE_MS / 1000);
}

/* Is it time to flush what is written? */
static bool due(const instance *in) {
    const ls_flush_every *every = &in->opt->flush_every;
    if (in->opt->lua_writer && every->rows && in->unflushed >= every->rows) return true;
    return ls_clock_ms() - in->flushed_at >= (in->opt->lua_writer ? every->ms : LS_FLUSH_MS);
}

static int pump(instance *in, ls_retry *again, ls_error *err) {
    ls_retry retry = {0};
    bool noted = false;
    size_t n;
    while (!ls_run_stopping(in->worker->run)) {
        if (ls_consumer_poll(in->consumer, in->messages, LS_POLL_ROWS, LS_POLL_BYTES, LS_POLL_WAIT_MS, &n, err)) return -1;
        if (in->broken) {
            *err = in->why;
            return -1;
        }
        if (n && handle(in, n, err)) return -1;
        bool had = in->dirty;
        if ((n == 0 || due(in)) && flush(in, err)) return -1;
        if (had && !in->dirty) ls_retry_ok(again, in->worker, "the writer goes on");
        show(in);
        if (n == 0 && atomic_load(&in->worker->run->sources_done)) {
            int all = at_ends(in, &noted, &retry, err);
            if (all) return all < 0 && !ls_run_stopped(in->worker->run, err) ? -1 : 0;
            if (look_for_silence(in, err)) return -1;
        }
    }
    return flush(in, err);
}

static int wait_for_room(void *ctx, ls_error *err) {
    instance *in = ctx;
    return ls_retry_wait(&in->room, in->worker, err);
}

static void found_room(void *ctx) {
    instance *in = ctx;
    ls_retry_ok(&in->room, in->worker, "rows are written");
}

static int open_writer(instance *in, ls_error *err) {
    if (in->opt->lua_writer) return ls_lua_writer_open(&in->writer, in->script, in->worker->stage->name, &in->worker->log, err);
    if (in->opt->instances > 1)
        snprintf(in->id, sizeof in->id, "%s-%d", in->opt->consumer_id, in->worker->instance);
    else
        snprintf(in->id, sizeof in->id, "%s", in->opt->consumer_id);
    free(in->layouts); /* of the last session */
    if (ls_csv_layouts_of(&in->layouts, &in->opt->csv, in->id, &in->worker->log, err)) return -1;
    ls_csv_conf conf = ls_csv_conf_of(&in->opt->csv, in->id, &in->worker->log);
    conf.layouts = in->layouts;
    conf.nlayouts = in->opt->csv.nlayouts;
    conf.room = (ls_csv_room){.wait = wait_for_room, .found = found_room, .ctx = in};
    in->keep = (ls_csv_keep_conf){in->opt->consumer_id, in->worker->instance, in->opt->instances, LS_CSV_SETTLE_MS};
    if (in->exact) conf.keep = &in->keep;
    return ls_csv_open(&in->writer, &conf, err);
}

static int open_consumer(instance *in, ls_error *err) {
    ls_consumer_conf conf = {.kafka = ls_stage_kafka(in->worker->stage, in->worker->run->memory),
                             .group_id = in->opt->group_id,
                             .topics = in->opt->topics,
                             .ntopics = in->opt->ntopics,
                             .auto_offset_reset = in->opt->auto_offset_reset,
                             .budget = in->opt->memory,
                             .ends = &in->worker->run->ends,
                             .wants_ends = in->worker->run->until_caught_up,
                             .revoked = revoked,
                             .lost = lost,
                             .begin = begin,
                             .instance = in->exact ? in->worker->instance : 0,
                             .instances = in->exact ? in->opt->instances : 0,
                             .places = in->exact ? ls_csv_manifest(in->writer) : NULL,
                             .ctx = in};
    ls_retry retry = {0};
    while (ls_consumer_open(&in->consumer, &conf, &in->worker->log, err))
        if (ls_retry_wait(&retry, in->worker, err)) return -1;
    ls_retry_ok(&retry, in->worker, "Kafka answers");
    return 0;
}

static void close_session(instance *in, bool failed) {
    if (failed && in->writer) discard(in);
    if (in->consumer) ls_consumer_close(in->consumer); /* calls revoked(): the writer must still be there */
    if (in->writer) in->writer->ops->close(in->writer);
    ls_work_reset(in->work);
    in->consumer = NULL;
    in->writer = NULL;
    in->broken = in->dirty = false;
    in->assigned = 0;
    in->noted = 0;
}

/* A writer that fails to flush goes back to its last flush: all is opened anew, and the group's offsets, or the writer's own positions,
 * say where that was. */
static int sessions(instance *in, ls_error *err) {
    ls_retry again = {0};
    for (;;) {
        int rc = open_writer(in, err) || open_consumer(in, err) ? -1 : pump(in, &again, err);
        bool failed = rc != 0; /* what was written of a batch that was not finished is not to stay */
        if (rc && ls_run_stopped(in->worker->run, err)) rc = 0; /* asked to stop while it waited */
        close_session(in, failed);
        if (rc == 0 || err->code != LS_AGAIN) return rc;
        if (ls_retry_wait(&again, in->worker, err)) return ls_run_stopped(in->worker->run, err) ? 0 : -1;
    }
}

static int open_letters(instance *in, ls_error *err) {
    const ls_kafka_conf kafka = ls_stage_kafka(in->worker->stage, in->worker->run->memory);
    if (ls_dead_new(&in->dead, in->worker, err)) return -1;
    in->work->isolate = ls_dead_on_error(in->dead) != LS_POLICY_STOP;
    if (!ls_dead_letters(in->dead)) return 0;
    in->letters = ls_dead_sender_new(in->worker, in->dead, &kafka, in->opt->memory);
    return in->letters ? 0 : ls_fail_memory(err, "starting a consumer");
}

int ls_consume_run(ls_worker *w, ls_error *err) {
    instance *in = calloc(1, sizeof *in);
    int rc = -1;
    if (!in) return ls_fail_memory(err, "starting a consumer");
    in->worker = w;
    in->opt = &w->stage->as.consumer;
    in->exact = strcmp(in->opt->delivery, "exactly_once") == 0;
    in->decoder = ls_decoder_for(&in->schemas, in->opt->decode);
    in->work = ls_work_new(&in->schemas, "", "");
    if (!in->decoder || !in->work) {
        ls_fail_memory(err, "starting a consumer");
        goto out;
    }
    if (open_letters(in, err)) goto out;
    if (ls_worker_script(w, &in->script, err)) goto out;
    rc = sessions(in, err);
    ls_dead_total(in->dead);
out:
    ls_dead_sender_free(in->letters);
    ls_dead_free(in->dead);
    ls_work_free(in->work);
    ls_decoder_free(in->decoder);
    free(in->at);
    free(in->layouts);
    ls_script_close(in->script);
    free(in);
    return rc;
}
