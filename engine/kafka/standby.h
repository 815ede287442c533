/* standby.h - whose turn it is among programs that run the same connector: each is a member of the consumer group
 * "__list_sync.<connector>" on the offsets topic's one partition, and the one that the group gives it to runs the connector.
 *
 * A thread of its own polls the group for the program's whole life. Turn and check: any thread. The group's word alone is no proof, since
 * a program that was stopped for long has not heard it yet: that is ls_checkpoints_open()'s fence, for which a turn is begun anew each time. */
#ifndef LS_KAFKA_STANDBY_H
#define LS_KAFKA_STANDBY_H

#include "kafka/client.h"

typedef struct ls_standby ls_standby;

/* Makes the topic if it is not there, and joins the group. connector and log: borrowed. LS_AGAIN: brokers do not answer. */
int ls_standby_open(ls_standby **out, const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* 1: it is this program's turn; 0: not yet. -1: it never will be: LS_FENCED, another program's turn has come after this one's;
 * LS_USAGE or LS_FAIL, the group does not take this member. */
int ls_standby_turn(ls_standby *s, ls_error *err) LS_MUST_CHECK;
/* In a turn: 0, or -1 with LS_FENCED when it is over, or the group has not been heard for so long that it may be. What ls_standby_turn()
 * says then tells which. */
int ls_standby_check(ls_standby *s, ls_error *err) LS_MUST_CHECK;
/* Leaves the group: the next program's turn comes at once. */
void ls_standby_close(ls_standby *s);

#endif
