/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wrapped calls that take a descriptor with a path, two paths, or give a path
 * back: those that the table cannot say in a line.
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESULT(rc) ((int)px_result(rc, saved_errno))

static unsigned follow(int flags)
{
    return flags & AT_SYMLINK_NOFOLLOW ? CAPSTAN_NOFOLLOW : 0;
}

/* Does a call mean the descriptor itself? */
static bool is_empty(const char *path, int flags)
{
    return path == NULL || (*path == '\0' && (flags & AT_EMPTY_PATH) != 0);
}

/* @return 1: *attr is set, or rc_out says why not; 0: not ours. */
static bool stat_at(int dir, const char *path, struct stat *attr, int flags,
                    long *rc_out)
{
    struct px_open *open = is_empty(path, flags) ? px_get(dir) : NULL;
    char place[PX_PATH_MAX];
    long rc;

    if (open != NULL) {
        *rc_out = px_fstat(open, attr);
        px_put(open);
        return true;
    }
    rc = px_claim(dir, path, place);
    if (rc > 0)
        rc = px_stat(place, follow(flags), attr);
    else if (rc == 0)
        return false;
    *rc_out = rc;
    return true;
}

PX_EXPORT int fstatat(int dir, const char *path, struct stat *attr, int flags)
{
    int saved_errno = errno;
    long rc;

    if (!stat_at(dir, path, attr, flags, &rc))
        return px_real()->fstatat(dir, path, attr, flags);
    return RESULT(rc);
}

PX_EXPORT int statx(int dir, const char *path, int flags, unsigned mask,
                    struct statx *out)
{
    int saved_errno = errno;
    struct stat attr;
    long rc;

    if (!stat_at(dir, path, &attr, flags, &rc))
        return px_real()->statx(dir, path, flags, mask, out);
    if (rc == 0)
        px_statx_set(out, &attr);
    return RESULT(rc);
}

/* Programs linked with a C library before 2.33 call these. */
PX_EXPORT int __xstat(int version, const char *path, struct stat *attr)
{
    return fstatat(AT_FDCWD, path, attr, 0);
}

PX_EXPORT int __lxstat(int version, const char *path, struct stat *attr)
{
    return fstatat(AT_FDCWD, path, attr, AT_SYMLINK_NOFOLLOW);
}

PX_EXPORT int __fxstat(int version, int fd, struct stat *attr)
{
    return fstat(fd, attr);
}

PX_EXPORT int __fxstatat(int version, int dir, const char *path,
                         struct stat *attr, int flags)
{
    return fstatat(dir, path, attr, flags);
}

__asm__(".globl fstatat64\n.set fstatat64, fstatat\n"
        ".globl __xstat64\n.set __xstat64, __xstat\n"
        ".globl __lxstat64\n.set __lxstat64, __lxstat\n"
        ".globl __fxstat64\n.set __fxstat64, __fxstat\n"
        ".globl __fxstatat64\n.set __fxstatat64, __fxstatat\n");

PX_EXPORT int utimensat(int dir, const char *path,
                        const struct timespec times[2], int flags)
{
    struct px_open *open = is_empty(path, flags) ? px_get(dir) : NULL;
    char place[PX_PATH_MAX];
    int saved_errno = errno;
    long rc;

    if (open != NULL) {
        rc = px_times(NULL, open, 0, times);
        px_put(open);
        return RESULT(rc);
    }
    rc = px_claim(dir, path, place);
    if (rc == 0)
        return px_real()->utimensat(dir, path, times, flags);
    if (rc > 0)
        rc = px_times(place, NULL, follow(flags), times);
    return RESULT(rc);
}

static const struct timespec *spec(const struct timeval times[2],
                                   struct timespec out[2])
{
    for (int i = 0; times != NULL && i < 2; i++) {
        out[i].tv_sec = times[i].tv_sec;
        out[i].tv_nsec = times[i].tv_usec * 1000;
    }
    return times != NULL ? out : NULL;
}

PX_EXPORT int futimesat(int dir, const char *path,
                        const struct timeval times[2])
{
    struct timespec out[2];

    return utimensat(dir, path, spec(times, out), 0);
}

PX_EXPORT int utimes(const char *path, const struct timeval times[2])
{
    return futimesat(AT_FDCWD, path, times);
}

PX_EXPORT int lutimes(const char *path, const struct timeval times[2])
{
    struct timespec out[2];

    return utimensat(AT_FDCWD, path, spec(times, out), AT_SYMLINK_NOFOLLOW);
}

PX_EXPORT int futimes(int fd, const struct timeval times[2])
{
    struct timespec out[2];

    return futimens(fd, spec(times, out));
}

PX_EXPORT int utime(const char *path, const struct utimbuf *times)
{
    struct timespec out[2] = {{0, 0}, {0, 0}};

    if (times != NULL) {
        out[0].tv_sec = times->actime;
        out[1].tv_sec = times->modtime;
    }
    return utimensat(AT_FDCWD, path, times != NULL ? out : NULL, 0);
}

PX_EXPORT int renameat2(int from_dir, const char *from, int to_dir,
                        const char *to, unsigned flags)
{
    int saved_errno = errno;

    return RESULT(px_rename(from_dir, from, to_dir, to, flags));
}

PX_EXPORT int renameat(int from_dir, const char *from, int to_dir,
                       const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

PX_EXPORT int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

PX_EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to,
                     int flags)
{
    int saved_errno = errno;

    return RESULT(px_link(from_dir, from, to_dir, to, flags));
}

PX_EXPORT int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* What the cluster allows; the rest are answers about any directory. */
static long limit(int name)
{
    switch (name) {
    case _PC_NAME_MAX:
        return 255;
    case _PC_PATH_MAX:
        return PATH_MAX;
    case _PC_LINK_MAX:
        return 65000;
    case _PC_FILESIZEBITS:
        return 64;
    default:
        return px_real()->pathconf("/", name);
    }
}

PX_EXPORT long pathconf(const char *path, int name)
{
    char place[PX_PATH_MAX];
    int saved_errno = errno;
    long rc = px_claim(AT_FDCWD, path, place);

    if (rc == 0)
        return px_real()->pathconf(path, name);
    return rc > 0 ? limit(name) : px_result(rc, saved_errno);
}

PX_EXPORT long fpathconf(int fd, int name)
{
    return px_has(fd) ? limit(name) : px_real()->fpathconf(fd, name);
}

PX_EXPORT int chdir(const char *path)
{
    char place[PX_PATH_MAX];
    int saved_errno = errno;
    int rc = px_claim(AT_FDCWD, path, place);

    if (rc == 0)
        return px_chdir_away(path);
    return (int)px_result(rc > 0 ? px_chdir(place) : rc, saved_errno);
}

PX_EXPORT int fchdir(int fd)
{
    struct px_open *open = px_get(fd);
    int saved_errno = errno;
    int rc;

    if (open == NULL)
        return px_fchdir_away(fd);
    rc = px_fchdir(open);
    px_put(open);
    return (int)px_result(rc, saved_errno);
}

PX_EXPORT char *getcwd(char *buffer, size_t room)
{
    const char *cwd = px_cwd();
    size_t len = strlen(cwd) + 1;

    if (len == 1 || px_is_inside())
        return px_real()->getcwd(buffer, room);
    if (buffer != NULL && room < len) {
        px_result(room == 0 ? -EINVAL : -ERANGE, 0);
        return NULL;
    }
    if (buffer == NULL)
        buffer = malloc(room > len ? room : len);
    if (buffer != NULL)
        memcpy(buffer, cwd, len);
    return buffer;
}

PX_EXPORT char *get_current_dir_name(void)
{
    return *px_cwd() != '\0' ? strdup(px_cwd())
                             : px_real()->get_current_dir_name();
}

PX_EXPORT char *__getcwd_chk(char *buffer, size_t room, size_t limit_)
{
    return getcwd(buffer, room);
}

/* Walk by hand: one link a round, until none is left on the way. */
static long resolve(const char *place, char *name)
{
    char rest[PX_PATH_MAX], next[PX_PATH_MAX], text[PATH_MAX];
    size_t len = 0;
    unsigned links = 0;

    snprintf(rest, sizeof(rest), "%s", place);
    name[0] = '\0';
    while (*rest != '\0') {
        const char *at = rest + strspn(rest, "/");
        size_t step = strcspn(at, "/");
        struct stat attr;
        long rc;

        if (len + step + 2 > PATH_MAX)
            return -ENAMETOOLONG;
        if (step == 0)
            break;
        if (step == 2 && at[0] == '.' && at[1] == '.') {
            while (len > 0 && name[--len] != '/')
                ;
        } else if (!(step == 1 && at[0] == '.')) {
            name[len] = '/';
            memcpy(name + len + 1, at, step);
            name[len + 1 + step] = '\0';
            rc = px_stat(name, CAPSTAN_NOFOLLOW, &attr);
            if (rc != 0)
                return rc;
            if (S_ISLNK(attr.st_mode)) {
                rc = px_readlink(name, text, sizeof(text) - 1);
                if (rc < 0)
                    return rc;
                text[rc] = '\0';
                if (++links > CAPSTAN_LINKS_MAX)
                    return -ELOOP;
                if (*text == '/') {
                    rc = px_claim(AT_FDCWD, text, next);
                    if (rc <= 0)
                        return rc < 0 ? rc : -EXDEV;
                    snprintf(text, sizeof(text), "%s", next);
                    len = 0;
                }
                if (snprintf(next, sizeof(next), "%s/%s", text, at + step) >=
                    (int)sizeof(next))
                    return -ENAMETOOLONG;
                memcpy(rest, next, strlen(next) + 1);
                name[len] = '\0';
                continue;
            }
            len += 1 + step;
        }
        name[len] = '\0';
        memmove(rest, at + step, strlen(at + step) + 1);
    }
    return 0;
}

PX_EXPORT char *realpath(const char *path, char *out)
{
    char place[PX_PATH_MAX], name[PX_PATH_MAX], full[PX_PATH_MAX];
    int saved_errno = errno;
    long rc = px_claim(AT_FDCWD, path, place);

    if (rc == 0)
        return px_real()->realpath(path, out);
    if (rc > 0)
        rc = resolve(place, name);
    if (rc == 0 && px_full_name(name, full, sizeof(full)) >= PATH_MAX)
        rc = -ENAMETOOLONG;
    if (px_result(rc, saved_errno) != 0)
        return NULL;
    if (out == NULL)
        return strdup(full);
    memcpy(out, full, strlen(full) + 1);
    return out;
}

PX_EXPORT char *canonicalize_file_name(const char *path)
{
    return realpath(path, NULL);
}

PX_EXPORT char *__realpath_chk(const char *path, char *out, size_t room)
{
    return realpath(path, out);
}

PX_EXPORT ssize_t __readlink_chk(const char *path, char *text, size_t room,
                                 size_t limit_)
{
    return readlink(path, text, room);
}

PX_EXPORT ssize_t __readlinkat_chk(int dir, const char *path, char *text,
                                   size_t room, size_t limit_)
{
    return readlinkat(dir, path, text, room);
}

PX_EXPORT ssize_t __read_chk(int fd, void *data, size_t len, size_t limit_)
{
    return read(fd, data, len);
}

PX_EXPORT ssize_t __pread_chk(int fd, void *data, size_t len, off_t at,
                              size_t limit_)
{
    return pread(fd, data, len, at);
}

__asm__(".globl __pread64_chk\n.set __pread64_chk, __pread_chk\n");

PX_EXPORT mode_t umask(mode_t mask)
{
    px_set_umask(mask);
    return px_real()->umask(mask);
}

PX_EXPORT ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at,
                                  size_t len, unsigned flags)
{
    int saved_errno = errno;

    if (!px_has(in) && !px_has(out))
        return px_real()->copy_file_range(in, in_at, out, out_at, len, flags);
    return px_result(flags != 0 ? -EINVAL
                                : px_copy(in, in_at, out, out_at, len),
                     saved_errno);
}

PX_EXPORT ssize_t sendfile(int out, int in, off_t *at, size_t len)
{
    int saved_errno = errno;

    if (!px_has(in) && !px_has(out))
        return px_real()->sendfile(out, in, at, len);
    return px_result(px_copy(in, at, out, NULL, len), saved_errno);
}

PX_EXPORT ssize_t splice(int in, off_t *in_at, int out, off_t *out_at,
                         size_t len, unsigned flags)
{
    if (!px_has(in) && !px_has(out))
        return px_real()->splice(in, in_at, out, out_at, len, flags);
    return px_result(-EINVAL, 0);
}

/* These two return the error. Advice is always taken. */
PX_EXPORT int posix_fadvise(int fd, off_t at, off_t len, int advice)
{
    return px_has(fd) ? 0 : px_real()->posix_fadvise(fd, at, len, advice);
}

PX_EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
    int saved_errno = errno, code;

    if (!px_has(fd))
        return px_real()->posix_fallocate(fd, at, len);
    code = fallocate(fd, 0, at, len) == 0 ? 0 : errno;
    errno = saved_errno;
    return code;
}

__asm__(".globl copy_file_range64\n.set copy_file_range64, copy_file_range\n"
        ".globl sendfile64\n.set sendfile64, sendfile\n"
        ".globl posix_fadvise64\n.set posix_fadvise64, posix_fadvise\n"
        ".globl posix_fallocate64\n.set posix_fallocate64, posix_fallocate\n");
