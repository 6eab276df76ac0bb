/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which names the kernel may keep for a moment, so that a path does not cost a
 * question for each of its directories.
 *
 * They are names of directories, in directories that everyone may search: there
 * the question could not have been refused. What a name stands for may then be
 * KEEP_SEC old, as in a session of the library, which keeps directories for a
 * second. One that was removed meanwhile is noticed at once: what is asked of
 * it is answered with ESTALE, and the kernel walks the path anew.
 *
 * Units    seconds, nanoseconds.
 * Threads  any.
 * Failure  none: what is not known is not kept.
 */
#ifndef CAPSTAN_POSIX_FUSE_KEEP_H
#define CAPSTAN_POSIX_FUSE_KEEP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <capstan/namespace.h>

#define KEEP_SEC 0.1
#define KEEP_SLOTS 1024u /* directories, by their number modulo this */
#define KEEP_THREADS 64u
#define KEEP_TIMES 2u /* open(2) trusts what it kept once more */

struct keep {
    pthread_mutex_t lock;
    uint64_t until_ns; /* the kernel keeps nothing for longer */
    struct keep_slot {
        uint64_t ino;
        uint64_t until_ns; /* so long is it known */
        bool is_open;      /* everyone may search it */
        bool is_removed;   /* through this mount */
        uint64_t name;     /* hash of the name it was last seen under; or 0 */
        struct capstan_stat stat;
    } slots[KEEP_SLOTS];
    struct {
        pid_t thread;
        unsigned times;
        uint64_t dir;
    } told[KEEP_THREADS]; /* who was just sent to walk anew */
};

void keep_init(struct keep *keep);

/** A directory as it is now. @return true: not everyone may search it any more,
 *  but the kernel may keep names in it, until keep_wait() returns. */
bool keep_see(struct keep *keep, const struct capstan_stat *stat);

/** Wait until the kernel keeps no name that it has been given before. */
void keep_wait(struct keep *keep);

/** Is it known whether everyone may search it? */
bool keep_knows(struct keep *keep, uint64_t dir);

/** How long the kernel may keep an entry of a directory. */
double keep_time(struct keep *keep, uint64_t dir,
                 const struct capstan_stat *stat);

/*
 * A directory that programs are still in, or have open, when it is removed through
 * this mount is shown as it was last seen, without links. The servers know nothing
 * of it any more.
 */

/** A directory was found under this name. */
void keep_named(struct keep *keep, const struct capstan_stat *stat,
                uint64_t parent, const char *name);

/** What had this name was removed; if a directory, keep_removed() tells of it. */
void keep_remove(struct keep *keep, uint64_t parent, const char *name);

/** @return false: nothing is known of it. */
bool keep_removed(struct keep *keep, uint64_t ino,
                  struct capstan_stat *stat_out);

/**
 * A name was looked up in a directory that was removed. Shall the kernel walk
 * the path anew? Not for ever: when it comes back at once it is in this
 * directory that the thread is, and there is no such name.
 */
bool keep_is_stale(struct keep *keep, pid_t thread, uint64_t dir);

#endif
