#include "kafka/sasl.h"

#include <sasl/sasl.h>
#include <string.h>
#include <strings.h>

static const char PROTOCOL[] = "sasl"; /* security.protocol = sasl_plaintext or sasl_ssl */

bool ls_kafka_uses_sasl(const ls_kafka_conf *conf) {
    bool uses = false;
    for (size_t i = 0; i < conf->npairs; i++)
        if (strcmp(conf->pairs[i].name, "security.protocol") == 0) uses = strncasecmp(conf->pairs[i].value, PROTOCOL, sizeof PROTOCOL - 1) == 0;
    return uses;
}

static int nowhere(void *ctx, const char **path) {
    (void)ctx;
    *path = "";
    return SASL_OK;
}

void ls_sasl_without_plugins(void) {
    /* The library keeps them. It is initialised once: librdkafka's own call, the second, only counts. */
    static const sasl_callback_t callbacks[] = {{SASL_CB_GETPATH, (int (*)(void))(void *)nowhere, NULL}, {SASL_CB_LIST_END, NULL, NULL}};
    (void)sasl_client_init(callbacks); /* a failure leaves librdkafka's to load them */
}
