/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"error", "warn", "info", "debug"};

static enum log_level level_from_env(void)
{
    const char *wanted = getenv("CAPSTAN_LOG");
    size_t i;

    for (i = 0; wanted != NULL && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(wanted, names[i]) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_WARN;
}

bool log_enabled(enum log_level level)
{
    static int enabled = -1; /* read once; a race reads the same value twice */

    if (__atomic_load_n(&enabled, __ATOMIC_RELAXED) < 0)
        __atomic_store_n(&enabled, (int)level_from_env(), __ATOMIC_RELAXED);
    return (int)level <= __atomic_load_n(&enabled, __ATOMIC_RELAXED);
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[1024];
    int saved = errno;
    int used, more;
    ssize_t ignored;
    va_list args;

    if (!log_enabled(level))
        return;
    used = snprintf(line, sizeof(line), "capstan[%d] %s: ", (int)getpid(),
                    names[level]);
    errno = saved;
    va_start(args, format);
    more = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    va_end(args);
    used += more < 0 ? 0 : more;
    if (used > (int)sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used++] = '\n';
    ignored = write(STDERR_FILENO, line, used);
    (void)ignored;
    errno = saved;
}
