/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines on stderr: "capstan[pid] level: what failed, the object, the cause".
 *
 * The level comes from CAPSTAN_LOG (error, warn, info, debug; default warn).
 * An error is logged once, where it is first decided. "%m" prints errno.
 *
 * Threads  any; a line is one write(2), so lines do not mix.
 * Failure  a line that cannot be written is dropped.
 */
#ifndef CAPSTAN_BASE_LOG_H
#define CAPSTAN_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** Is a line of this level printed? */
bool log_enabled(enum log_level level);

/** Print one line when its level is enabled. errno is left as it was. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
    do {                                                                       \
        if (log_enabled(LOG_LEVEL_DEBUG))                                      \
            log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);                            \
    } while (0)

#endif
