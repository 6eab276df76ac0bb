/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libcapstan_posix.so from inside: what its files share.
 *
 * A program that runs with LD_PRELOAD=libcapstan_posix.so finds the cluster
 * below a prefix, /capstan by default. preload_calls.inc is the table of wrapped
 * calls: a path below the prefix, or a descriptor of ours, goes to a px_
 * function; all else to the C library.
 *
 * A descriptor of ours is a sealed, empty memory file, so its number is the
 * kernel's to give, dup and fork copy it, and poll says it is ready. Three more
 * things follow from it: its offset is the file's offset, shared by all who
 * share the description; its name (struct px_name) tells a program after exec
 * what it has inherited; and who writes to it past this library, by a call that
 * is not wrapped, is refused by the seal rather than losing the bytes.
 *
 * Threads  any. The session is one, used under one lock. A signal handler that
 *          comes while its own thread is in here is refused (-EDEADLK).
 * Failure  px_ functions return a count or 0, or a negative code; errno is set
 *          in one place, px_result().
 */
#ifndef CAPSTAN_POSIX_PRELOAD_H
#define CAPSTAN_POSIX_PRELOAD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <capstan/file.h>
#include <capstan/inode.h>
#include <capstan/namespace.h>
#include <capstan/session.h>

#define PX_EXPORT __attribute__((visibility("default")))
#define PX_FDS_MAX 65536    /* descriptors that can be ours */
#define PX_IO_MAX (1 << 30) /* bytes of one read or write; more is short */

struct px_open {
    unsigned users; /* descriptors, and calls at work; by the table's lock */
    uint64_t ino;
    int flags; /* of open(2) */
    bool is_directory;
    struct capstan_file *file; /* by the session's lock; NULL: open it first */
    char path[];               /* in the cluster; "" after exec */
};

/* --- preload_state.c ------------------------------------------------------ */

/** Is the calling thread in the library already? Then the call is not ours. */
bool px_is_inside(void);

/** Take the session, opened when first needed. @return 0, or a code: nothing is
 *  taken. */
int px_enter(struct capstan_session **session_out);
void px_leave(void);

/** The session of before a fork is gone, and the files in it with it. */
void px_forget_files(void);

/** Set errno for a negative code. @return -1 then, else rc; errno is untouched.
 */
long px_result(long rc, int saved_errno);

/** Everything that the process wrote is made durable, as close(2) would. */
void px_close_files(void);

/** The mask of umask(2). */
mode_t px_umask(void);
void px_set_umask(mode_t mask);

/* --- preload_path.c ------------------------------------------------------- */

#define PX_PATH_MAX (PATH_MAX + 16)

void px_path_init(void);

/** "/capstan", or what CAPSTAN_PREFIX says. */
const char *px_prefix(void);

/**
 * Is this path ours?
 *
 * @param place  PX_PATH_MAX bytes: the path in the cluster.
 * @return 1, 0 (not ours), or -ENAMETOOLONG.
 */
int px_claim(int dirfd, const char *path, char *place);

/** The working directory if it is ours, with the prefix; else "". */
const char *px_cwd(void);
int px_chdir(const char *place);
int px_fchdir(struct px_open *open);

/** Go where it is not ours; from then on the kernel's directory counts. Both
 *  @return 0, or -1 with errno set, as the kernel's calls do. */
int px_chdir_away(const char *path);
int px_fchdir_away(int fd);

/** The name under which a program knows a place. @return -ERANGE. */
long px_full_name(const char *place, char *name, size_t room);

/* --- preload_fds.c -------------------------------------------------------- */

/** Find out which descriptors were inherited over exec. */
void px_fds_init(void);

/** The open file of a descriptor, with the caller as a user until px_put().
 *  NULL: not ours. */
struct px_open *px_get(int fd);
void px_put(struct px_open *open);

/** Is it ours? Cheap. */
bool px_has(int fd);

/**
 * Give a file a descriptor.
 *
 * @param open  taken, also on failure.
 * @return the descriptor, or a code.
 */
int px_fd_new(struct px_open *open, int flags);

/** The kernel has made new_fd a copy of fd, or closed it. */
void px_fd_copied(int fd, int new_fd);
void px_fd_closed(int fd);
void px_fds_closed(unsigned first, unsigned last);

/** Is this a child that shares the memory of its parent (vfork)? Its table is
 *  the parent's, and is left alone. */
bool px_is_borrowed(void);

/* --- preload_stdio.c ------------------------------------------------------ */

void px_stdio_init(void);

/** Descriptor 0, 1 or 2 is ours now: streams on it must go through us. */
void px_stdio_follow(int fd);

/* --- preload_io.c --------------------------------------------------------- */

int px_open(const char *place, int flags, mode_t mode);

/** The file in the session that the caller has entered. */
int px_file(struct capstan_session *session, struct px_open *open,
            struct capstan_file **file_out);

struct iovec;
long px_readv(int fd, struct px_open *open, const struct iovec *iov, int count);
long px_writev(int fd, struct px_open *open, const struct iovec *iov,
               int count);
long px_preadv(struct px_open *open, const struct iovec *iov, int count,
               off_t offset);
long px_pwritev(struct px_open *open, const struct iovec *iov, int count,
                off_t offset);
long px_read(int fd, struct px_open *open, void *data, size_t len);
long px_write(int fd, struct px_open *open, const void *data, size_t len);
long px_pread(struct px_open *open, void *data, size_t len, off_t offset);
long px_pwrite(struct px_open *open, const void *data, size_t len,
               off_t offset);
long px_lseek(int fd, struct px_open *open, off_t offset, int whence);
long px_fsync(struct px_open *open);
long px_ftruncate(struct px_open *open, off_t size);
long px_fallocate(struct px_open *open, int mode, off_t at, off_t len);
long px_close(int fd, struct px_open *open);
long px_copy(int in, off_t *in_offset, int out, off_t *out_offset, size_t len);
void *px_mmap(struct px_open *open, void *address, size_t len, int protection,
              int flags, off_t offset);

/* --- preload_names.c ------------------------------------------------------ */

struct stat;
struct statx;
struct statvfs;
struct statfs;
struct timespec;
long px_stat(const char *place, unsigned flags, struct stat *attr_out);
long px_fstat(struct px_open *open, struct stat *attr_out);
void px_statx_set(struct statx *out, const struct stat *attr);
long px_statvfs(struct statvfs *out);
long px_statfs(struct statfs *out);
long px_access(const char *place, int mask, bool is_real);
long px_mkdir(const char *place, mode_t mode);
long px_mknod(const char *place, mode_t mode, dev_t rdev);
long px_rmdir(const char *place);
long px_unlink(const char *place);
long px_unlinkat(const char *place, int flags);
long px_symlink(const char *text, const char *place);
long px_readlink(const char *place, char *text, size_t room);
long px_rename(int from_dir, const char *from, int to_dir, const char *to,
               unsigned flags);
long px_link(int from_dir, const char *from, int to_dir, const char *to,
             int flags);
long px_change(const char *place, struct px_open *open, unsigned flags,
               const struct capstan_change *change);
long px_chmod(const char *place, struct px_open *open, mode_t mode);
long px_chown(const char *place, struct px_open *open, unsigned flags,
              uid_t uid, gid_t gid);
long px_times(const char *place, struct px_open *open, unsigned flags,
              const struct timespec times[2]);
long px_truncate(const char *place, off_t size);
long px_xattr_get(const char *place, struct px_open *open, unsigned flags,
                  const char *name, void *value, size_t room);
long px_xattr_set(const char *place, struct px_open *open, unsigned flags,
                  const char *name, const void *value, size_t len, int how);
long px_xattr_list(const char *place, struct px_open *open, unsigned flags,
                   char *names, size_t room);
long px_xattr_remove(const char *place, struct px_open *open, unsigned flags,
                     const char *name);

#endif
