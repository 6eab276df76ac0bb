/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan scrub: every block of every target is read and compared with its sum.
 * A report of what does not fit; status 1 if there is anything, or if a target
 * could not be looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <capstan/cluster.h>

#include "tools/json.h"
#include "tools/options.h"
#include "tools/progress.h"

#define BUDGET ((uint64_t)8 << 20)
#define BAD_MAX 256 /* told of one step */
#define TIMEOUT_SEC_DEFAULT 30

struct options {
    uint64_t rate; /* bytes a second; 0: as fast as it goes */
    bool is_json;
    bool is_quiet;
};

struct totals {
    uint64_t objects, bytes, bad, failed;
};

/* Sleep until so many bytes are due. */
static void keep_rate(uint64_t rate, uint64_t start_ns, uint64_t bytes)
{
    uint64_t due_ns, now = tool_now_ns();
    struct timespec pause;

    if (rate == 0)
        return;
    due_ns = start_ns + (uint64_t)((double)bytes * 1e9 / (double)rate);
    if (due_ns <= now)
        return;
    pause.tv_sec = (time_t)((due_ns - now) / 1000000000u);
    pause.tv_nsec = (long)((due_ns - now) % 1000000000u);
    nanosleep(&pause, NULL);
}

static void tell(struct json *json, uint16_t target,
                 const struct capstan_scrub_bad *bad, size_t n)
{
    char ino[17];

    for (size_t i = 0; i < n; i++) {
        snprintf(ino, sizeof(ino), "%016" PRIx64, bad[i].ino);
        if (json == NULL) {
            printf("target %u: inode %s: block at %" PRIu64
                   " of its object is damaged\n",
                   target, ino, bad[i].offset);
            continue;
        }
        json_open(json, NULL, '{');
        json_string(json, "inode", ino);
        json_number(json, "object_offset", bad[i].offset);
        json_close(json, '}');
    }
}

/* @return 0 or the code of the call that failed. */
static int scrub_target(struct capstan_session *session,
                        const struct options *options,
                        const struct capstan_target *target, struct json *json,
                        struct progress *progress, struct capstan_scrub *scrub)
{
    struct capstan_scrub_bad bad[BAD_MAX];
    uint64_t start_ns = tool_now_ns();
    uint64_t before;
    size_t n;
    int rc;

    while (!scrub->is_done && !tool_interrupted()) {
        before = scrub->bytes;
        rc = capstan_target_scrub(session, target->id, BUDGET, scrub, bad,
                                  BAD_MAX, &n);
        if (rc != 0)
            return rc;
        tell(json, target->id, bad, n);
        progress_add(progress, scrub->bytes - before);
        keep_rate(options->rate, start_ns, scrub->bytes);
    }
    return 0;
}

static void scrub_one(struct capstan_session *session,
                      const struct options *options, size_t index,
                      struct json *json, struct progress *progress,
                      struct totals *totals)
{
    struct capstan_scrub scrub = {0};
    struct capstan_target target;
    int rc;

    capstan_target_info(session, index, &target);
    if (json != NULL) {
        json_open(json, NULL, '{');
        json_number(json, "id", target.id);
        json_open(json, "damaged", '[');
    }
    rc = scrub_target(session, options, &target, json, progress, &scrub);
    totals->objects += scrub.objects;
    totals->bytes += scrub.bytes;
    totals->bad += scrub.bad;
    totals->failed += rc != 0 || !scrub.is_done;
    if (json != NULL) {
        json_close(json, ']');
        json_number(json, "objects", scrub.objects);
        json_number(json, "bytes", scrub.bytes);
        json_bool(json, "is_complete", scrub.is_done);
        if (rc != 0)
            json_string(json, "error", capstan_session_error(session));
        json_close(json, '}');
    } else if (rc != 0) {
        tool_error("scrub", "%s", capstan_session_error(session));
    }
}

static void scrub_all(struct capstan_session *session,
                      const struct options *options, struct totals *totals)
{
    struct progress progress = {0};
    struct json json;

    if (!options->is_quiet)
        progress_start(&progress, 0);
    json_init(&json, stdout);
    if (options->is_json) {
        json_open(&json, NULL, '{');
        json_open(&json, "targets", '[');
    }
    for (size_t i = 0; i < capstan_target_count(session); i++)
        scrub_one(session, options, i, options->is_json ? &json : NULL,
                  &progress, totals);
    if (!options->is_quiet)
        progress_stop(&progress);
    if (options->is_json) {
        json_close(&json, ']');
        json_number(&json, "objects", totals->objects);
        json_number(&json, "bytes", totals->bytes);
        json_number(&json, "damaged", totals->bad);
        json_close(&json, '}');
        json_end(&json);
        return;
    }
    printf("scrub: %" PRIu64 " objects, %" PRIu64 " bytes, %" PRIu64
           " damaged blocks\n",
           totals->objects, totals->bytes, totals->bad);
}

int cmd_scrub(const struct tool_command *command, int argc, char **argv)
{
    struct tool_place place = {.timeout_sec = TIMEOUT_SEC_DEFAULT};
    struct options options = {0};
    const struct option_row rows[] = {
        {0, "json", NULL, "print JSON", OPTION_FLAG, &options.is_json, 0, 0},
        {0, "rate", "SIZE", "read at most so many bytes a second of a target",
         OPTION_SIZE, &options.rate, 1, INT64_MAX},
        {'q', "quiet", NULL, "show no progress", OPTION_FLAG, &options.is_quiet,
         0, 0},
        TOOL_PLACE_OPTIONS(&place),
        OPTIONS_END};
    struct capstan_session *session;
    struct totals totals = {0};
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    rc = tool_session_open(&place, &session);
    if (rc != TOOL_OK)
        return rc;
    tool_catch_interrupts();
    scrub_all(session, &options, &totals);
    capstan_session_close(&session);
    return totals.bad == 0 && totals.failed == 0 ? TOOL_OK : TOOL_FAILED;
}
