#include "capture/postgres.h"

#include <string.h>

/* ---- pgoutput: what differs from wal2json is the publication, which says what is sent */

static int pgoutput_prepare(ls_pg *s, bool checkpointed, ls_error *err) {
    (void)checkpointed;
    return ls_pg_publication(s, err);
}

/* A name inside the quotes of the option's value: one identifier of a list. */
static void publication_option(ls_buf *sql, const char *name) {
    ls_buf identifier = {0};
    ls_pg_quote(&identifier, name);
    for (size_t i = 0; i < identifier.len; i++) {
        if (identifier.data[i] == '\'') ls_buf_char(sql, '\'');
        ls_buf_char(sql, identifier.data[i]);
    }
    if (identifier.failed) sql->failed = true;
    ls_buf_free(&identifier);
}

static void pgoutput_options(const ls_pg *s, ls_buf *sql) {
    ls_buf_str(sql, "proto_version '1', publication_names '");
    publication_option(sql, s->publication);
    ls_buf_char(sql, '\'');
}

static bool pgoutput_again(ls_pg *s, const PGresult *res) {
    (void)s, (void)res;
    return false;
}

static void *pgoutput_decoder(ls_pg *s, const ls_resume *from) {
    ls_pgoutput_conf conf = {.tables = s->conf->tables,
                             .ntables = s->conf->ntables,
                             .schemas = s->conf->schemas,
                             .delivered_pos = from->delivered_pos,
                             .delivered_seq = from->delivered_seq,
                             .on_invalid_text = s->conf->on_invalid_text,
                             .catalog = ls_pg_catalog_of(s)};
    return ls_pgoutput_new(&conf);
}

static int pgoutput_message(ls_pg *s, ls_work *w, const void *p, size_t n, ls_error *err) {
    return ls_pgoutput_message(s->decoder, w, p, n, err);
}

static bool pgoutput_in_transaction(const ls_pg *s) {
    return ls_pgoutput_in_transaction(s->decoder);
}

static void pgoutput_free(void *decoder) {
    ls_pgoutput_free(decoder);
}

/* PostgreSQL 18 goes on with a warning (object not in prerequisite state) where earlier ones fail: when the publication
 * did not exist at the place of the WAL that it decodes. */
static void pgoutput_notice(ls_pg *s, const char *state, const char *text) {
    (void)text;
    if (state && strcmp(state, "55000") == 0) s->unpublished = true;
}

static const ls_pg_plugin pgoutput = {
    .name = "pgoutput",
    .published = true,
    .prepare = pgoutput_prepare,
    .options = pgoutput_options,
    .again = pgoutput_again,
    .decoder = pgoutput_decoder,
    .message = pgoutput_message,
    .in_transaction = pgoutput_in_transaction,
    .notice = pgoutput_notice,
    .free = pgoutput_free,
};

static const ls_pg_plugin *const plugins[] = {&pgoutput, &ls_pg_plugin_wal2json};

const ls_pg_plugin *ls_pg_plugin_find(const char *name) {
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
        if (strcmp(plugins[i]->name, name) == 0) return plugins[i];
    return NULL;
}
