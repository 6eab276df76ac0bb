/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs that are executed: they are told the working directory, if it is
 * ours, by CAPSTAN_CWD. Descriptors they find by themselves (preload_fds.c).
 *
 * Possible failure modes are: a program that lies below the prefix cannot be
 * executed, for the kernel knows no such file (ENOENT); use a mount for that.
 */
#include "posix/preload.h"

#include "posix/preload_real.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "CAPSTAN_CWD="
#define ENV_MAX 4096
#define ARGS_MAX 4096

struct env {
    char *list[ENV_MAX + 2];
    char cwd[sizeof(VARIABLE) + PX_PATH_MAX];
};

/* The environment to hand on. In the caller's memory, for a child of vfork must
 * not allocate any. */
static char *const *with_cwd(char *const env[], struct env *ours)
{
    size_t count = 0;

    if (*px_cwd() == '\0')
        return env;
    for (; env != NULL && *env != NULL && count < ENV_MAX; env++)
        if (strncmp(*env, VARIABLE, sizeof(VARIABLE) - 1) != 0)
            ours->list[count++] = *env;
    snprintf(ours->cwd, sizeof(ours->cwd), VARIABLE "%s", px_cwd());
    ours->list[count++] = ours->cwd;
    ours->list[count] = NULL;
    return ours->list;
}

PX_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
    struct env ours;

    return px_real()->execve(path, argv, with_cwd(env, &ours));
}

PX_EXPORT int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

PX_EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
    struct env ours;

    return px_real()->execvpe(file, argv, with_cwd(env, &ours));
}

PX_EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

/* Take a list of arguments up to its NULL. @return how many, or -E2BIG. */
static long gather(const char *first, va_list args, char *argv[ARGS_MAX])
{
    long count = 0;

    for (const char *arg = first; arg != NULL; arg = va_arg(args, char *)) {
        if (count == ARGS_MAX - 1)
            return -E2BIG;
        argv[count++] = (char *)(uintptr_t)arg;
    }
    argv[count] = NULL;
    return count;
}

PX_EXPORT int execl(const char *path, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list args;
    long rc;

    va_start(args, arg);
    rc = gather(arg, args, argv);
    va_end(args);
    return rc < 0 ? (int)px_result(rc, 0) : execv(path, argv);
}

PX_EXPORT int execlp(const char *file, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list args;
    long rc;

    va_start(args, arg);
    rc = gather(arg, args, argv);
    va_end(args);
    return rc < 0 ? (int)px_result(rc, 0) : execvp(file, argv);
}

PX_EXPORT int execle(const char *path, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    char *const *env = NULL;
    va_list args;
    long rc;

    va_start(args, arg);
    rc = gather(arg, args, argv);
    if (rc >= 0)
        env = va_arg(args, char *const *);
    va_end(args);
    return rc < 0 ? (int)px_result(rc, 0) : execve(path, argv, env);
}

PX_EXPORT int posix_spawn(pid_t *pid, const char *path,
                          const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attr, char *const argv[],
                          char *const env[])
{
    struct env ours;

    return px_real()->posix_spawn(pid, path, actions, attr, argv,
                                  with_cwd(env, &ours));
}

PX_EXPORT int posix_spawnp(pid_t *pid, const char *file,
                           const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attr, char *const argv[],
                           char *const env[])
{
    struct env ours;

    return px_real()->posix_spawnp(pid, file, actions, attr, argv,
                                   with_cwd(env, &ours));
}
