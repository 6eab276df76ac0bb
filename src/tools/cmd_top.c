/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan top: what every target does, once an interval: operations and bytes a
 * second, what is queued, how long requests take. All of it comes from two
 * looks at the counters of `capstan status`.
 *
 * The times are upper bounds: half of the requests of the interval, and 99 of
 * 100, were answered within so long.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <capstan/cluster.h>

#include "tools/options.h"

#define TIMEOUT_SEC_DEFAULT 2
#define TARGETS_MAX 256

struct look {
    struct capstan_counter counters[CAPSTAN_COUNTERS_MAX];
    size_t count; /* 0: it did not answer */
    uint64_t now_ns;
};

static uint64_t value_of(const struct look *look, const char *name)
{
    for (size_t i = 0; i < look->count; i++)
        if (strcmp(look->counters[i].name, name) == 0)
            return look->counters[i].value;
    return 0;
}

/* How much a counter has grown; after a restart, what it is. */
static uint64_t growth(const struct look *before, const struct look *after,
                       const char *name)
{
    uint64_t old = value_of(before, name), new = value_of(after, name);

    return new >= old ? new - old : new;
}

static double rate(const struct look *before, const struct look *after,
                   const char *name)
{
    double seconds = (double)(after->now_ns - before->now_ns) / 1e9;

    return seconds > 0 ? (double)growth(before, after, name) / seconds : 0;
}

/* The text of the bucket that holds this share of the requests: the end of the
 * name of its counter, "reads_within_64us". */
static const char *time_of(const struct look *before, const struct look *after,
                           const char *prefix, double share)
{
    size_t len = strlen(prefix);
    uint64_t all = 0, seen = 0;
    const char *name;

    for (size_t i = 0; i < after->count; i++)
        if (strncmp(after->counters[i].name, prefix, len) == 0)
            all += growth(before, after, after->counters[i].name);
    if (all == 0)
        return "-";
    for (size_t i = 0; i < after->count; i++) {
        name = after->counters[i].name;
        if (strncmp(name, prefix, len) != 0)
            continue;
        seen += growth(before, after, name);
        if ((double)seen >= share * (double)all)
            return name + len;
    }
    return "-";
}

static void take(struct capstan_session *session, size_t index,
                 struct look *look)
{
    struct capstan_target target;

    capstan_target_info(session, index, &target);
    if (capstan_target_counters(session, target.id, look->counters,
                                CAPSTAN_COUNTERS_MAX, &look->count) != 0)
        look->count = 0;
    look->now_ns = tool_now_ns();
}

static void print_row(const struct capstan_target *target,
                      const struct look *before, const struct look *after)
{
    if (after->count == 0) {
        printf("%6u %-12s down\n", target->id, target->server);
        return;
    }
    printf("%6u %-12s %8.0f %8.0f %8.0f %9.1f %9.1f %6" PRIu64 " %7s %7s %7s "
           "%7s %7" PRIu64 "\n",
           target->id, target->server, rate(before, after, "reads"),
           rate(before, after, "writes"), rate(before, after, "names_ops"),
           rate(before, after, "bytes_sent") / 1e6,
           rate(before, after, "bytes_received") / 1e6,
           value_of(after, "queued"),
           time_of(before, after, "reads_within_", 0.5),
           time_of(before, after, "reads_within_", 0.99),
           time_of(before, after, "writes_within_", 0.5),
           time_of(before, after, "writes_within_", 0.99),
           growth(before, after, "errors") +
               growth(before, after, "sums_mismatches"));
}

static void print_table(struct capstan_session *session,
                        const struct look *before, const struct look *after,
                        size_t count)
{
    struct capstan_target target;

    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    printf("%6s %-12s %8s %8s %8s %9s %9s %6s %7s %7s %7s %7s %7s\n", "target",
           "server", "reads/s", "writes/s", "names/s", "MB/s out", "MB/s in",
           "queue", "read", "99%", "write", "99%", "errors");
    for (size_t i = 0; i < count; i++) {
        capstan_target_info(session, i, &target);
        print_row(&target, &before[i], &after[i]);
    }
    fflush(stdout);
}

static void watch(struct capstan_session *session, uint64_t interval_sec,
                  uint64_t rounds)
{
    static struct look looks[2][TARGETS_MAX];
    size_t i, count = capstan_target_count(session);
    struct timespec pause = {.tv_sec = (time_t)interval_sec};
    unsigned now = 0;

    if (count > TARGETS_MAX)
        count = TARGETS_MAX;
    for (i = 0; i < count; i++)
        take(session, i, &looks[now][i]);
    for (uint64_t n = 0; rounds == 0 || n < rounds; n++) {
        nanosleep(&pause, NULL);
        if (tool_interrupted())
            return;
        now ^= 1;
        for (i = 0; i < count; i++)
            take(session, i, &looks[now][i]);
        print_table(session, looks[now ^ 1], looks[now], count);
    }
}

int cmd_top(const struct tool_command *command, int argc, char **argv)
{
    struct tool_place place = {.timeout_sec = TIMEOUT_SEC_DEFAULT};
    uint64_t interval_sec = 1, rounds = 0;
    const struct option_row rows[] = {
        {'i', "interval", "SECONDS", "between two looks (1)", OPTION_SIZE,
         &interval_sec, 1, 3600},
        {'n', "rounds", "N", "end after so many tables", OPTION_SIZE, &rounds,
         1, 1u << 30},
        TOOL_PLACE_OPTIONS(&place),
        OPTIONS_END};
    struct capstan_session *session;
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&place, &session);
    if (rc != TOOL_OK)
        return rc;
    tool_catch_interrupts();
    watch(session, interval_sec, rounds);
    capstan_session_close(&session);
    return TOOL_OK;
}
