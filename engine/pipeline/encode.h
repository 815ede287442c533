/* encode.h - a change's message and Kafka key, as the options of its table and the script's functions say. One thread. */
#ifndef LS_ENCODE_H
#define LS_ENCODE_H

#include "change/sending.h"
#include "format/format.h"
#include "script/config.h"

typedef struct ls_encoder ls_encoder;

/* stage: borrowed for its life. A consumer's rows are shown as the format "list_sync" has them. */
int ls_encoder_open(ls_encoder **out, const ls_stage *stage, ls_error *err) LS_MUST_CHECK;
void ls_encoder_free(ls_encoder *e);
/* From now on what is no text is written as the format "list_sync" has it: for a person to read. */
void ls_encoder_as_text(ls_encoder *e);
/* A connector's: the options of the change's table. */
const ls_table_options *ls_encoder_options(const ls_encoder *e, const ls_change *c);
/* Appends the message of change i. 1; 0: it is one without a value; -1. */
int ls_encoder_message(ls_encoder *e, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* Appends the key. 1; 0: there is none; -1. */
int ls_encoder_key(ls_encoder *e, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* A connector's change that was set aside, for its dead letter, which no function of the script has a say in: appends the message in the format
 * "list_sync" and the key. Of each, whether it is there; what cannot be encoded is not. -1: memory. */
int ls_encoder_letter(ls_encoder *e, ls_batch *b, uint32_t i, ls_buf *message, ls_buf *key, bool *has_message, bool *has_key, ls_error *err) LS_MUST_CHECK;

#endif
