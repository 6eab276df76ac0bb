/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An io_uring with a depth and, if the kernel grants it, registered memory and
 * registered files. Every call below prepares one operation; ring_send() hands
 * all of them to the kernel in one system call; ring_reap() tells what has ended.
 *
 * Units    bytes. A tag is any number that names the operation to its owner. A
 *          file is a descriptor, or RING_FILE(place) if it was registered.
 * Threads  one owner thread.
 * Failure  preparing cannot fail while fewer than `depth` operations are
 *          prepared or under way.
 */
#ifndef CAPSTAN_STORE_RING_URING_H
#define CAPSTAN_STORE_RING_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ring;

/** What stands for a descriptor that was registered at a place. */
#define RING_FILE(place) (-2 - (int)(place))

/**
 * Open a ring.
 *
 * @param memory  to register, or NULL; borrowed until ring_destroy(). When the
 *                kernel refuses (RLIMIT_MEMLOCK), the ring works without.
 * @return 0, -ENOSYS (no io_uring here; logged) or -ENOMEM.
 */
int ring_create(unsigned depth, void *memory, size_t memory_size,
                struct ring **ring_out);
void ring_destroy(struct ring **ring_p);

/** Offer places for registered files. @return how many there are: what was asked
 *  for, or 0 (the kernel refuses; all works without). */
unsigned ring_places(struct ring *ring, unsigned nplaces);

/** Register a descriptor at a place, or free the place (-1). Until that is done
 *  the file stays open. @return false: the place is as it was. */
bool ring_place(struct ring *ring, unsigned place, int fd);

/** Read or write at most 2 GiB - 4 KiB; registered memory goes the fast way. */
void ring_read(struct ring *ring, int file, void *memory, size_t length,
               uint64_t offset, uint64_t tag);
void ring_write(struct ring *ring, int file, void *memory, size_t length,
                uint64_t offset, bool is_durable, uint64_t tag);

/** Make a file's bytes and length durable, or a directory's entries.
 *
 *  @param is_first  the next operation is prepared at once; it begins when this
 *                   one has succeeded, and else ends with -ECANCELED. */
void ring_sync(struct ring *ring, int fd, bool is_first, uint64_t tag);

/** Have storage for `length` bytes from `offset` on; the file keeps its size. */
void ring_allocate(struct ring *ring, int fd, uint64_t offset, uint64_t length,
                   uint64_t tag);

/** path stays the caller's, valid until the next ring_send(). */
void ring_openat(struct ring *ring, int dir_fd, const char *path, int flags,
                 mode_t mode, uint64_t tag);
void ring_unlinkat(struct ring *ring, int dir_fd, const char *path,
                   uint64_t tag);

/** Operations prepared and not yet sent. */
unsigned ring_unsent(const struct ring *ring);

/** Send what is prepared. @return how many went, or -EAGAIN: try later. */
int ring_send(struct ring *ring);

/** Send what is prepared and wait until one operation has ended. */
void ring_wait(struct ring *ring);

/** Call back for operations that have ended, at most `most`; fn may prepare new
 *  ones. @return how many it were. */
typedef void ring_end_fn(void *ctx, uint64_t tag, int result);
unsigned ring_reap(struct ring *ring, unsigned most, ring_end_fn *fn,
                   void *ctx);

/** Readable when an operation has ended. */
int ring_fd(const struct ring *ring);

#endif
