/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening, reading and writing below the prefix.
 *
 * The happy path: the offset is the descriptor's own in the kernel; a read asks
 * the cluster for it and moves it on by what came. All of that happens inside
 * the session's lock, so that threads that share a descriptor read one after
 * the other.
 *
 * Possible failure modes are the library's; a file that was inherited, or
 * opened before a fork, and is gone (-ESTALE).
 */
#include "posix/preload.h"

#include "base/mem.h"
#include "posix/preload_real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COPY_BUFFER (1u << 20)

static unsigned access_of(int flags)
{
    switch (flags & O_ACCMODE) {
    case O_WRONLY:
        return CAPSTAN_OPEN_WRITE;
    case O_RDWR:
        return CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE;
    default:
        return CAPSTAN_OPEN_READ;
    }
}

/* As with capstan mount --lazy. */
static bool is_lazy(void)
{
    const char *lazy = getenv("CAPSTAN_LAZY");

    return lazy != NULL && strcmp(lazy, "1") == 0;
}

static unsigned open_flags(int flags)
{
    unsigned ours = access_of(flags);

    if ((ours & CAPSTAN_OPEN_WRITE) && is_lazy())
        ours |= CAPSTAN_OPEN_NOSYNC;

    if (flags & O_CREAT)
        ours |= CAPSTAN_OPEN_CREATE;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        ours |= CAPSTAN_OPEN_EXCL;
    if ((flags & O_TRUNC) && (ours & CAPSTAN_OPEN_WRITE))
        ours |= CAPSTAN_OPEN_TRUNCATE;
    if (flags & O_NOFOLLOW)
        ours |= CAPSTAN_OPEN_NOFOLLOW;
    return ours;
}

static struct px_open *new_open(const char *place, int flags)
{
    struct px_open *open = mem_calloc(1, sizeof(*open) + strlen(place) + 1);

    if (open == NULL)
        return NULL;
    open->users = 1;
    open->flags = flags;
    memcpy(open->path, place, strlen(place) + 1);
    return open;
}

/* A directory, or with O_PATH anything, is opened by knowing its number. */
static int open_number(struct capstan_session *session, struct px_open *open)
{
    bool is_path = (open->flags & O_PATH) != 0;
    struct capstan_stat stat;
    int rc = open->flags & O_NOFOLLOW
                 ? capstan_lstat(session, open->path, &stat)
                 : capstan_stat(session, open->path, &stat);

    if (rc != 0)
        return rc;
    open->is_directory = stat.type == CAPSTAN_DIRECTORY;
    if ((open->flags & O_DIRECTORY) && !open->is_directory)
        return -ENOTDIR;
    if (!is_path && !open->is_directory)
        return stat.type == CAPSTAN_SYMLINK ? -ELOOP : -ENXIO;
    open->ino = stat.ino;
    return is_path ? 0 : capstan_inode_access(session, stat.ino, 4);
}

static int open_file(struct capstan_session *session, struct px_open *open,
                     mode_t mode)
{
    struct capstan_layout layout = {.mode = mode & ~px_umask() & 07777};
    int rc = capstan_file_open(session, open->path, open_flags(open->flags),
                               &layout, &open->file);

    if (rc == 0)
        open->ino = capstan_file_ino(open->file);
    return rc;
}

static int open_any(struct capstan_session *session, struct px_open *open,
                    mode_t mode)
{
    bool is_reading = (open->flags & (O_ACCMODE | O_CREAT)) == O_RDONLY;
    int rc;

    if (open->flags & (O_DIRECTORY | O_PATH))
        return (open->flags & O_ACCMODE) == O_RDONLY
                   ? open_number(session, open)
                   : -EISDIR;
    rc = open_file(session, open, mode);
    if (rc == -EISDIR && is_reading)
        rc = open_number(session, open);
    return rc;
}

int px_open(const char *place, int flags, mode_t mode)
{
    struct capstan_session *session;
    struct px_open *open;
    int rc;

    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    open = new_open(place, flags);
    if (open == NULL)
        return -ENOMEM;
    rc = px_enter(&session);
    if (rc == 0) {
        rc = open_any(session, open, mode);
        px_leave();
    }
    if (rc == 0)
        return px_fd_new(open, flags);
    free(open);
    return rc;
}

/* Inherited, or of before a fork: the right to it was checked long ago. */
static int open_again(struct capstan_session *session, struct px_open *open)
{
    const struct capstan_cred cred = {
        .uid = geteuid(), .gid = getegid(), .is_checked = true};
    int rc;

    capstan_session_set_cred(session, &cred);
    rc = capstan_inode_open(session, open->ino, access_of(open->flags),
                            &open->file, NULL);
    capstan_session_set_cred(session, NULL);
    return rc;
}

int px_file(struct capstan_session *session, struct px_open *open,
            struct capstan_file **file_out)
{
    int rc = 0;

    if (open->flags & O_PATH)
        return -EBADF;
    if (open->is_directory)
        return -EISDIR;
    if (open->file == NULL)
        rc = open_again(session, open);
    *file_out = open->file;
    return rc;
}

/* Read one piece after the other until one is short. */
static long read_pieces(struct capstan_file *file, const struct iovec *iov,
                        int count, uint64_t at)
{
    long sum = 0;

    for (int i = 0; i < count; i++) {
        size_t len = iov[i].iov_len < PX_IO_MAX ? iov[i].iov_len : PX_IO_MAX;
        size_t done = 0;
        int rc = 0;

        if (len > 0)
            rc = capstan_file_read(file, at + (uint64_t)sum, iov[i].iov_base,
                                   len, &done);
        if (rc != 0)
            return sum > 0 ? sum : rc;
        sum += (long)done;
        if (done < iov[i].iov_len)
            break;
    }
    return sum;
}

/* at < 0: append, and *end_out is where the file then ends. */
static long write_pieces(struct capstan_file *file, const struct iovec *iov,
                         int count, off_t at, uint64_t *end_out)
{
    long sum = 0;

    for (int i = 0; i < count; i++) {
        size_t len = iov[i].iov_len < PX_IO_MAX ? iov[i].iov_len : PX_IO_MAX;
        size_t done = len;
        int rc = 0;

        if (len > 0 && at < 0)
            rc = capstan_file_append(file, iov[i].iov_base, len, end_out);
        else if (len > 0)
            rc = capstan_file_write(file, (uint64_t)at + (uint64_t)sum,
                                    iov[i].iov_base, len, &done);
        if (rc != 0)
            return sum > 0 ? sum : rc;
        sum += (long)done;
        if (done < iov[i].iov_len)
            break;
    }
    return sum;
}

static long check_pieces(const struct iovec *iov, int count)
{
    size_t sum = 0;

    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > SSIZE_MAX - sum)
            return -EINVAL;
        sum += iov[i].iov_len;
    }
    return 0;
}

/* What reads and writes at an offset, or at the descriptor's (fd >= 0). */
static long transfer(int fd, struct px_open *open, const struct iovec *iov,
                     int count, off_t at, bool is_write)
{
    bool is_append = is_write && (open->flags & O_APPEND) != 0;
    int wanted = is_write ? O_RDONLY : O_WRONLY;
    struct capstan_session *session;
    struct capstan_file *file;
    uint64_t end = 0;
    long rc = check_pieces(iov, count);

    if (rc == 0 && fd < 0 && at < 0)
        rc = -EINVAL;
    if (rc == 0 && (open->flags & O_ACCMODE) == wanted)
        rc = open->is_directory && !is_write ? -EISDIR : -EBADF;
    if (rc == 0)
        rc = px_enter(&session);
    if (rc != 0)
        return rc;
    rc = px_file(session, open, &file);
    if (rc == 0 && fd >= 0 && !is_append)
        at = px_real()->lseek(fd, 0, SEEK_CUR);
    if (rc == 0)
        rc = is_write
                 ? write_pieces(file, iov, count, is_append ? -1 : at, &end)
                 : read_pieces(file, iov, count, (uint64_t)at);
    if (rc > 0 && fd >= 0)
        px_real()->lseek(fd, is_append ? (off_t)end : at + rc, SEEK_SET);
    px_leave();
    return rc;
}

long px_readv(int fd, struct px_open *open, const struct iovec *iov, int count)
{
    return transfer(fd, open, iov, count, 0, false);
}

long px_writev(int fd, struct px_open *open, const struct iovec *iov, int count)
{
    return transfer(fd, open, iov, count, 0, true);
}

long px_preadv(struct px_open *open, const struct iovec *iov, int count,
               off_t offset)
{
    return transfer(-1, open, iov, count, offset, false);
}

long px_pwritev(struct px_open *open, const struct iovec *iov, int count,
                off_t offset)
{
    return transfer(-1, open, iov, count, offset, true);
}

static struct iovec piece(const void *data, size_t len)
{
    return (struct iovec){(void *)(uintptr_t)data,
                          len < PX_IO_MAX ? len : PX_IO_MAX};
}

long px_read(int fd, struct px_open *open, void *data, size_t len)
{
    struct iovec iov = piece(data, len);

    return px_readv(fd, open, &iov, 1);
}

long px_write(int fd, struct px_open *open, const void *data, size_t len)
{
    struct iovec iov = piece(data, len);

    return px_writev(fd, open, &iov, 1);
}

long px_pread(struct px_open *open, void *data, size_t len, off_t offset)
{
    struct iovec iov = piece(data, len);

    return px_preadv(open, &iov, 1, offset);
}

long px_pwrite(struct px_open *open, const void *data, size_t len, off_t offset)
{
    struct iovec iov = piece(data, len);

    return px_pwritev(open, &iov, 1, offset);
}

static long size_of(struct px_open *open, uint64_t *size_out)
{
    struct capstan_session *session;
    struct capstan_file *file;
    long rc = px_enter(&session);

    if (rc != 0)
        return rc;
    rc = px_file(session, open, &file);
    if (rc == 0)
        rc = capstan_file_size(file, size_out);
    px_leave();
    return rc;
}

/* The kernel keeps the offset; only it does not know where the file ends. */
long px_lseek(int fd, struct px_open *open, off_t offset, int whence)
{
    uint64_t size = 0;
    long rc = 0;

    if (whence == SEEK_END || whence == SEEK_DATA || whence == SEEK_HOLE) {
        rc = open->is_directory ? 0 : size_of(open, &size);
        if (rc != 0)
            return rc;
    }
    if ((whence == SEEK_DATA || whence == SEEK_HOLE) &&
        (offset < 0 || (uint64_t)offset >= size))
        return -ENXIO;
    if (whence == SEEK_END)
        offset += (off_t)size;
    else if (whence == SEEK_HOLE) /* one at the end is all that is told */
        offset = (off_t)size;
    if (whence != SEEK_CUR)
        whence = SEEK_SET;
    offset = px_real()->lseek(fd, offset, whence);
    return offset >= 0 ? (long)offset : -errno;
}

long px_fsync(struct px_open *open)
{
    struct capstan_session *session;
    struct capstan_file *file;
    long rc;

    if (open->is_directory)
        return 0; /* names are durable when they are answered */
    rc = px_enter(&session);
    if (rc != 0)
        return rc;
    rc = px_file(session, open, &file);
    if (rc == 0)
        rc = capstan_file_sync(file);
    px_leave();
    return rc == -ESTALE ? 0 : rc; /* removed: nothing to keep */
}

long px_ftruncate(struct px_open *open, off_t size)
{
    struct capstan_session *session;
    struct capstan_file *file;
    long rc;

    if (size < 0 || open->is_directory || (open->flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    rc = px_enter(&session);
    if (rc != 0)
        return rc;
    rc = px_file(session, open, &file);
    if (rc == 0)
        rc = capstan_file_truncate(file, (uint64_t)size);
    px_leave();
    return rc;
}

long px_fallocate(struct px_open *open, int mode, off_t at, off_t len)
{
    unsigned flags = mode != 0 ? CAPSTAN_ALLOCATE_KEEP_SIZE : 0;
    struct capstan_session *session;
    struct capstan_file *file;
    long rc;

    if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0)
        return -EOPNOTSUPP;
    if (at < 0 || len <= 0)
        return -EINVAL;
    if ((open->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    rc = px_enter(&session);
    if (rc != 0)
        return rc;
    rc = px_file(session, open, &file);
    if (rc == 0)
        rc = capstan_file_allocate(file, (uint64_t)at, (uint64_t)len, flags);
    px_leave();
    return rc;
}

/* One step of a copy through a buffer; the offsets are moved by the caller. */
static long copy_step(int in, off_t in_at, int out, off_t out_at, char *buffer,
                      size_t len)
{
    ssize_t got =
        in_at >= 0 ? pread(in, buffer, len, in_at) : read(in, buffer, len);
    ssize_t put, sum = 0;

    while (got > 0 && sum < got) {
        put = out_at >= 0
                  ? pwrite(out, buffer + sum, (size_t)(got - sum), out_at + sum)
                  : write(out, buffer + sum, (size_t)(got - sum));
        if (put < 0)
            return sum > 0 ? sum : -errno;
        sum += put;
    }
    return got >= 0 ? sum : -errno;
}

/* For calls that the kernel cannot do with a file of ours: read and write. An
 * offset that is NULL is the descriptor's own. */
long px_copy(int in, off_t *in_offset, int out, off_t *out_offset, size_t len)
{
    size_t room = len < COPY_BUFFER ? len : COPY_BUFFER;
    char *buffer = malloc(room > 0 ? room : 1);
    long sum = 0, rc = 0;

    if (buffer == NULL)
        return -ENOMEM;
    while ((size_t)sum < len) {
        size_t left = len - (size_t)sum;

        rc = copy_step(in, in_offset != NULL ? *in_offset : -1, out,
                       out_offset != NULL ? *out_offset : -1, buffer,
                       left < room ? left : room);
        if (rc <= 0)
            break;
        sum += rc;
        if (in_offset != NULL)
            *in_offset += rc;
        if (out_offset != NULL)
            *out_offset += rc;
    }
    free(buffer);
    return sum > 0 ? sum : rc;
}

/* A private mapping is a copy that the program may even change. Others' later
 * writes are not in it, which POSIX leaves open for private mappings alone: a
 * shared one is refused. */
void *px_mmap(struct px_open *open, void *address, size_t len, int protection,
              int flags, off_t offset)
{
    void *memory;
    long rc = 0;

    if ((flags & MAP_TYPE) != MAP_PRIVATE)
        rc = -ENODEV;
    else if ((open->flags & O_ACCMODE) == O_WRONLY)
        rc = -EACCES;
    else if (len == 0 || offset < 0 || offset % sysconf(_SC_PAGESIZE) != 0)
        rc = -EINVAL;
    if (rc != 0) {
        px_result(rc, 0);
        return MAP_FAILED;
    }
    memory = px_real()->mmap(address, len, PROT_READ | PROT_WRITE,
                             flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return memory;
    for (size_t at = 0; at < len; at += (size_t)rc) {
        rc = px_pread(open, (char *)memory + at, len - at, offset + (off_t)at);
        if (rc <= 0)
            break;
    }
    if (rc >= 0 && mprotect(memory, len, protection) == 0)
        return memory;
    px_result(rc < 0 ? rc : -errno, 0);
    munmap(memory, len);
    return MAP_FAILED;
}
