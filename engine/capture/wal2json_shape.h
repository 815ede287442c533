/* wal2json_shape.h - does a shape fit a message, and which does? Part of the decoder's tables. */
#ifndef LS_WAL2JSON_SHAPE_H
#define LS_WAL2JSON_SHAPE_H

#include "capture/wal2json_table.h"

/* commit_lsn: of the message's transaction. */
bool ls_w2j_shape_fits(const ls_w2j_table *t, const ls_w2j_message *m, uint64_t commit_lsn);
/* Gives t the shape that fits m, by what the catalog says. */
int ls_w2j_shape_make(ls_w2j_tables *r, ls_w2j_table *t, const ls_w2j_message *m, const ls_wal2json_facts *facts,
                      ls_error *err) LS_MUST_CHECK;

#endif
