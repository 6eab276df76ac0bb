/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver for any mounted file system: a file is a descriptor, list I/O is
 * preadv and pwritev over the runs in order (posix_io.c).
 *
 * An io is moved on by test() alone, a slice at a time, so that a rank which
 * reads also sends, receives and steps its other operations in between.
 *
 * Possible failure modes: every text names the path, the call and, for a
 * transfer, the offset it had reached. Byte-range locks are open-file-
 * description locks: they belong to the descriptor, so two files opened by one
 * process exclude each other as two processes do.
 */
#include "adio/ad_posix/posix_fs.h"
#include "adio/ad_posix/posix_map.h"
#include "adio/common/adio.h"
#include "base/guarded.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_BYTES (4u << 20) /* moved by one call of test() */
/* The same, copied: two ranks of one core that copy in turn find in its cache
 * what the other one has just looked at. */
#define COPY_BYTES (256u << 10)
#define CHEAP_PIECE 8192 /* below it a call costs more than a second copy */
#define LISTED_PIECE 512 /* below it a call costs more than two messages */
#define MODE_DEFAULT 0644

struct adio_io {
    struct posix_io io;
    const struct posix_map *map; /* NULL: by system calls */
};

struct posix_file {
    int fd;
    enum posix_fs fs;
    bool is_mappable;
    bool may_ask; /* what is in memory */
    struct posix_map map;
};

static int fd_of(const struct adio_file *file)
{
    return ((const struct posix_file *)file->driver_data)->fd;
}

static int open_flags(unsigned flags)
{
    int how = O_CLOEXEC;

    if ((flags & ADIO_READ) && (flags & ADIO_WRITE))
        how |= O_RDWR;
    else
        how |= (flags & ADIO_WRITE) ? O_WRONLY : O_RDONLY;
    if (flags & ADIO_CREATE)
        how |= O_CREAT;
    if (flags & ADIO_EXCL)
        how |= O_EXCL;
    return how;
}

static int posix_open(struct adio_file *file, const char *path, unsigned flags,
                      const struct adio_create *create,
                      struct adio_error *error)
{
    mode_t mode =
        create != NULL && create->mode != 0 ? create->mode : MODE_DEFAULT;
    struct posix_file *posix = mem_calloc(1, sizeof(*posix));
    int rc;

    if (posix == NULL) {
        adio_error_set(error, -ENOMEM, "%s: open", path);
        return -ENOMEM;
    }
    posix->fd = open(path, open_flags(flags), mode);
    if (posix->fd < 0) {
        rc = -errno;
        adio_error_set(error, rc, "%s: open", path);
        free(posix);
        return rc;
    }
    posix->fs = posix_fs_of(posix->fd);
    posix->is_mappable =
        posix->fs == POSIX_FS_COHERENT && (flags & ADIO_READ) != 0;
    posix->may_ask = posix_map_may_ask(posix->fd);
    file->driver_data = posix;
    return 0;
}

static int posix_close(struct adio_file *file, struct adio_error *error)
{
    struct posix_file *posix = file->driver_data;
    int fd = posix->fd;
    int rc = 0;

    posix_map_close(&posix->map);
    free(posix);
    file->driver_data = NULL;
    if (close(fd) != 0) {
        rc = -errno;
        adio_error_set(error, rc, "%s: close", file->path);
    }
    return rc;
}

static int posix_delete(const char *path, struct adio_error *error)
{
    int rc;

    if (unlink(path) == 0)
        return 0;
    rc = -errno;
    adio_error_set(error, rc, "%s: delete", path);
    return rc;
}

static int posix_get_size(struct adio_file *file, uint64_t *size_out,
                          struct adio_error *error)
{
    struct stat st;
    int rc;

    if (fstat(fd_of(file), &st) != 0) {
        rc = -errno;
        adio_error_set(error, rc, "%s: size", file->path);
        return rc;
    }
    *size_out = (uint64_t)st.st_size;
    return 0;
}

static int posix_resize(struct adio_file *file, uint64_t size,
                        struct adio_error *error)
{
    int rc;

    if (ftruncate(fd_of(file), (off_t)size) == 0)
        return 0;
    rc = -errno;
    adio_error_set(error, rc, "%s: resize to %" PRIu64, file->path, size);
    return rc;
}

/* Where the file system cannot, the C library writes a byte to each block. */
static int posix_allocate(struct adio_file *file, uint64_t size,
                          struct adio_error *error)
{
    int rc = 0;

    if (size > 0)
        do
            rc = -posix_fallocate(fd_of(file), 0, (off_t)size);
        while (rc == -EINTR);
    if (rc != 0)
        adio_error_set(error, rc, "%s: allocate %" PRIu64, file->path, size);
    return rc;
}

static int posix_flush(struct adio_file *file, struct adio_error *error)
{
    int rc;

    if (fdatasync(fd_of(file)) == 0)
        return 0;
    rc = -errno;
    adio_error_set(error, rc, "%s: sync", file->path);
    return rc;
}

static int start_io(struct adio_file *file, bool is_write,
                    const struct run *runs, size_t nruns,
                    struct adio_io **io_out, struct adio_error *error)
{
    struct adio_io *io = mem_calloc(1, sizeof(*io));

    if (io == NULL) {
        adio_error_set(error, -ENOMEM, "%s: %s", file->path,
                       is_write ? "write" : "read");
        return -ENOMEM;
    }
    posix_io_start(&io->io, fd_of(file), is_write, runs, nruns,
                   file->hints.ds_read == ADIO_DISABLE ? 0 : POSIX_IO_HOLE_MAX);
    *io_out = io;
    return 0;
}

static int posix_ireadlist(struct adio_file *file, const struct run *runs,
                           size_t nruns, struct adio_io **io_out,
                           struct adio_error *error)
{
    return start_io(file, false, runs, nruns, io_out, error);
}

static int posix_iwritelist(struct adio_file *file, const struct run *runs,
                            size_t nruns, struct adio_io **io_out,
                            struct adio_error *error)
{
    return start_io(file, true, runs, nruns, io_out, error);
}

static bool posix_may_map(struct adio_file *file, const struct run *runs,
                          size_t nruns)
{
    struct posix_file *posix = file->driver_data;
    enum adio_toggle wanted = file->hints.map_reads;

    if (!posix->is_mappable || wanted == ADIO_DISABLE ||
        (wanted == ADIO_AUTOMATIC && !posix->may_ask) ||
        !guarded_is_possible() ||
        !posix_map_cover(&posix->map, posix->fd, runs, nruns))
        return false;
    return wanted == ADIO_ENABLE ||
           posix_map_is_resident(&posix->map, runs, nruns, posix->map.end);
}

static int posix_imapread(struct adio_file *file, const struct run *runs,
                          size_t nruns, struct adio_io **io_out,
                          struct adio_error *error)
{
    struct posix_file *posix = file->driver_data;
    int rc = start_io(file, false, runs, nruns, io_out, error);

    if (rc != 0)
        return rc;
    (*io_out)->map = &posix->map;
    posix_map_start(&posix->map, &(*io_out)->io, posix->fd, runs, nruns);
    return 0;
}

static int posix_test(struct adio_file *file, struct adio_io **io_p,
                      bool *done_out, uint64_t *bytes_out,
                      struct adio_error *error)
{
    struct posix_io *io = &(*io_p)->io;
    const struct posix_map *map = (*io_p)->map;
    int rc = map != NULL ? posix_map_move(map, io, COPY_BYTES, done_out)
                         : posix_io_move(io, SLICE_BYTES, done_out);

    if (!*done_out)
        return 0;
    if (rc != 0 && map != NULL) {
        adio_error_set(error, rc, "%s: mapped pages gave way", file->path);
    } else if (rc != 0) {
        const struct run *run = &io->runs[io->at.run];

        adio_error_set(error, rc, "%s: %s at %" PRIu64, file->path,
                       io->is_write ? "write" : "read",
                       run->offset + io->at.block * run->stride +
                           io->at.within);
    }
    *bytes_out = io->bytes;
    free(*io_p);
    *io_p = NULL;
    return rc;
}

static void posix_layout(struct adio_file *file, struct adio_layout *layout_out)
{
    const struct posix_file *posix = file->driver_data;

    *layout_out = (struct adio_layout){
        .width = 1,
        .cheap_piece = posix->fs != POSIX_FS_ANYWHERE ? CHEAP_PIECE : 0,
        .listed_piece = posix->fs != POSIX_FS_ANYWHERE ? LISTED_PIECE : 0,
    };
}

static int change_lock(struct adio_file *file, short type,
                       const struct adio_lock *lock, struct adio_error *error)
{
    struct flock range = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = (off_t)lock->offset,
        .l_len = (off_t)lock->length,
    };
    int rc;

    do
        rc = fcntl(fd_of(file), F_OFD_SETLKW, &range) == 0 ? 0 : -errno;
    while (rc == -EINTR);
    if (rc != 0)
        adio_error_set(error, rc, "%s: %s at %" PRIu64, file->path,
                       type == F_UNLCK ? "unlock" : "lock", lock->offset);
    return rc;
}

static int posix_lock(struct adio_file *file, struct adio_lock *lock,
                      struct adio_error *error)
{
    return change_lock(file, lock->is_shared ? F_RDLCK : F_WRLCK, lock, error);
}

static int posix_unlock(struct adio_file *file, struct adio_lock *lock,
                        struct adio_error *error)
{
    return change_lock(file, F_UNLCK, lock, error);
}

/* For vectors, all that lies between: their blocks are usually near. */
static void posix_plan(struct adio_file *file, const struct run *runs,
                       size_t nruns)
{
    for (size_t i = 0; i < nruns; i++)
        posix_fadvise(fd_of(file), (off_t)runs[i].offset,
                      (off_t)(run_end(&runs[i]) - runs[i].offset),
                      POSIX_FADV_WILLNEED);
}

const struct adio_driver *ad_posix(void)
{
    static struct adio_driver driver = {
        .name = "posix",
        .features = ADIO_FEATURE_LIST_IO | ADIO_FEATURE_LOCKS,
        .open = posix_open,
        .close = posix_close,
        .delete = posix_delete,
        .get_size = posix_get_size,
        .resize = posix_resize,
        .allocate = posix_allocate,
        .flush = posix_flush,
        .layout = posix_layout,
        .ireadlist = posix_ireadlist,
        .iwritelist = posix_iwritelist,
        .may_map = posix_may_map,
        .imapread = posix_imapread,
        .test = posix_test,
        .plan = posix_plan,
        .finalize = guarded_fini,
        .lock = posix_lock,
        .unlock = posix_unlock,
    };
    static bool is_complete;

    if (!is_complete) {
        adio_driver_complete(&driver);
        is_complete = true;
    }
    return &driver;
}
