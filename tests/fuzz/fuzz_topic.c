/* Topic templates and names, as lines: the template, then database, schema and table twice. A topic's name is one that Kafka takes as
 * far as the template is; names can be read back from it, so that two tables never share a topic; what is too long still differs. */
#include "kafka/client.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 249, NAMES = 3, LINES = 1 + 2 * NAMES, LINE_ROOM = 4096, ESCAPED_MAX = 3 };

static void want(bool ok) {
    if (!ok) abort();
}

static int name_topic(char out[250], const char *template_, char *const *names, ls_error *err) {
    memset(out, 'x', 250);
    int rc = ls_topic_name(out, template_, names[0], names[1], names[2], err);
    want(rc || memchr(out, '\0', 250));
    want(!rc || (err->code == LS_USAGE && strstr(err->text, "topic \"")));
    return rc;
}

static bool is_legal(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A part of a topic up to a dot or the end, escapes undone. */
static const char *read_part(const char *p, char *out) {
    for (; *p && *p != '.'; p++) {
        int high = *p == '_' ? hex(p[1]) : -1, low = high >= 0 ? hex(p[2]) : -1;
        *out++ = low >= 0 ? (char)(high << 4 | low) : *p;
        if (low >= 0) p += 2;
    }
    *out = '\0';
    return *p ? p + 1 : p;
}

/* What can be read back is of one table only. */
static void reads_back(const char *topic, char *const *names) {
    char part[LINE_ROOM];
    const char *p = topic;
    for (size_t i = 0; i < NAMES; i++) {
        p = read_part(p, part);
        want(strcmp(part, names[i]) == 0);
    }
    want(!*p);
}

/* Both tuples through a template that keeps them apart. */
static void are_apart(char *const *a, char *const *b) {
    static const char apart[] = "{database}.{schema}.{table}";
    char one[250], other[250];
    ls_error err;
    want(name_topic(one, apart, a, &err) == 0 && name_topic(other, apart, b, &err) == 0);
    bool same = strcmp(a[0], b[0]) == 0 && strcmp(a[1], b[1]) == 0 && strcmp(a[2], b[2]) == 0;
    want(same == (strcmp(one, other) == 0));
    size_t longest = strlen(a[0]) + strlen(a[1]) + strlen(a[2]);
    if (ESCAPED_MAX * longest + 2 <= NAME_MAX_BYTES) reads_back(one, a);
    for (const char *p = one; *p; p++) want(is_legal(*p));
}

/* Any template: refused, or a name whose other characters come from the template. */
static void any_template(const char *template_, char *const *names) {
    char topic[250];
    ls_error err;
    int braces = 0, rc = name_topic(topic, template_, names, &err);
    for (const char *p = template_; *p; p++) braces += *p == '{';
    want(braces || !rc);
    for (const char *p = topic; !rc && *p; p++) want(is_legal(*p) || strchr(template_, *p));
    if (!braces && strlen(template_) <= NAME_MAX_BYTES) want(strcmp(topic, template_) == 0);
    if (!braces && strlen(template_) > NAME_MAX_BYTES) want(strlen(topic) == NAME_MAX_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *lines[LINES], *text = malloc(size + 1), *p = text;
    if (!text || size >= LINE_ROOM) {
        free(text);
        return 0;
    }
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < LINES; i++) {
        char *end = strchrnul(p, '\n');
        lines[i] = p;
        p = *end ? end + 1 : end;
        *end = '\0';
    }
    any_template(lines[0], lines + 1);
    are_apart(lines + 1, lines + 1 + NAMES);
    are_apart(lines + 1, lines + 1);
    free(text);
    return 0;
}
