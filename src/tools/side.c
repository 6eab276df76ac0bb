/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Here or there: each call is a system call or the library's, no more. A
 * system call leaves its cause in errno, where side_error() finds it.
 */
#include "tools/side.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/tool.h"

static int result(int rc)
{
    return rc < 0 ? -errno : 0;
}

static const struct {
    enum capstan_type type;
    mode_t mode;
} types[] = {
    {CAPSTAN_FILE, S_IFREG},    {CAPSTAN_DIRECTORY, S_IFDIR},
    {CAPSTAN_SYMLINK, S_IFLNK}, {CAPSTAN_FIFO, S_IFIFO},
    {CAPSTAN_SOCKET, S_IFSOCK}, {CAPSTAN_CHAR, S_IFCHR},
    {CAPSTAN_BLOCK, S_IFBLK},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static mode_t mode_of(enum capstan_type type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].type == type)
            return types[i].mode;
    return 0;
}

static enum capstan_type type_of(mode_t mode)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].mode == (mode & S_IFMT))
            return types[i].type;
    return CAPSTAN_FILE;
}

static void convert(const struct stat *from, struct capstan_stat *to)
{
    *to = (struct capstan_stat){.ino = from->st_ino,
                                .type = type_of(from->st_mode),
                                .mode = from->st_mode & 07777,
                                .uid = from->st_uid,
                                .gid = from->st_gid,
                                .nlink = (uint32_t)from->st_nlink,
                                .size = (uint64_t)from->st_size,
                                .atime_ns = clock_stamp(&from->st_atim),
                                .mtime_ns = clock_stamp(&from->st_mtim),
                                .ctime_ns = clock_stamp(&from->st_ctim),
                                .rdev = from->st_rdev};
}

int side_stat(const struct side *side, const char *path, bool is_followed,
              struct capstan_stat *stat_out)
{
    struct stat stat_buf;
    int rc;

    if (side->session != NULL)
        return is_followed ? capstan_stat(side->session, path, stat_out)
                           : capstan_lstat(side->session, path, stat_out);
    rc = result(is_followed ? stat(path, &stat_buf) : lstat(path, &stat_buf));
    if (rc == 0)
        convert(&stat_buf, stat_out);
    return rc;
}

static int add_local(struct listing *listing, size_t *room, DIR *dir,
                     const struct dirent *entry)
{
    struct capstan_dirent found = {.name = entry->d_name, .has_size = true};
    struct stat stat_buf;

    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return 0;
    if (fstatat(dirfd(dir), entry->d_name, &stat_buf, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno; /* removed since */
    convert(&stat_buf, &found.stat);
    return listing_add(listing, room, &found);
}

static int list_local(const char *path, struct listing *listing_out)
{
    struct listing listing = {NULL, 0};
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t room = 0;
    int rc = dir != NULL ? 0 : -errno;

    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        rc = add_local(&listing, &room, dir, entry);
    if (rc == 0)
        rc = -errno;
    if (dir != NULL)
        closedir(dir);
    if (rc != 0) {
        listing_fini(&listing);
        tool_error(path, "%s", strerror(-rc));
        return -1;
    }
    listing_sort(&listing);
    *listing_out = listing;
    return 0;
}

int side_list(const struct side *side, const char *path,
              struct listing *listing_out)
{
    if (side->session != NULL)
        return listing_read(side->session, path, listing_out);
    return list_local(path, listing_out);
}

int side_mkdir(const struct side *side, const char *path, uint32_t mode)
{
    if (side->session != NULL)
        return capstan_mkdir(side->session, path, mode);
    return result(mkdir(path, mode));
}

int side_readlink(const struct side *side, const char *path, char *text,
                  size_t room)
{
    size_t len;
    ssize_t n;
    int rc = 0;

    if (side->session != NULL) {
        rc = capstan_readlink(side->session, path, text, room - 1, &len);
    } else {
        n = readlink(path, text, room - 1);
        rc = n < 0 ? -errno : 0;
        len = (size_t)n;
    }
    if (rc == 0)
        text[len] = '\0';
    return rc;
}

int side_symlink(const struct side *side, const char *text, const char *path)
{
    if (side->session != NULL)
        return capstan_symlink(side->session, text, path);
    return result(symlink(text, path));
}

int side_mknod(const struct side *side, const char *path,
               const struct capstan_stat *stat_buf)
{
    if (side->session != NULL)
        return capstan_mknod(side->session, path, stat_buf->type,
                             stat_buf->mode & 0777, stat_buf->rdev);
    return result(mknod(path, mode_of(stat_buf->type) | (stat_buf->mode & 0777),
                        stat_buf->rdev));
}

static int set_here(const char *path, const struct capstan_stat *stat_buf)
{
    struct timespec times[] = {clock_timespec(stat_buf->atime_ns),
                               clock_timespec(stat_buf->mtime_ns)};

    if (lchown(path, stat_buf->uid, stat_buf->gid) != 0 && errno != EPERM)
        return -errno;
    if (stat_buf->type != CAPSTAN_SYMLINK && chmod(path, stat_buf->mode) != 0)
        return -errno;
    return result(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static int set_there(struct capstan_session *session, const char *path,
                     const struct capstan_stat *stat_buf)
{
    struct capstan_change owner = {.valid = CAPSTAN_SET_UID | CAPSTAN_SET_GID,
                                   .uid = stat_buf->uid,
                                   .gid = stat_buf->gid};
    struct capstan_change rest = {.valid =
                                      CAPSTAN_SET_ATIME | CAPSTAN_SET_MTIME,
                                  .mode = stat_buf->mode,
                                  .atime_ns = stat_buf->atime_ns,
                                  .mtime_ns = stat_buf->mtime_ns};
    int rc = capstan_setattr(session, path, CAPSTAN_NOFOLLOW, &owner);

    if (rc != 0 && rc != -EPERM)
        return rc;
    if (stat_buf->type != CAPSTAN_SYMLINK)
        rest.valid |= CAPSTAN_SET_MODE;
    return capstan_setattr(session, path, CAPSTAN_NOFOLLOW, &rest);
}

int side_set(const struct side *side, const char *path,
             const struct capstan_stat *stat_buf)
{
    if (side->session != NULL)
        return set_there(side->session, path, stat_buf);
    return set_here(path, stat_buf);
}

int side_chmod(const struct side *side, const char *path, uint32_t mode)
{
    struct capstan_change change = {.valid = CAPSTAN_SET_MODE, .mode = mode};

    if (side->session != NULL)
        return capstan_setattr(side->session, path, 0, &change);
    return result(chmod(path, mode));
}

int side_unlink(const struct side *side, const char *path)
{
    if (side->session != NULL)
        return capstan_unlink(side->session, path);
    return result(unlink(path));
}

int side_error(const struct side *side, const char *path)
{
    if (side->session != NULL)
        tool_session_error(side->session, path);
    else
        tool_error(path, "%m");
    return -1;
}
