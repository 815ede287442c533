/* binlog_labels.h - the labels of ENUM and SET columns, out of a table map, in UTF-8. */
#ifndef LS_BINLOG_LABELS_H
#define LS_BINLOG_LABELS_H

#include "base/cursor.h"
#include "capture/binlog_charset.h"

enum { LS_LABELS_MAX = 65535 }; /* of one ENUM; a SET has 64 */

typedef struct ls_label {
    const char *p; /* n bytes of UTF-8 */
    uint32_t n;
} ls_label;

/* One column's; immutable. */
typedef struct ls_labels {
    uint32_t count;
    char *bytes; /* of all of them */
    ls_label of[];
} ls_labels;

/* Reads one column's labels, which are in `charset` (NULL: bytes, taken for UTF-8) and become the caller's, to be freed by
 * ls_labels_free(). A cursor that has failed afterwards is an error of the event: *out is then NULL. -1: memory, or a label
 * that is not valid. */
int ls_labels_read(ls_labels **out, ls_cursor *in, const ls_charset *charset, ls_error *err) LS_MUST_CHECK;
void ls_labels_free(ls_labels *l);

#endif
