#include "pipeline/worker.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ls_conf_pair and ls_pair are the same two pointers, declared by script/ and by kafka/, which do not know each other. */
_Static_assert(sizeof(ls_conf_pair) == sizeof(ls_pair) && offsetof(ls_conf_pair, value) == offsetof(ls_pair, value),
               "the script's pairs are handed to kafka as they are");

int ls_run_init(ls_run *r, ls_error *err) {
    pthread_condattr_t monotonic;
    if (ls_ends_init(&r->ends, err)) return -1;
    if (pthread_condattr_init(&monotonic)) return ls_fail_memory(err, "starting");
    int bad = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) || pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (bad || pthread_mutex_init(&r->mutex, NULL)) return ls_fail_memory(err, "starting");
    r->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return r->ended < 0 ? ls_fail(err, LS_FAIL, "starting: eventfd: %s", strerror(errno)) : 0;
}

void ls_run_free(ls_run *r) {
    ls_ends_free(&r->ends);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mutex);
    close(r->ended);
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
    if (ls_run_stopping(w->run)) return ls_fail(err, LS_OK, "stopping"); /* what it stopped in the midst of is no fault */
    int64_t now = ls_clock_ms();
    if (!t->since) {
        t->since = now;
        t->wait_ms = LS_RETRY_FIRST_MS;
        ls_log_line(&w->log, t->said ? LS_DEBUG : LS_WARN, "%s; trying again until it works", err->text);
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
    if (strcmp(option, "dead_letter") == 0) return LS_INVALID_ASIDE;
    return strcmp(option, "skip") == 0 ? LS_INVALID_SKIP : strcmp(option, "replace") == 0 ? LS_INVALID_REPLACE : LS_INVALID_STOP;
}

static ls_before before_of(const ls_table_options *set) {
    if (strcmp(set->identity, "full") == 0) return LS_BEFORE_SENT;
    return strcmp(set->moves, "split") == 0 ? LS_BEFORE_KEPT : LS_BEFORE_KEY;
}

static bool wants_whole(const ls_connector_options *o) {
    for (size_t i = 0; i < o->nsets; i++)
        if (before_of(&o->sets[i]) != LS_BEFORE_KEY) return true;
    return false;
}

int ls_connector_rules(ls_schemas *out, ls_table_rule **rules, const ls_stage *stage, ls_error *err) {
    const ls_connector_options *o = &stage->as.connector;
    *rules = calloc(o->nsets, sizeof **rules);
    if (!*rules) return ls_fail_memory(err, "starting");
    for (size_t i = 1; i < o->nsets; i++) (*rules)[i - 1] = (ls_table_rule){o->sets[i].pattern, before_of(&o->sets[i])};
    *out = (ls_schemas){.rules = *rules, .nrules = (uint32_t)(o->nsets - 1), .before = before_of(&o->sets[0])};
    return 0;
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
                            .takes_over = o->standby,
                            .ddl = o->ddl,
                            .partial_rows = o->row_image && strcmp(o->row_image, "any") == 0,
                            .whole_before = wants_whole(o),
                            .on_invalid_text = on_invalid(o->on_invalid_text),
                            .server_id = o->server_id,
                            .start = o->start,
                            .schemas = schemas,
                            .stop = stop};
}

/* The one exact table that the stage, or a set of options, is about. */
static bool one_table(const ls_connector_options *o, const ls_table_options *set) {
    if (set->pattern) return ls_pattern_is_exact(set->pattern);
    return o->ntables == 1 && ls_pattern_is_exact(o->tables[0]);
}

int ls_connector_columns(ls_columns **out, const ls_stage *stage, ls_schemas *schemas, const ls_log *log, ls_error *err) {
    const ls_connector_options *o = &stage->as.connector;
    ls_column_set *sets = calloc(o->nsets, sizeof *sets);
    bool any = false;
    *out = NULL;
    for (size_t i = 0; sets && i < o->nsets; i++) {
        const ls_table_options *t = &o->sets[i];
        sets[i] = (ls_column_set){t->columns, t->ncolumns, one_table(o, t), t->as_schema, t->as_table};
        any = any || t->ncolumns || t->as_table;
    }
    if (sets && any) *out = ls_columns_new(sets, o->nsets, schemas, log);
    bool fine = sets && (!any || *out);
    free(sets);
    return fine ? 0 : ls_fail_memory(err, "starting");
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
    else if (w->err.code == LS_OK) ls_fail(&w->err, LS_FAIL, "the stage ended, and did not say why: this is a defect of list_sync");
    pthread_mutex_lock(&w->run->mutex);
    atomic_store(&w->done, true);
    pthread_cond_broadcast(&w->run->wake);
    pthread_mutex_unlock(&w->run->mutex);
    eventfd_write(w->run->ended, 1);
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
