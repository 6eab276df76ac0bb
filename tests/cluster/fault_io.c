/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps on one file, each with what came of it on stdout, for scripts that let
 * a device fail meanwhile:
 *
 *     fault_io PATH write:N|read:N|truncate:N|sync ...
 *
 * The file lies on one target. Says "STEP: ok" or "STEP: why not"; `write`
 * writes N bytes from the start, `read` reads and compares them. At the end the
 * file is closed, which is a step too. Exit status 0 whatever the steps gave, 1
 * if the file cannot be opened or a byte is wrong.
 */
#include <capstan/file.h>
#include <capstan/session.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)8 << 20)

static struct capstan_session *session;
static unsigned char bytes[BYTES_MAX], out[BYTES_MAX];

static void say(const char *step, int rc)
{
    printf("%s: %s\n", step, rc == 0 ? "ok" : capstan_session_error(session));
    fflush(stdout);
}

static int read_back(struct capstan_file *file, size_t n)
{
    size_t done = 0;
    int rc = capstan_file_read(file, 0, out, n, &done);

    if (rc == 0 && (done != n || memcmp(bytes, out, n) != 0)) {
        printf("read: WRONG BYTES\n");
        exit(1);
    }
    return rc;
}

static void play(struct capstan_file *file, const char *step)
{
    const char *colon = strchr(step, ':');
    size_t n = colon == NULL ? 0 : strtoull(colon + 1, NULL, 10), done;

    if (n > BYTES_MAX)
        exit(2);
    if (strncmp(step, "write", 5) == 0)
        say("write", capstan_file_write(file, 0, bytes, n, &done));
    else if (strncmp(step, "read", 4) == 0)
        say("read", read_back(file, n));
    else if (strncmp(step, "truncate", 8) == 0)
        say("truncate", capstan_file_truncate(file, n));
    else if (strcmp(step, "sync") == 0)
        say("sync", capstan_file_sync(file));
    else
        exit(2);
}

int main(int argc, char **argv)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    struct capstan_layout layout = {.width = 1};
    struct capstan_file *file;

    if (argc < 3)
        return 2;
    for (size_t i = 0; i < BYTES_MAX; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 9));
    if (capstan_session_open(&options, &session) != 0 ||
        capstan_file_open(session, argv[1],
                          CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                              CAPSTAN_OPEN_CREATE,
                          &layout, &file) != 0) {
        printf("open: %s\n", session == NULL ? capstan_open_error()
                                             : capstan_session_error(session));
        return 1;
    }
    for (int i = 2; i < argc; i++)
        play(file, argv[i]);
    say("close", capstan_file_close(&file));
    capstan_session_close(&session);
    return 0;
}
