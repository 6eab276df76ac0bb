/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that were looked up or made within --cache seconds, so that opening one
 * asks nobody: the kernel then does not ask who a name stands for either.
 *
 * Units    seconds, nanoseconds.
 * Threads  any of the crew's.
 * Failure  none: what is not known is asked for.
 */
#ifndef CAPSTAN_POSIX_FUSE_KNOWN_H
#define CAPSTAN_POSIX_FUSE_KNOWN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <capstan/inode.h>

#define KNOWN_SLOTS 4096u /* files, by their number modulo this */

struct known {
    pthread_mutex_t lock;
    uint64_t keep_ns; /* 0: nothing is kept */
    struct known_slot {
        uint64_t until_ns;
        uint32_t mode;
        uint64_t ino;
        struct capstan_opened *opened; /* NULL: the slot is free */
    } slots[KNOWN_SLOTS];
};

void known_init(struct known *known, double keep_sec);
void known_fini(struct known *known);

/** Is anything kept at all? */
bool known_is_on(const struct known *known);

/** Keep a file as it was found just now. @param opened  taken; NULL: nothing is
 *  kept. */
void known_keep(struct known *known, const struct capstan_stat *stat,
                struct capstan_opened *opened);

/** Its attributes were changed. */
void known_forget(struct known *known, uint64_t ino);

/**
 * Open a file that is known, in the caller's session and by its identity.
 *
 * @param mode_out  its permission bits.
 * @return 0; -EACCES; -ENOENT (not known: ask), -ENOMEM.
 */
int known_open(struct known *known, struct capstan_session *session,
               uint64_t ino, unsigned flags, struct capstan_file **file_out,
               uint32_t *mode_out);

#endif
