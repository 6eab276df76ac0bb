/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which paths are ours, and the working directory.
 *
 * The working directory can be below the prefix although the kernel knows no
 * such directory: then it is kept here, and relative paths begin at it. A
 * program that is executed learns of it by CAPSTAN_CWD (preload_exec.c).
 *
 * "..", where it decides whether a path is ours, goes by the text of the path.
 * What is ours is handed on as it is written, for the library to walk.
 *
 * Possible failure modes are: a path that is too long.
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "/capstan"

static struct {
    char prefix[256]; /* absolute, without a slash at the end */
    size_t len;
    char cwd[PX_PATH_MAX]; /* with the prefix; "": the kernel's counts */
    pid_t left_by;         /* a child of vfork, whose parent has not; or 0 */
} path_state;

const char *px_prefix(void)
{
    return path_state.prefix;
}

const char *px_cwd(void)
{
    bool has_left = path_state.left_by != 0 && path_state.left_by == getpid();

    return has_left ? "" : path_state.cwd;
}

/* Is there a "." or ".." or an empty name in a path? */
static bool is_untidy(const char *path)
{
    for (; *path != '\0'; path++)
        if (path[0] == '/' && (path[1] == '/' || path[1] == '.'))
            return true;
    return false;
}

/* Take "//", "." and ".." out of an absolute path, in place. */
static void tidy(char *path)
{
    char *out = path;
    const char *in = path;

    while (*in != '\0') {
        size_t len;

        in += strspn(in, "/");
        len = strcspn(in, "/");
        if (len == 2 && in[0] == '.' && in[1] == '.') {
            while (out > path && *--out != '/')
                ;
        } else if (len > 0 && !(len == 1 && in[0] == '.')) {
            *out++ = '/';
            memmove(out, in, len);
            out += len;
        }
        in += len;
    }
    *out = '\0';
}

static bool is_below_prefix(const char *path)
{
    size_t len = path_state.len;

    return strncmp(path, path_state.prefix, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

static int copy(char *place, const char *rest)
{
    if (strlen(rest) >= PX_PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(place, *rest != '\0' ? rest : "/", strlen(rest) + 1 + (*rest == 0));
    return 1;
}

/* An absolute path: ours if it begins with the prefix and "..", if any, leaves
 * it there. */
static int claim_absolute(const char *path, char *place)
{
    char tidied[PX_PATH_MAX];

    if (!is_untidy(path))
        return is_below_prefix(path) ? copy(place, path + path_state.len) : 0;
    if (strlen(path) >= sizeof(tidied))
        return 0;
    memcpy(tidied, path, strlen(path) + 1);
    tidy(tidied);
    if (!is_below_prefix(tidied))
        return 0;
    /* without "..", the text as it is says more (a slash at its end) */
    if (is_below_prefix(path) && strstr(path, "/..") == NULL)
        return copy(place, path + path_state.len);
    return copy(place, tidied + path_state.len);
}

static int claim_below(const char *directory, const char *path, char *place)
{
    char joined[PX_PATH_MAX];
    size_t len = strlen(directory), rest = strlen(path);

    if (len + 1 + rest >= sizeof(joined))
        return -ENAMETOOLONG;
    memcpy(joined, directory, len);
    joined[len] = '/';
    memcpy(joined + len + 1, path, rest + 1);
    return claim_absolute(joined, place);
}

/* A relative path while the kernel's working directory counts: it may climb to
 * the root and down again. */
static int claim_climbing(const char *path, char *place)
{
    const char *last = strrchr(path_state.prefix, '/') + 1;
    char cwd[PATH_MAX];

    if (strstr(path, last) == NULL || px_real()->getcwd(cwd, sizeof(cwd)) == 0)
        return 0;
    return claim_below(cwd, path, place);
}

static int claim_at(int dirfd, const char *path, char *place)
{
    struct px_open *open = px_get(dirfd);
    char full[PX_PATH_MAX];
    int rc;

    if (open == NULL)
        return 0;
    rc = open->is_directory ? (int)px_full_name(open->path, full, sizeof(full))
                            : -ENOTDIR;
    px_put(open);
    return rc < 0 ? rc : claim_below(full, path, place);
}

int px_claim(int dirfd, const char *path, char *place)
{
    if (path == NULL || path_state.len == 0 || px_is_inside())
        return 0; /* also before our constructor has run */
    if (*path == '/')
        return claim_absolute(path, place);
    if (*path == '\0')
        return 0;
    if (dirfd != AT_FDCWD)
        return claim_at(dirfd, path, place);
    if (*px_cwd() != '\0')
        return claim_below(px_cwd(), path, place);
    return claim_climbing(path, place);
}

/* libcapstan's capstan_place_find() asks by this name. */
PX_EXPORT int capstan_posix_claim(const char *path, char *out, size_t room);

int capstan_posix_claim(const char *path, char *out, size_t room)
{
    char place[PX_PATH_MAX];
    int rc = px_claim(AT_FDCWD, path, place);

    if (rc <= 0)
        return rc < 0 ? rc : -ENOENT;
    if (strlen(place) >= room)
        return -ENAMETOOLONG;
    memcpy(out, place, strlen(place) + 1);
    return 0;
}

long px_full_name(const char *place, char *name, size_t room)
{
    size_t len = path_state.len;
    size_t rest = strcmp(place, "/") == 0 ? 0 : strlen(place);

    if (len + 1 + rest >= room)
        return -ERANGE;
    memcpy(name, path_state.prefix, len);
    name[len] = '\0';
    if (rest > 0 && *place != '/')
        name[len++] = '/';
    memcpy(name + len, place, rest);
    name[len + rest] = '\0';
    return (long)(len + rest);
}

int px_chdir(const char *place)
{
    char name[PX_PATH_MAX];
    struct capstan_session *session;
    struct capstan_stat stat;
    long rc = px_full_name(place, name, sizeof(name));

    if (rc < 0)
        return -ENAMETOOLONG;
    rc = px_enter(&session);
    if (rc != 0)
        return (int)rc;
    rc = capstan_stat(session, place, &stat);
    if (rc == 0 && stat.type != CAPSTAN_DIRECTORY)
        rc = -ENOTDIR;
    if (rc == 0)
        rc = capstan_access(session, place, 1);
    px_leave();
    if (rc != 0)
        return (int)rc;
    tidy(name);
    memcpy(path_state.cwd, name, strlen(name) + 1);
    return 0;
}

int px_fchdir(struct px_open *open)
{
    if (!open->is_directory)
        return -ENOTDIR;
    return *open->path != '\0' ? px_chdir(open->path) : -ENOTSUP;
}

/* A child of vfork has its parent's memory, but a working directory of its own.
 */
static int leave(int rc)
{
    if (rc != 0)
        return rc;
    if (px_is_borrowed())
        path_state.left_by = getpid();
    else
        path_state.cwd[0] = '\0';
    return 0;
}

int px_chdir_away(const char *path)
{
    char name[2 * PX_PATH_MAX];

    if (path == NULL || *path == '/' || *path == '\0' || *px_cwd() == '\0')
        return leave(px_real()->chdir(path));
    /* climbs out of ours, of which the kernel knows nothing */
    snprintf(name, sizeof(name), "%s/%s", px_cwd(), path);
    tidy(name);
    return leave(px_real()->chdir(*name != '\0' ? name : "/"));
}

int px_fchdir_away(int fd)
{
    return leave(px_real()->fchdir(fd));
}

void px_path_init(void)
{
    const char *prefix = getenv("CAPSTAN_PREFIX");
    const char *cwd = getenv("CAPSTAN_CWD");

    if (prefix == NULL || *prefix != '/' ||
        prefix[strspn(prefix, "/.")] == '\0' ||
        strlen(prefix) >= sizeof(path_state.prefix))
        prefix = PREFIX;
    memcpy(path_state.prefix, prefix, strlen(prefix) + 1);
    tidy(path_state.prefix);
    path_state.len = strlen(path_state.prefix);
    if (cwd != NULL && is_below_prefix(cwd) &&
        strlen(cwd) < sizeof(path_state.cwd))
        memcpy(path_state.cwd, cwd, strlen(cwd) + 1);
    unsetenv("CAPSTAN_CWD");
}
