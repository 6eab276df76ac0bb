/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that programs have open through this mount.
 *
 * An open file is read and written by whichever thread of the crew has the
 * request, so it is opened once more, by number, in each session that meets it.
 *
 * The library keeps a removed file alive for the session that removes it, if
 * that session has it open. So a name that goes is looked for among those under
 * which open files were last seen; if it is one, the thread that is about to
 * remove it asks which inode it stands for, and opens that first.
 *
 * Threads  any of the crew's.
 * Failure  as each call says.
 */
#ifndef CAPSTAN_POSIX_FUSE_OPEN_H
#define CAPSTAN_POSIX_FUSE_OPEN_H

#include <stdatomic.h>

#include "posix/fuse_fs.h"

struct opens;

struct open_file {
    struct open_file *prev, *next; /* of the same inode */
    uint64_t ino;
    unsigned flags; /* READ, WRITE of enum capstan_open_flags */
    unsigned users; /* by opens' lock: 1 for the program, and who works on it */
    atomic_bool is_dirty;  /* written, and not brought to the device since */
    atomic_bool is_set_id; /* set-user-id or set-group-id, when last seen */
    struct capstan_file *files[CREW_MAX]; /* [i] is member i's business alone */
    struct capstan_opened *opened;        /* for those that have none yet */
};

/** @param are_names_kept  the kernel may keep names: opens_named() then does
 * not tell of all. @return 0 or -ENOMEM. */
int opens_create(bool are_names_kept, struct opens **opens_out);
void opens_destroy(struct opens **opens_p);

/**
 * A program has opened a file.
 *
 * @param file      of the calling thread's session; taken, also on failure.
 * @param file_out  ended with opens_end().
 * @return 0 or -ENOMEM.
 */
int opens_add(struct opens *opens, struct capstan_file *file, uint64_t ino,
              unsigned flags, struct open_file **file_out);

/** The program has closed it. */
void opens_end(struct opens *opens, struct open_file *file);

/** The file in the calling thread's session. @return 0 or -ENOMEM. */
int opens_file(struct open_file *file, struct capstan_file **file_out);

/** An inode was seen under this name. */
void opens_named(struct opens *opens, uint64_t ino, uint64_t dir,
                 const char *name);

/**
 * This name is about to go: if an open file has it, the calling thread's
 * session opens that file too.
 *
 * @param session  the calling thread's, which may look the name up.
 */
void opens_hold(struct opens *opens, struct capstan_session *session,
                uint64_t dir, const char *name);

#endif
