/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conformance: does an MPI-IO implementation do what the standard says?
 *
 *   mpirun -n RANKS conformance --seeds N [--start S] [options] PATH
 *
 * Each seed makes random datatypes, views, hints, pointers and operations on
 * all ranks, keeps the expected file and buffers in memory by simple code of
 * its own, and compares everything. PATH is the name of a file to be made, with
 * whatever prefix the implementation takes. Nothing here depends on which
 * implementation that is; what it does not support is counted and left out.
 *
 * Possible failure modes are: a fault (printed with seed, step, types and how
 * to repeat it; the next seed goes on; exit status 1); a step that does not end
 * (a message that names seed and step; 3) or a crash (the same; 4).
 */
#include "conformance.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_HANG 3
#define EXIT_CRASH 4

/* For the signal handlers, which may only write(). */
static char where[256];
static char hang_line[256];
static char crash_line[256];
static const char *report;
static unsigned timeout;
static bool is_reported;

static const char usage[] =
    "usage: conformance --seeds N [options] PATH\n"
    "  --start S       the first seed (1)\n"
    "  --shrink        make a failing seed small\n"
    "  --verbose       print every step, and how often each call ran\n"
    "  --report FILE   add a line for each fault: seed ranks step fault call\n"
    "  --go-on         a seed goes on after a wrong count (to see what else "
    "is)\n"
    "  --strict        beyond the standard: bytes never written are zero, and\n"
    "                  a short read changes no memory beyond its count\n"
    "  --no-sync       beyond the standard: a write is visible when it "
    "returns\n"
    "  --no-shared     leave shared file pointers out\n"
    "  --blocking      leave nonblocking calls out\n"
    "  --interlaced    filetypes resized to less than they span, so that one\n"
    "                  tile reaches into the next\n"
    "  --repeats       filetypes that show a byte twice, for files opened\n"
    "                  RDONLY (Open MPI 4.1 refuses them itself)\n"
    "  --timeout T     seconds that one step may take (120)\n"
    "  --steps LIST, --quiet STEP:RANKS, --depth D, --count N, --no-hints\n"
    "                  make the seed smaller, as --shrink found it\n";

static void print_line(const struct run *run, const char *word, char line[256])
{
    snprintf(line, 256, "%llu %d %d %s %s\n", (unsigned long long)run->seed,
             run->size, run->step, word, run->op);
}

void conf_where(const struct run *run)
{
    snprintf(where, sizeof(where), "seed %llu, %d ranks, rank %d, step %d, %s",
             (unsigned long long)run->seed, run->size, run->rank, run->step,
             run->op);
    print_line(run, "hang", hang_line);
    print_line(run, "crash", crash_line);
    alarm(timeout);
}

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        return;
}

/* One write, for other ranks write too. */
static void report_fault(bool is_hang)
{
    int fd;

    if (report == NULL || is_reported)
        return;
    is_reported = true;
    fd = open(report, O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (fd < 0)
        return;
    say(fd, is_hang ? hang_line : crash_line);
    close(fd);
}

static void on_signal(int number)
{
    bool is_hang = number == SIGALRM;

    say(2, "conformance: ");
    say(2, where);
    say(2, is_hang ? ": no end in sight\n" : ": crash\n");
    report_fault(is_hang);
    _exit(is_hang ? EXIT_HANG : EXIT_CRASH);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
}

/* Only these steps: ",2,5," */
static void take_steps(struct mask *mask, const char *text)
{
    for (int i = 0; i < STEPS_MAX; i++)
        mask->is_dropped[i] = true;
    while (*text != '\0') {
        char *end;
        long step = strtol(text, &end, 10);

        if (end != text && step >= 0 && step < STEPS_MAX)
            mask->is_dropped[step] = false;
        text = end != text ? end : text + 1;
    }
}

static void take_quiet(struct mask *mask, const char *text)
{
    char *end;
    long step = strtol(text, &end, 10);

    if (*end == ':' && step >= 0 && step < STEPS_MAX)
        mask->quiet[step] = strtoull(end + 1, NULL, 16);
}

static void take_option(struct settings *settings, int option)
{
    switch (option) {
    case 'n':
        settings->nseeds = strtoull(optarg, NULL, 0);
        break;
    case 's':
        settings->start = strtoull(optarg, NULL, 0);
        break;
    case 'd':
        take_steps(&settings->mask, optarg);
        break;
    case 'q':
        take_quiet(&settings->mask, optarg);
        break;
    case 'D':
        settings->mask.depth = atoi(optarg);
        break;
    case 'c':
        settings->mask.count_max = atoi(optarg);
        break;
    case 't':
        settings->timeout = (unsigned)atoi(optarg);
        break;
    case 'r':
        settings->report = optarg;
        break;
    }
}

static bool parse(int argc, char **argv, struct settings *settings)
{
    int verbose = 0, shrink = 0, strict = 0, no_sync = 0, no_shared = 0,
        no_hints = 0, blocking = 0, repeats = 0, interlaced = 0, go_on = 0,
        option;
    const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},
        {"start", required_argument, NULL, 's'},
        {"steps", required_argument, NULL, 'd'},
        {"quiet", required_argument, NULL, 'q'},
        {"depth", required_argument, NULL, 'D'},
        {"count", required_argument, NULL, 'c'},
        {"timeout", required_argument, NULL, 't'},
        {"report", required_argument, NULL, 'r'},
        {"verbose", no_argument, &verbose, 1},
        {"shrink", no_argument, &shrink, 1},
        {"strict", no_argument, &strict, 1},
        {"no-sync", no_argument, &no_sync, 1},
        {"no-shared", no_argument, &no_shared, 1},
        {"no-hints", no_argument, &no_hints, 1},
        {"blocking", no_argument, &blocking, 1},
        {"repeats", no_argument, &repeats, 1},
        {"interlaced", no_argument, &interlaced, 1},
        {"go-on", no_argument, &go_on, 1},
        {NULL, 0, NULL, 0},
    };

    *settings = (struct settings){
        .start = 1, .timeout = 120, .mask = {.depth = 3, .count_max = 1 << 20}};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return false;
        take_option(settings, option);
    }
    settings->is_verbose = verbose != 0;
    settings->shrinks = shrink != 0;
    settings->is_strict = strict != 0;
    settings->needs_sync = no_sync == 0;
    settings->has_shared = no_shared == 0;
    settings->is_blocking = blocking != 0;
    settings->has_interlaced = interlaced != 0;
    settings->goes_on = go_on != 0;
    settings->has_repeats = repeats != 0;
    settings->mask.has_hints = no_hints == 0;
    settings->path = argv[optind];
    return optind == argc - 1 && settings->nseeds > 0;
}

/* For a script that goes on behind a seed that crashed: FILE.seed. */
static void note_seed(const struct run *run)
{
    char path[4096];
    FILE *to;

    if (run->settings->report == NULL || run->rank != 0)
        return;
    snprintf(path, sizeof(path), "%s.seed", run->settings->report);
    to = fopen(path, "w");
    if (to == NULL)
        return;
    fprintf(to, "%llu\n", (unsigned long long)run->seed);
    fclose(to);
}

static uint64_t run_seeds(struct run *run)
{
    const struct settings *settings = run->settings;
    uint64_t nfailed = 0;

    for (uint64_t i = 0; i < settings->nseeds; i++) {
        run->seed = settings->start + i;
        run->mask = &settings->mask;
        note_seed(run);
        if (seed_run(run) == FAULT_NONE)
            continue;
        nfailed++;
        if (settings->shrinks)
            seed_shrink(run);
    }
    return nfailed > 0 ? nfailed : run->nnoted;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct run *run;
    uint64_t nfailed;

    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    run = must_alloc(sizeof(*run));
    MPI_Comm_rank(MPI_COMM_WORLD, &run->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &run->size);
    if (!parse(argc, argv, &settings) || run->size > RANKS_MAX) {
        if (run->rank == 0)
            fputs(usage, stderr);
        MPI_Finalize();
        return 2;
    }
    report = settings.report;
    timeout = settings.timeout;
    catch_signals();
    run->settings = &settings;
    run->is_telling = settings.is_verbose;
    snprintf(run->path, sizeof(run->path), "%s", settings.path);
    nfailed = run_seeds(run);
    if (run->rank == 0)
        MPI_File_delete(run->path, MPI_INFO_NULL);
    if (run->rank == 0)
        tally_print(&settings, run->size, nfailed);
    free(run);
    MPI_Finalize();
    return nfailed > 0;
}
