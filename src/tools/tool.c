/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the subcommands share. Where a cluster is found: --cluster, --root,
 * $CAPSTAN_CLUSTER, $CAPSTAN_ROOT, then the library's own places.
 */
#include "tools/tool.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

void tool_error(const char *object, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "capstan: %s: ", object);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void tool_session_error(const struct capstan_session *session,
                        const char *object)
{
    const char *text = capstan_session_error(session);

    fflush(stdout);
    /* The library names the object where it knows it. */
    if (strstr(text, object) != NULL)
        fprintf(stderr, "capstan: %s\n", text);
    else
        tool_error(object, "%s", text);
}

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* The file that the command line or CAPSTAN_ROOT names. @return false: none. */
static bool named_file(const struct tool_place *place, char *path)
{
    const char *root = getenv("CAPSTAN_ROOT");

    if (place->cluster != NULL)
        tool_path(path, "%s", place->cluster);
    else if (place->root != NULL)
        tool_path(path, "%s/cluster.yaml", place->root);
    else if (!is_set(getenv("CAPSTAN_CLUSTER")) && is_set(root))
        tool_path(path, "%s/cluster.yaml", root);
    else
        return false;
    return true;
}

void tool_cluster_file(const struct tool_place *place, char *path)
{
    const char *home = getenv("HOME");

    if (named_file(place, path))
        return;
    if (is_set(getenv("CAPSTAN_CLUSTER"))) {
        tool_path(path, "%s", getenv("CAPSTAN_CLUSTER"));
        return;
    }
    tool_path(path, "%s/.capstan/cluster.yaml", home != NULL ? home : "");
    if (access(path, F_OK) != 0)
        tool_path(path, "/etc/capstan/cluster.yaml");
}

int tool_session_open(const struct tool_place *place,
                      struct capstan_session **session_out)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    char path[PATH_MAX];

    if (place->cluster != NULL && place->root != NULL) {
        tool_error("--cluster", "not together with --root");
        return TOOL_USAGE;
    }
    if (named_file(place, path))
        options.cluster_file = path;
    options.timeout_ms = (uint32_t)place->timeout_sec * 1000;
    if (capstan_session_open(&options, session_out) != 0) {
        fprintf(stderr, "capstan: %s\n", capstan_open_error());
        return TOOL_FAILED;
    }
    return TOOL_OK;
}

const char *tool_remote(const char *path)
{
    static const char prefix[] = "capstan:";
    size_t len = sizeof(prefix) - 1;

    if (strncmp(path, prefix, len) == 0)
        path += len;
    return *path != '\0' ? path : "/";
}

static void on_interrupt(int signal)
{
    interrupted = signal;
}

void tool_catch_interrupts(void)
{
    /* SA_RESETHAND: someone who asks twice is not kept waiting. */
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

bool tool_interrupted(void)
{
    return interrupted != 0;
}

uint64_t tool_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void tool_path(char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(path, PATH_MAX, format, args);
    va_end(args);
}
