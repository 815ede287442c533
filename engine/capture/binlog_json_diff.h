/* binlog_json_diff.h - the changes of a JSON document that a PARTIAL_UPDATE_ROWS event carries, and the document before -> the
 * document after. Pure.
 *
 * A change: u8 operation (0 replace, 1 insert, 2 remove), lenenc length and path, and unless it removes lenenc length and
 * value, binary JSON. A path as the server writes it: $, then .name, ."any name", [3], [last] or [last-2]. They follow one
 * another, each of the document that those before it left. */
#ifndef LS_BINLOG_JSON_DIFF_H
#define LS_BINLOG_JSON_DIFF_H

#include "base/arena.h"
#include "base/buf.h"

enum { LS_JSONB_CHANGES_MAX = 65536 }; /* of one document in one row */

/* Appends the changed document's text, as ls_jsonb_text() gives it. What it needs besides is allocated in the arena: by the changes,
 * not by the document's size. -1: memory, bytes that are no changes or no document, or a change that does not fit the document; the
 * error names the change, or the offset. */
int ls_jsonb_change(ls_buf *out, const uint8_t *doc, size_t ndoc, const uint8_t *changes, size_t nchanges, ls_arena *arena, bool *mended,
                    ls_error *err) LS_MUST_CHECK;

#endif
