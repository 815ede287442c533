#include "pipeline/try.h"

#include "capture/source.h"
#include "pipeline/trial.h"
#include "script/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARNINGS_MAX = 64, FINDINGS_MAX = 2 * WARNINGS_MAX, TABLES_MAX = 1000 };

struct ls_try {
    const ls_stage *stage;
    ls_log log;
    ls_trial *trial;
    char *found[FINDINGS_MAX]; /* errors that were told: each is once, of the row that met it first */
    size_t nfound;
    unsigned errors, warnings;
    unsigned tables; /* tried; of a consumer that is fed, rows */
    ls_try **fed; /* consumers that get what a connector sends */
    size_t nfed;
    ls_buf places;
};

int ls_try_open(ls_try **out, const ls_stage *stage, const char *script, const ls_script_env *env, const ls_log *log, ls_error *err) {
    ls_try *t = *out = calloc(1, sizeof *t);
    if (!t) return ls_fail_memory(err, "trying a stage");
    t->stage = stage;
    t->log = *log;
    if (ls_trial_open(&t->trial, stage, script, env, &t->log, err) == 0 && ls_trial_places(t->trial, &t->places, err) == 0) return 0;
    ls_try_close(t);
    *out = NULL;
    return -1;
}

void ls_try_close(ls_try *t) {
    if (!t) return;
    ls_trial_close(t->trial);
    for (size_t i = 0; i < t->nfound; i++) free(t->found[i]);
    free(t->fed);
    ls_buf_free(&t->places);
    free(t);
}

int ls_try_feed(ls_try *from, ls_try *to, ls_error *err) {
    ls_try **more = realloc(from->fed, (from->nfed + 1) * sizeof *more);
    if (!more) return ls_fail_memory(err, "trying a stage");
    from->fed = more;
    from->fed[from->nfed++] = to;
    return 0;
}

ls_schemas *ls_try_schemas(ls_try *t) { return ls_trial_schemas(t->trial); }

/* ---- what a row has met */

/* A hook's error ends in the row, " (public.orders, key 7)", which is not one of the table's. */
static void strip_row(char *text) {
    char *at = NULL;
    for (char *next = text; (next = strstr(next, " (")); next++) at = next;
    if (at && (strstr(at, ", key ") || strstr(at, ", no key"))) *at = '\0';
}

static bool is_known(const ls_try *t, const char *text) {
    for (size_t i = 0; i < t->nfound; i++)
        if (strcmp(t->found[i], text) == 0) return true;
    return false;
}

/* Is it perhaps of the values, which are but examples? A name that the table lacks never is. Integers at their limits count where it is
 * their being so large that a hook does not get along with. */
static bool is_example(ls_madeup kind, const char *text) {
    if (strstr(text, " has no column ") || strstr(text, " has no such column") || strstr(text, " has no field ")) return false;
    bool limit = kind == LS_MADEUP_INTS_MOST || kind == LS_MADEUP_INTS_LEAST;
    return ls_madeup_is_example(kind) || (limit && !strstr(text, ": attempt to "));
}

/* A made-up row, for messages. */
typedef struct madeup {
    const ls_schema *schema;
    const ls_madeup_column *numerals; /* for the same row with other texts */
    ls_madeup kind;
    const char *title;
} madeup;

/* A warning of an error that does not stop the stage. */
static int warn(ls_try *t, const madeup *m, const ls_error *why, const char *because) {
    t->warnings++;
    ls_log_line(&t->log, LS_WARN, "%s (%s.%s, made-up %s; %s)", why->text, m->schema->schema, m->schema->table, m->title, because);
    return 0;
}

static int note(ls_try *t, const madeup *m, bool example, ls_error *why, ls_error *err) {
    const ls_schema *s = m->schema;
    strip_row(why->text);
    const char *policy = t->stage->is_connector ? t->stage->as.connector.on_error : t->stage->as.consumer.on_error;
    bool options = why->code == LS_USAGE, goes_on = !options && strcmp(policy, "stop") != 0; /* what the options say is wrong for any values */
    example = !options && (example || is_example(m->kind, why->text));
    if (is_known(t, why->text) || t->nfound == FINDINGS_MAX || ((example || goes_on) && t->warnings == WARNINGS_MAX)) return 0; /* there is room for errors */
    if (!(t->found[t->nfound] = strdup(why->text))) return ls_fail_memory(err, "trying a stage");
    t->nfound++;
    if (example) return warn(t, m, why, "its values are examples: no fault, if the table has no such ones");
    if (goes_on) return warn(t, m, why, strcmp(policy, "skip") == 0 ? "on_error = \"skip\" leaves such a row out" : "such a row goes to the dead letters");
    t->errors++;
    ls_log_line(&t->log, LS_ERROR, "%s (%s.%s, made-up %s)", why->text, s->schema, s->table, m->title);
    return 0;
}

/* ---- rows */

/* Does the consumer read such a message, and from there? */
static bool goes_to(const ls_case_message *sent, const char *format, const ls_consumer_options *to) {
    if (strcmp(to->decode, "raw") != 0 && (!format || strcmp(to->decode, format) != 0)) return false;
    for (size_t i = 0; i < sent->ntopics; i++)
        for (size_t k = 0; k < to->ntopics; k++)
            if (strcmp(sent->topics[i], to->topics[k]) == 0) return true;
    return false;
}

/* What is sent of the row i, and what those who read it make of it. */
static int send(ls_try *t, const madeup *m, uint32_t i, ls_error *err) {
    ls_error why = {0};
    ls_case_message sent;
    const char *format;
    if (ls_trial_message(t->trial, i, &sent, &format, &why)) return note(t, m, false, &why, err);
    for (size_t k = 0; k < t->nfed; k++) {
        if (!goes_to(&sent, format, &t->fed[k]->stage->as.consumer)) continue;
        t->fed[k]->tables++;
        if (ls_trial_read(t->fed[k]->trial, &sent, &why) && note(t->fed[k], m, false, &why, err)) return -1;
    }
    return 0;
}

/* Does the row raise nothing where its texts are numerals? An insert's texts are known to be examples, but what a hook does with a delete's
 * it may do with those alone. */
static bool is_of_texts(ls_try *t, const madeup *m) {
    ls_error ignored;
    ls_work *got;
    return ls_madeup_add(ls_trial_begin(t->trial), m->schema, m->numerals, m->kind) > 0 && ls_trial_run(t->trial, &got, &ignored) == 0;
}

/* Runs the rows given to what is sent of them. */
static int run(ls_try *t, const madeup *m, ls_error *err) {
    ls_error why = {0};
    ls_work *got;
    if (ls_trial_run(t->trial, &got, &why)) return note(t, m, is_of_texts(t, m), &why, err);
    for (uint32_t i = 0; t->stage->is_connector && i < got->seen.count; i++)
        if (!(got->seen.changes[i].flags & LS_DROPPED) && send(t, m, i, err)) return -1;
    return 0;
}

/* A text that is cast must be one that can be. */
static void cast_texts(const ls_try *t, const ls_schema *s, ls_madeup_column *cols) {
    const ls_table_options *o = t->stage->is_connector ? &t->stage->as.connector.sets[s->rule] : NULL;
    for (size_t i = 0; o && i < o->ncolumns; i++) {
        int col = ls_schema_find(s, o->columns[i].name, strlen(o->columns[i].name));
        if (col >= 0 && o->columns[i].cast >= 0 && s->cols[col].type == LS_TYPE_STRING) cols[col].text = "1";
    }
}

static void make_numerals(const ls_schema *s, ls_madeup_column *cols) {
    for (uint32_t i = 0; i < s->ncols; i++)
        if (s->cols[i].type == LS_TYPE_STRING && !cols[i].text) cols[i].text = "7";
}

static void tell_columns(ls_try *t, const ls_schema *s) {
    ls_buf text = {0};
    for (uint32_t i = 0; i < s->ncols; i++) {
        ls_buf_fmt(&text, "%s%s %s", i ? ", " : "", s->cols[i].name, ls_type_name(s->cols[i].type));
        if (s->cols[i].key_at) ls_buf_fmt(&text, " (key %u)", s->cols[i].key_at);
    }
    const char *list = ls_buf_cstr(&text);
    ls_log_line(&t->log, LS_DEBUG, "%s.%s: %s", s->schema, s->table, list ? list : "");
    ls_buf_free(&text);
}

int ls_try_table(ls_try *t, const ls_schema *s, const ls_madeup_column *cols, ls_error *err) {
    int rc = 0;
    if (++t->tables > TABLES_MAX || !s->ncols) return 0;
    ls_madeup_column *own = malloc(2 * (size_t)s->ncols * sizeof *own), *numerals = own + s->ncols;
    if (!own) return ls_fail_memory(err, "trying a stage");
    memcpy(own, cols, s->ncols * sizeof *own);
    cast_texts(t, s, own);
    memcpy(numerals, own, s->ncols * sizeof *own);
    make_numerals(s, numerals);
    if (t->log.least <= LS_DEBUG) tell_columns(t, s);
    for (ls_madeup kind = 0; rc == 0 && kind < LS_MADEUP_KINDS; kind++) {
        ls_work *w = ls_trial_begin(t->trial);
        int added = ls_madeup_add(w, s, own, kind);
        if (added < 0) rc = ls_fail_memory(err, "trying a stage");
        if (added > 0) rc = run(t, &(madeup){s, numerals, kind, ls_madeup_title(s, kind)}, err);
    }
    ls_trial_begin(t->trial); /* the last row points into cols */
    free(own);
    return rc;
}

static bool is_captured(const ls_stage *stage, const ls_schema *s) {
    return !stage->is_connector || ls_tables_match(stage->as.connector.tables, stage->as.connector.ntables, s->schema, s->table);
}

/* MySQL and MariaDB leave nothing out with binlog_row_image = FULL. */
static bool sends_whole_rows(const ls_stage *stage) {
    const char *image = stage->is_connector ? stage->as.connector.row_image : NULL;
    return image && strcmp(image, "full") == 0;
}

/* A message without a time is a broker's of before 2016. */
static bool is_messages_time(const ls_stage *stage, const ls_schema *s, uint32_t col) {
    return !stage->is_connector && strcmp(stage->as.consumer.decode, "raw") == 0 && strcmp(s->schema, "kafka") == 0 &&
           strcmp(s->cols[col].name, "timestamp") == 0;
}

static int try_tables(ls_try *t, const ls_case_tables *tables, ls_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < tables->n; i++) {
        const ls_schema *s = tables->at[i];
        if (!is_captured(t->stage, s)) continue;
        ls_madeup_column *cols = malloc(s->ncols * sizeof *cols);
        if (!cols) return ls_fail_memory(err, "trying a stage");
        ls_madeup_columns(s, cols);
        for (uint32_t k = 0; k < s->ncols; k++) {
            cols[k].nullable &= !tables->not_null[i][k] && !is_messages_time(t->stage, s, k);
            cols[k].large &= !sends_whole_rows(t->stage);
        }
        rc = ls_try_table(t, s, cols, err);
        free(cols);
    }
    return rc;
}

int ls_try_declared(ls_try *t, const char *path, ls_error *err) {
    ls_cases *cases;
    ls_case_tables tables;
    if ((!t->places.len && !t->nfed) || t->tables || access(path, F_OK)) return 0;
    if (ls_cases_open(&cases, path, err)) return -1;
    int rc = ls_cases_tables(cases, ls_try_schemas(t), &tables, err);
    if (rc == 0) {
        rc = try_tables(t, &tables, err);
        ls_cases_drop_tables(&tables);
    }
    ls_cases_close(cases);
    return rc;
}

int ls_try_end(ls_try *t, const char *mend, ls_error *err) {
    if (t->places.len && !t->tables) ls_log_line(&t->log, LS_INFO, "its hooks were not tried: no table is %s", mend);
    if (t->tables > TABLES_MAX && t->stage->is_connector) ls_log_line(&t->log, LS_INFO, "made-up rows of the first %d of %u tables were tried", TABLES_MAX, t->tables);
    if (!t->errors) return 0;
    return ls_fail(err, LS_USAGE, "made-up rows raise %u error%s, at which a row like them would stop it", t->errors, t->errors == 1 ? "" : "s");
}
