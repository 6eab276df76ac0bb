/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The threads that serve a mount, each with a session of its own.
 *
 * A thread reads a request from the kernel, does all that it takes over its own
 * session and answers. When none is left to read the next one, another thread
 * is started, up to CREW_MAX: so a request that waits for a slow server keeps
 * nobody else waiting.
 *
 * Threads  crew_start() and crew_wait() belong to the main thread; crew_self()
 *          is the calling thread's own.
 * Failure  a session that cannot be opened is said once in the log; the crew
 *          then goes on with those that it has.
 */
#ifndef CAPSTAN_POSIX_FUSE_CREW_H
#define CAPSTAN_POSIX_FUSE_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capstan/session.h>

#define CREW_MAX 16u
#define CREW_IO_MAX (1u << 20) /* of one read or write */

struct fuse_session;
struct crew;
struct capstan_file;

struct crew_member {
    struct crew *crew;
    unsigned index; /* 0 .. CREW_MAX - 1 */
    uint64_t epoch; /* of the names that the session may remember */
    struct capstan_session *session;
    void *buffer; /* CREW_IO_MAX, page-aligned */
};

/**
 * Start to serve.
 *
 * @param fuse     borrowed until crew_wait() has returned.
 * @param options  of the sessions; borrowed as well.
 * @return 0, -ENOMEM, or what capstan_session_open() says of the first session
 *         (capstan_open_error() has the text).
 */
int crew_start(struct fuse_session *fuse, const struct capstan_options *options,
               struct crew **crew_out);

/** Wait until the mount has ended and all threads with it; frees the crew. */
void crew_wait(struct crew **crew_p);

/** The member that the calling thread is. */
struct crew_member *crew_self(void);

/**
 * Have the thread of another member close a file of its session, without
 * bringing anything to the device. Takes the file.
 */
void crew_close_later(struct crew *crew, unsigned index,
                      struct capstan_file *file);

#endif
