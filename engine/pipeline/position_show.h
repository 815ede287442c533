/* position_show.h - what `list_sync position show` prints. Pure. */
#ifndef LS_PIPELINE_POSITION_SHOW_H
#define LS_PIPELINE_POSITION_SHOW_H

#include "capture/source.h"
#include "kafka/group.h"
#include "pipeline/progress.h"

typedef struct ls_position_facts {
    const char *name;
    const ls_buf *json;          /* the checkpoint as it is stored; NULL: there is none */
    const ls_progress *progress; /* what it says; NULL: there is none, or it cannot be read */
    int64_t stored_at, now;      /* milliseconds since 1970 */
    bool answers;                /* the database: server and state are its own */
    const ls_source_identity *server;
    ls_source_state state;
} ls_position_facts;

/* Appends lines for people, or one line of JSON. */
void ls_position_print(const ls_position_facts *f, bool json, ls_buf *out);
void ls_position_print_group(const char *name, const char *group, const ls_group_place *places, size_t n, bool json, ls_buf *out);

#endif
