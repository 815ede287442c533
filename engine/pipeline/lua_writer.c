#include "pipeline/lua_writer.h"

#include <stdlib.h>

typedef struct lua_writer {
    ls_writer base;
    ls_script *script;
    const ls_log *log;
    ls_script_position *at; /* room for those of a flush */
    size_t cap;
} lua_writer;

static lua_writer *self(ls_writer *w) { return (lua_writer *)(void *)w; }

static int write_rows(ls_writer *w, ls_batch *b, ls_error *err) { return ls_script_write(self(w)->script, b, err); }

static int flush(ls_writer *w, const ls_position *at, size_t n, ls_error *err) {
    lua_writer *l = self(w);
    if (n > l->cap) {
        ls_script_position *more = realloc(l->at, n * sizeof *more);
        if (!more) return ls_fail_memory(err, "flushing");
        l->at = more;
        l->cap = n;
    }
    for (size_t i = 0; i < n; i++) l->at[i] = (ls_script_position){at[i].topic, at[i].partition, at[i].offset};
    return ls_script_writer_flush(l->script, l->at, n, err);
}

static int begin(ls_writer *w, ls_position *at, ls_error *err) {
    ls_script_position p = {at->topic, at->partition, 0};
    int rc = ls_script_writer_begin(self(w)->script, &p, err);
    at->offset = p.offset;
    return rc;
}

static void end(lua_writer *l, bool discard) {
    ls_error err;
    if (ls_script_writer_end(l->script, discard, &err)) ls_log_line(l->log, LS_WARN, "%s", err.text);
}

static void discard(ls_writer *w) { end(self(w), true); }

static void close_writer(ls_writer *w) {
    end(self(w), false);
    free(self(w)->at);
    free(w);
}

static const ls_writer_ops ops = {.write = write_rows, .flush = flush, .begin = begin, .discard = discard, .close = close_writer};

int ls_lua_writer_open(ls_writer **out, ls_script *script, const char *stage, const ls_log *log, ls_error *err) {
    lua_writer *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l) return ls_fail_memory(err, "starting a writer");
    *l = (lua_writer){.base.ops = &ops, .script = script, .log = log};
    if (ls_script_use_writer(script, stage, err) || ls_script_writer_open(script, err)) {
        free(l);
        return -1;
    }
    *out = &l->base;
    return 0;
}
