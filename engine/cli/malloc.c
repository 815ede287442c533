/* malloc.c - how glibc's malloc shares out and gives back. By itself it gives each thread an arena that keeps what was freed there: with a dozen threads, mostly the
 * client library's, that is several times what is in use.
 *
 * What is larger than LS_MMAP_BYTES goes back as soon as it is freed, what is smaller when it stands at an arena's end: a batch is unpacked into one piece of up to a
 * megabyte (the producer's batch.size), many times a second, and to map each anew takes a third of a consumer's time, in the kernel and under its lock. */
#include "cli/cli.h"

#include <malloc.h>

enum {
    LS_ARENAS = 2, /* cost no time that can be measured */
    LS_ARENAS_ALONE = 1, /* the threads of one consumer hardly wait for each other, and what one frees the others take */
    LS_ARENA_SHARE = 3, /* so many of many workers have one */
    LS_TRIM_BYTES = 1024 * 1024,
    LS_TRIM_BYTES_MANY = 4 * 1024 * 1024,
    LS_MMAP_BYTES = 1280 * 1024
};

void ls_malloc_begin(void) {
    mallopt(M_ARENA_MAX, LS_ARENAS);
    mallopt(M_TRIM_THRESHOLD, LS_TRIM_BYTES);
    mallopt(M_MMAP_THRESHOLD, LS_MMAP_BYTES);
}

/* The threads of a hundred consumers, some six hundred, wait for each other in two arenas, and for the kernel, which maps pages under a lock of the whole program, when an
 * arena gives back what it is about to take again: all that takes a third of their time. */
void ls_malloc_share(size_t workers, bool has_connector) {
    size_t arenas = workers / LS_ARENA_SHARE;
    if (workers == 1 && !has_connector) mallopt(M_ARENA_MAX, LS_ARENAS_ALONE);
    if (arenas <= LS_ARENAS) return;
    mallopt(M_ARENA_MAX, (int)arenas);
    mallopt(M_TRIM_THRESHOLD, LS_TRIM_BYTES_MANY);
}
