/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mount points: what is mounted there, dead mounts, the end of a mount.
 *
 * A mount is dead when its daemon is gone: every call on it says "Transport
 * endpoint is not connected" until it is cleared away.
 *
 * Threads  one.
 * Failure  said on stderr ("capstan: DIR: cause"), then -1.
 */
#ifndef CAPSTAN_POSIX_FUSE_POINT_H
#define CAPSTAN_POSIX_FUSE_POINT_H

#include <limits.h>
#include <stdint.h>

enum point_state {
    POINT_FREE,    /* a directory without a Capstan mount on it */
    POINT_MOUNTED, /* a Capstan mount that answers */
    POINT_DEAD     /* one whose daemon is gone */
};

/**
 * What is at a directory?
 *
 * @param path  PATH_MAX bytes: its name as the mount table has it.
 * @return 0 or -1 (not a directory, not there).
 */
int point_look(const char *directory, char *path, enum point_state *state_out);

/** Take a dead mount away. @return 0 or -1. */
int point_clear(const char *path);

/**
 * Unmount, and wait until the daemon has ended.
 *
 * @param wait_sec  longest wait for the daemon.
 * @return 0 or -1 (nothing mounted there, busy, the daemon stays).
 */
int point_unmount(const char *directory, uint64_t wait_sec);

#endif
