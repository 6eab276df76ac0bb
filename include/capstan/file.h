/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files: open, list I/O, size, durability.
 *
 * List I/O is the primitive: a request carries any number of runs, each a
 * vector of equal blocks in the file and in memory; a plain read is a list of
 * one. Data moves between servers and the caller's memory with no copy between.
 *
 * Units    bytes.
 * Threads  as the session.
 * Failure  as the session. A read beyond the end of the file is short, not an
 *          error. A write that fails has written nothing that it promises.
 */
#ifndef CAPSTAN_FILE_H
#define CAPSTAN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capstan/session.h>

#ifdef __cplusplus
extern "C" {
#endif

struct capstan_file;
struct capstan_request;

enum capstan_open_flags {
    CAPSTAN_OPEN_READ = 1,
    CAPSTAN_OPEN_WRITE = 2,
    CAPSTAN_OPEN_CREATE = 4,
    CAPSTAN_OPEN_EXCL = 8,     /* with CREATE: fail if it exists */
    CAPSTAN_OPEN_TRUNCATE = 16, /* with WRITE: to size 0 */
    CAPSTAN_OPEN_NOFOLLOW = 32, /* -ELOOP if the last name is a symbolic link */
    CAPSTAN_OPEN_NOSYNC = 64,   /* close brings nothing to the device */
    CAPSTAN_OPEN_AHEAD = 128    /* with READ, without CREATE: a file of less than
        4 KiB comes along, and reads in the first second are answered from that
        without asking again: they may not see what others write meanwhile */
};

/* How a new file is laid out; 0 means the cluster's default. */
struct capstan_layout {
    uint32_t stripe_size; /* bytes; a multiple of 4096 */
    uint16_t width;       /* targets; more than there are: all of them */
    uint32_t mode;        /* permission bits; 0: 0644 */
};

/** `count` blocks of `length` bytes; block i is at offset + i * stride in the
 *  file and at (char *)memory + i * mem_stride in memory. */
struct capstan_run {
    uint64_t offset;
    uint64_t length;
    uint64_t stride;
    uint64_t count;
    void *memory;
    int64_t mem_stride;
};

/**
 * Open a file.
 *
 * @param layout  for CREATE; NULL: the defaults.
 * @return 0, -ENOENT, -EEXIST, -EISDIR, -ENOTDIR, -ENAMETOOLONG, -EACCES,
 *         -ELOOP, -EINVAL (flags, layout; no file), -ETIMEDOUT (a server cannot
 *         be reached), -ENOMEM.
 */
int capstan_file_open(struct capstan_session *session, const char *path,
                      unsigned flags, const struct capstan_layout *layout,
                      struct capstan_file **file_out);

/** Close; waits for requests under way. *file_p becomes NULL.
 *  @return 0, or the code of the durability step of a written file. */
int capstan_file_close(struct capstan_file **file_p);

/**
 * Read or write runs and wait.
 *
 * @param done_out  read: bytes that lie below the end of the file, wherever
 *                  in the list; write: all bytes.
 * @return 0, -EBADF (not opened for it), -EIO, -ENOSPC, -EFBIG, -ETIMEDOUT,
 *         -ESTALE (the file was removed).
 */
int capstan_file_readv(struct capstan_file *file,
                       const struct capstan_run *runs, size_t nruns,
                       uint64_t *done_out);
int capstan_file_writev(struct capstan_file *file,
                        const struct capstan_run *runs, size_t nruns,
                        uint64_t *done_out);

/** One contiguous extent. @return as capstan_file_readv(). */
int capstan_file_read(struct capstan_file *file, uint64_t offset, void *memory,
                      size_t length, size_t *done_out);
int capstan_file_write(struct capstan_file *file, uint64_t offset,
                       const void *memory, size_t length, size_t *done_out);

/**
 * Start a read or write of runs. The runs are copied; the memory is borrowed
 * until the request has ended.
 *
 * @param request_out  set on success only; ended by capstan_request_wait() or
 *                     by capstan_request_test() when it says done.
 */
int capstan_file_readv_start(struct capstan_file *file,
                             const struct capstan_run *runs, size_t nruns,
                             struct capstan_request **request_out);
int capstan_file_writev_start(struct capstan_file *file,
                              const struct capstan_run *runs, size_t nruns,
                              struct capstan_request **request_out);

/**
 * Has it ended? Moves the session on. When *done_out is true the request is
 * over, *request_p is NULL, *bytes_out is set if the return value is 0.
 *
 * @return 0 (also: not yet), or the request's error; then *done_out is true.
 */
int capstan_request_test(struct capstan_request **request_p, bool *done_out,
                         uint64_t *bytes_out);

/** Wait for its end; the session's timeout ends it when a server stops
 *  answering. *request_p becomes NULL. */
int capstan_request_wait(struct capstan_request **request_p,
                         uint64_t *bytes_out);

/**
 * Tell the servers what will be read soon, in that order, so that they have it in
 * memory by then. Advice: it changes no result. The runs' memory is not looked at.
 *
 * @param bytes_out  how much they will read ahead: they may have no memory for it.
 * @return 0, -EBADF (not opened to read), -ENOTSUP (an older server),
 *         -ETIMEDOUT, -ENOMEM.
 */
int capstan_file_plan(struct capstan_file *file, const struct capstan_run *runs,
                      size_t nruns, uint64_t *bytes_out);

/**
 * Write at the end of the file, as O_APPEND does: what several programs append
 * at once stands one behind the other, nothing is overwritten.
 *
 * @param end_out  where the file's end was put; may be NULL.
 */
int capstan_file_append(struct capstan_file *file, const void *memory,
                        size_t length, uint64_t *end_out);

/** The number of an open file. */
uint64_t capstan_file_ino(const struct capstan_file *file);

/** The file's size now. */
int capstan_file_size(struct capstan_file *file, uint64_t *size_out);

/** Make the file exactly `size` bytes long; new bytes read as zeros. */
int capstan_file_truncate(struct capstan_file *file, uint64_t size);

enum capstan_allocate_flags {
    CAPSTAN_ALLOCATE_KEEP_SIZE = 1 /* the file's size stays as it is */
};

/**
 * Have storage for `length` bytes from `offset` on set aside on the servers'
 * devices, and make the file long enough to hold them. Bytes that were written
 * stay.
 *
 * @param flags  of enum capstan_allocate_flags.
 * @return 0, -EBADF (not opened to write), -ENOSPC (the size is as it was, but
 *         some servers may have set storage aside), -ENOTSUP (a device whose file
 *         system cannot, or an older server), -EFBIG, -EINVAL (flags),
 *         -ETIMEDOUT.
 */
int capstan_file_allocate(struct capstan_file *file, uint64_t offset,
                          uint64_t length, unsigned flags);

/** Everything written to the file before, by anyone, is durable when this
 *  returns 0. */
int capstan_file_sync(struct capstan_file *file);

/*
 * A shared file pointer: a counter that all who know its handle share, kept by
 * the file's first target. It is no part of the file: it belongs to one
 * opening of it by several programs, which agree on a random handle.
 */
struct capstan_pointer {
    uint64_t handle;
    uint64_t generation; /* a higher one than before begins anew at start */
    int64_t start;
    uint64_t age_ns; /* how long ago the handle was made: a counter not used
                        for a week may be dropped, and is then not begun anew */
};

/**
 * Add to a counter, or set it; takes effect once, whatever is retried.
 *
 * @param before_out  the value before.
 * @return 0, -EINVAL (it would fall below 0), -EFBIG (or pass 2^63), -ESTALE
 *         (a higher generation has begun; or it was dropped), -ENOSPC (the
 *         target holds too many), -ETIMEDOUT.
 */
int capstan_file_pointer_add(struct capstan_file *file,
                             const struct capstan_pointer *pointer,
                             int64_t add, int64_t *before_out);
int capstan_file_pointer_set(struct capstan_file *file,
                             const struct capstan_pointer *pointer,
                             int64_t value, int64_t *before_out);

/** Nobody needs the counter any more. */
int capstan_file_pointer_drop(struct capstan_file *file,
                              const struct capstan_pointer *pointer);

/*
 * A lock on a range of a file, for programs that agree to take it: it does not
 * keep anybody from reading or writing. The file's first target holds it under
 * a lease, which the session renews in every call that moves it on. So the lock
 * of a program that ended, or that stopped for long, ends.
 *
 *     capstan_file_lock_start(file, 0, 4096, false, &lock);
 *     while (rc == 0 && !is_held) {
 *         rc = capstan_lock_test(lock, &is_held);
 *         ...                  capstan_session_wait()
 *     }
 *     ...                      read and write
 *     rc = capstan_lock_end(&lock);
 */
struct capstan_lock;

/** Ask for a lock. length is at least 1; one program's locks exclude each other
 *  like those of two. @return 0, -EINVAL, -ENOMEM. */
int capstan_file_lock_start(struct capstan_file *file, uint64_t offset,
                            uint64_t length, bool is_shared,
                            struct capstan_lock **lock_out);

/** Is it held? It may take any time, as long as the server answers.
 *  @return 0 (also: not yet), -ESTALE (it was held and is lost), -ETIMEDOUT. */
int capstan_lock_test(struct capstan_lock *lock, bool *is_held_out);

/**
 * Give it back, held or not; waits for the answer. *lock_p becomes NULL.
 *
 * @return 0 (it was held all the time), -ESTALE (it was not, or was lost, as
 *         when the server restarted: what was done under it may not have been
 *         alone), or the code of the call.
 */
int capstan_lock_end(struct capstan_lock **lock_p);

/* Where a file's stripes lie, for placement of aggregators and file realms. */
struct capstan_file_layout {
    uint32_t stripe_size;
    uint16_t width;        /* columns; stripe s is on targets[s % width] */
    bool is_striped;       /* false: all bytes so far are on targets[0] */
    const uint16_t *targets;
};

/** The layout as last seen; borrows the file. */
void capstan_file_layout(const struct capstan_file *file,
                         struct capstan_file_layout *layout_out);

#ifdef __cplusplus
}
#endif

#endif
