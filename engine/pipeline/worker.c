#include "pipeline/worker.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ls_conf_pair and ls_pair are the same two pointers, declared by script/ and by kafka/, which do not know each other. */
_Static_assert(sizeof(ls_conf_pair) == sizeof(ls_pair) && offsetof(ls_conf_pair, value) == offsetof(ls_pair, value),
               "the script's pairs are handed to kafka as they are");

int ls_run_init(ls_run *r, ls_error *err) {
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic)) return ls_fail_memory(err, "starting");
    int bad = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) || pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (bad || pthread_mutex_init(&r->mutex, NULL)) return ls_fail_memory(err, "starting");
    return 0;
}

void ls_run_free(ls_run *r) {
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mutex);
}

static void set_and_wake(ls_run *r, atomic_bool *flag) {
    pthread_mutex_lock(&r->mutex);
    atomic_store(flag, true);
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->mutex);
}

void ls_run_stop(ls_run *r) { set_and_wake(r, &r->stop); }
void ls_run_sources_done(ls_run *r) { set_and_wake(r, &r->sources_done); }

void ls_run_wait(ls_run *r, int ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
    pthread_mutex_lock(&r->mutex);
    while (!ls_run_stopping(r) && pthread_cond_timedwait(&r->wake, &r->mutex, &until) != ETIMEDOUT) {}
    pthread_mutex_unlock(&r->mutex);
}

int ls_retry_wait(ls_retry *t, ls_worker *w, ls_error *err) {
    if (err->code != LS_AGAIN) return -1;
    int64_t now = ls_clock_ms();
    if (!t->since) {
        t->since = now;
        t->wait_ms = LS_RETRY_FIRST_MS;
        ls_log_line(&w->log, LS_WARN, "%s; trying again until it works", err->text);
    } else {
        ls_log_line(&w->log, LS_DEBUG, "%s", err->text);
    }
    if (w->run->until_caught_up && now - t->since >= LS_SILENCE_MS) {
        err->code = LS_FAIL;
        return ls_fail_in(err, "no answer for %d s, and --until-caught-up does not wait longer", LS_SILENCE_MS / 1000);
    }
    ls_run_wait(w->run, t->wait_ms);
    t->wait_ms = t->wait_ms * 2 < LS_RETRY_MAX_MS ? t->wait_ms * 2 : LS_RETRY_MAX_MS;
    if (!ls_run_stopping(w->run)) return 0;
    err->code = LS_OK; /* asked to end while waiting: a clean stop */
    return -1;
}

void ls_retry_ok(ls_retry *t, ls_worker *w, const char *what) {
    if (t->since) ls_log_line(&w->log, LS_INFO, "%s again after %.1f s", what, (double)(ls_clock_ms() - t->since) / 1000);
    *t = (ls_retry){0};
}

int ls_worker_script(ls_worker *w, ls_script **out, ls_error *err) {
    *out = NULL;
    if (!w->stage->has_hooks) return 0;
    if (ls_script_open(out, w->run->script, w->run->env, err)) return -1;
    return ls_script_use(*out, w->stage->name, err);
}

ls_kafka_conf ls_stage_kafka(const ls_stage *stage, ls_memory_broker *memory) {
    const ls_kafka_options *k = &stage->kafka;
    return (ls_kafka_conf){.pairs = (const ls_pair *)(const void *)k->pairs, .npairs = k->npairs, .memory = k->memory ? memory : NULL};
}

static ls_invalid_policy on_invalid(const char *option) {
    return strcmp(option, "skip") == 0 ? LS_INVALID_SKIP : strcmp(option, "replace") == 0 ? LS_INVALID_REPLACE : LS_INVALID_STOP;
}

ls_source_conf ls_connector_source(const ls_stage *stage, ls_schemas *schemas, const atomic_bool *stop) {
    const ls_connector_options *o = &stage->as.connector;
    return (ls_source_conf){.name = o->name,
                            .db_type = o->db_type,
                            .host = o->host,
                            .port = o->port,
                            .user = o->user,
                            .password = o->password,
                            .database = o->database,
                            .tables = o->tables,
                            .ntables = o->ntables,
                            .plugin = o->plugin,
                            .slot = o->slot,
                            .publication = o->publication,
                            .partition_root = o->partition_root,
                            .temporary_slot = stage->kafka.memory,
                            .ddl = o->ddl,
                            .partial_rows = o->row_image && strcmp(o->row_image, "any") == 0,
                            .whole_identity = strcmp(o->identity, "full") == 0,
                            .on_invalid_text = on_invalid(o->on_invalid_text),
                            .server_id = o->server_id,
                            .start = o->start,
                            .schemas = schemas,
                            .stop = stop};
}

ls_format_options ls_connector_format(const ls_stage *stage) {
    const ls_connector_options *o = &stage->as.connector;
    return (ls_format_options){.embed_json = strcmp(o->json, "embed") == 0,
                               .no_source = !o->source,
                               .table_key = !o->own_key && strcmp(o->key[0], "table_pk") == 0,
                               .object_key = !o->own_key && strcmp(o->key[0], "object") == 0,
                               .key = o->own_key ? o->key : NULL,
                               .nkey = o->own_key ? o->nkey : 0,
                               .database = o->database};
}

int ls_connector_columns(ls_columns **out, const ls_stage *stage, ls_schemas *schemas, const ls_log *log, ls_error *err) {
    const ls_connector_options *o = &stage->as.connector;
    bool one_table = o->ntables == 1 && ls_pattern_is_exact(o->tables[0]);
    *out = o->ncolumns ? ls_columns_new(o->columns, o->ncolumns, schemas, one_table, log) : NULL;
    return o->ncolumns && !*out ? ls_fail_memory(err, "starting") : 0;
}

void ls_worker_show_checkpoint(ls_worker *w, const char *text) {
    pthread_mutex_lock(&w->place_lock);
    snprintf(w->checkpoint, sizeof w->checkpoint, "%s", text);
    pthread_mutex_unlock(&w->place_lock);
}

static void *body(void *arg) {
    ls_worker *w = arg;
    int rc = w->stage->is_connector ? ls_connect_run(w, &w->err) : ls_consume_run(w, &w->err);
    if (rc == 0) w->err.code = LS_OK;
    pthread_mutex_lock(&w->run->mutex);
    atomic_store(&w->done, true);
    pthread_cond_broadcast(&w->run->wake);
    pthread_mutex_unlock(&w->run->mutex);
    return NULL;
}

int ls_worker_start(ls_worker *w, ls_run *r, const ls_stage *stage, int instance, ls_error *err) {
    *w = (ls_worker){.run = r, .stage = stage, .instance = instance};
    bool several = !stage->is_connector && stage->as.consumer.instances > 1;
    if (several)
        snprintf(w->title, sizeof w->title, "%s-%d", stage->name, instance);
    else
        snprintf(w->title, sizeof w->title, "%s", stage->name);
    w->log = ls_log_for(r->log, w->title);
    atomic_store(&w->lag, -1);
    if (pthread_mutex_init(&w->place_lock, NULL)) return ls_fail_memory(err, "starting a stage");
    int e = pthread_create(&w->thread, NULL, body, w);
    if (e) return ls_fail(err, LS_FAIL, "cannot start a thread for stage \"%s\": %s", w->title, strerror(e));
    w->started = true;
    return 0;
}

void ls_worker_join(ls_worker *w) {
    if (!w->started) return;
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->place_lock);
    w->started = false;
}
