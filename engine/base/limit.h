/* limit.h - a limit, and the one that takes its place in builds for fuzzers: small enough for inputs of a few kilobytes to reach it. */
#ifndef LS_LIMIT_H
#define LS_LIMIT_H

#ifdef LIST_SYNC_SMALL_LIMITS
#define LS_LIMIT(usual, small) (small)
#else
#define LS_LIMIT(usual, small) (usual)
#endif

#endif
