/* sasl.h - Cyrus SASL, of which librdkafka's first client loads every plugin, whether it signs in by SASL or not: more than 1 MiB of the process, and some files read. */
#ifndef LS_KAFKA_SASL_H
#define LS_KAFKA_SASL_H

#include "kafka/client.h"

/* Do clients of this configuration sign in by SASL? PLAIN, SCRAM and OAUTHBEARER are librdkafka's own, GSSAPI is a plugin's; which it is, is not looked at. */
bool ls_kafka_uses_sasl(const ls_kafka_conf *conf);

/* Has no client of this process load plugins, from now on. Before the first one, and before there are other threads. */
void ls_sasl_without_plugins(void);

#endif
