/* decoder.c - a consumer's decoder: the readers by name, and what they share. */
#include "format/read.h"

#include <stdlib.h>

/* NULL: there is none of that name. */
static const ls_reader *find(const char *decode) {
    static const ls_reader *const all[] = {&ls_read_json, &ls_read_protobuf, &ls_read_raw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, decode) == 0) return all[i];
    return NULL;
}

ls_decoder *ls_decoder_for(ls_schemas *schemas, const char *decode) {
    ls_decoder *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->reader = find(decode);
    d->tables = ls_tables_new(schemas);
    if (d->tables) return d;
    free(d);
    return NULL;
}

ls_decoder *ls_decoder_new(ls_schemas *schemas) { return ls_decoder_for(schemas, ls_read_json.name); }

void ls_decoder_free(ls_decoder *d) {
    if (!d) return;
    ls_tables_free(d->tables);
    for (size_t i = 0; i < LS_LISTS; i++) free(d->lists[i].at);
    free(d->cols);
    free(d->at);
    ls_buf_free(&d->text);
    ls_buf_free(&d->source_text);
    ls_arena_free(&d->scratch);
    free(d);
}

int ls_decoder_message(ls_decoder *d, ls_work *w, const ls_incoming *m, ls_error *err) {
    return m->value || d->reader->tombstones ? d->reader->read(d, w, m, err) : 0;
}

int ls_decoder_read(ls_decoder *d, ls_work *w, const char *p, size_t n, ls_error *err) {
    return d->reader->read(d, w, &(const ls_incoming){.value = p, .value_len = n}, err);
}

int ls_read_other(const ls_decoder *d, const ls_incoming *m, ls_error *err) {
    const char *own = d->reader->name, *other = ls_format_guess(m->value, m->value_len);
    if (!other || strcmp(other, own) == 0)
        return ls_fail_in(err, "this is no %s message (take the topic out of topic_list if others write to it, or read all of it with "
                               "decode = \"raw\")", own);
    if (find(other)) return ls_fail_in(err, "this is no %s message, but seems to be one of the format \"%s\": take decode = \"%s\"", own, other, other);
    return ls_fail_in(err, "this is no %s message, but seems to be one of the format \"%s\" (take format = \"%s\" in the connector that writes the "
                           "topic, or decode = \"raw\" in the consumer)", own, other, own);
}

int ls_read_room(ls_decoder *d, size_t n, ls_error *err) {
    if (n <= d->cap_cols) return 0;
    ls_seen_column *c = realloc(d->cols, n * sizeof *c);
    if (c) d->cols = c;
    uint32_t *a = c ? realloc(d->at, n * sizeof *a) : NULL;
    if (a) d->at = a;
    if (!a) return ls_fail_memory(err, "reading a message");
    d->cap_cols = n;
    return 0;
}
