/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults: noted by a rank, agreed on by all, printed and counted by rank 0.
 */
#include "conformance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPS_MAX 96

static const char *const words[] = {
#define X(name, word) word,
    FAULTS(X)
#undef X
};

#define NFAULTS (sizeof(words) / sizeof(words[0]))

static struct {
    char op[64];
    uint64_t nruns;
    uint64_t nunsupported;
    uint64_t nfaults[NFAULTS];
} tally[OPS_MAX];

const char *conf_fault_word(enum fault fault)
{
    return words[fault];
}

void conf_fault(struct run *run, enum fault fault, const char *format, ...)
{
    struct verdict *verdict = &run->verdict;
    va_list args;

    if (verdict->fault >= fault)
        return;
    verdict->fault = fault;
    va_start(args, format);
    vsnprintf(verdict->text, sizeof(verdict->text), format, args);
    va_end(args);
}

bool conf_ok(struct run *run, int rc, const char *call)
{
    run->verdict.ncalls += rc == MPI_SUCCESS;
    return conf_begun(run, rc, call);
}

bool conf_begun(struct run *run, int rc, const char *call)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int class, length;

    if (rc == MPI_SUCCESS)
        return true;
    MPI_Error_class(rc, &class);
    if (class == MPI_ERR_UNSUPPORTED_OPERATION) {
        run->verdict.nunsupported++;
        return false;
    }
    MPI_Error_string(rc, text, &length);
    conf_fault(run, FAULT_ERROR, "%s: %s", call, text);
    return false;
}

void conf_tell(struct run *run, const char *format, ...)
{
    char text[4096], *longer;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    longer = text_make("%s%s", run->story == NULL ? "" : run->story, text);
    free(run->story);
    run->story = longer;
}

/* One line a fault; the handlers of conformance.c add hangs. */
static void tally_report(const struct run *run)
{
    FILE *to;

    if (run->settings->report == NULL || run->rank != 0)
        return;
    to = fopen(run->settings->report, "a");
    if (to == NULL)
        return;
    fprintf(to, "%llu %d %d %s %s\n", (unsigned long long)run->seed, run->size,
            run->step, conf_fault_word(run->verdict.fault), run->op);
    fclose(to);
}

static void print_fault(const struct run *run, int rank, const char *text)
{
    char mask[1024];

    mask_print(run->mask, mask, sizeof(mask));
    printf("seed %llu, %d ranks, step %d, %s: %s\n  rank %d: %s\n%s",
           (unsigned long long)run->seed, run->size, run->step, run->op,
           conf_fault_word(run->verdict.fault), rank, text,
           run->story == NULL ? "" : run->story);
    printf(
        "  again: mpirun -n %d conformance --start %llu --seeds 1%s%s%s%s %s\n",
        run->size, (unsigned long long)run->seed,
        run->settings->needs_sync ? "" : " --no-sync",
        run->settings->is_blocking ? " --blocking" : "",
        run->settings->has_shared ? "" : " --no-shared", mask,
        run->settings->path);
    fflush(stdout);
}

/* One message: the worst fault and the lowest rank that has it, whether any
 * call was made, whether any was unsupported. */
static void find_worst(const struct verdict *verdict, int rank, int *worst)
{
    int mine[3] = {(int)verdict->fault * RANKS_MAX + RANKS_MAX - 1 - rank,
                   verdict->ncalls > 0, verdict->nunsupported > 0};

    MPI_Allreduce(mine, worst, 3, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
}

bool conf_agree(struct run *run)
{
    struct verdict *verdict = &run->verdict;
    int worst[3], rank;
    enum fault fault;

    find_worst(verdict, run->rank, worst);
    verdict->ncalls = verdict->nunsupported = 0;
    fault = (enum fault)(worst[0] / RANKS_MAX);
    rank = RANKS_MAX - 1 - worst[0] % RANKS_MAX;
    if (fault == FAULT_NONE && worst[1] && worst[2]) {
        fault = FAULT_ERROR;
        snprintf(verdict->text, sizeof(verdict->text),
                 "supported here and unsupported there");
    }
    if (fault != FAULT_NONE) {
        MPI_Bcast(verdict->text, sizeof(verdict->text), MPI_CHAR, rank,
                  MPI_COMM_WORLD);
        verdict->fault = fault;
        if (run->rank == 0 && !run->is_quiet)
            print_fault(run, rank, verdict->text);
    }
    tally_add(run, worst[2]);
    if (fault != FAULT_NONE && !run->is_quiet)
        tally_report(run);
    if (run->settings->goes_on &&
        (fault == FAULT_COUNT || fault == FAULT_BEYOND)) {
        run->nnoted++;
        verdict->fault = fault = FAULT_NONE;
    }
    return fault == FAULT_NONE && !worst[2];
}

void tally_add(const struct run *run, bool is_unsupported)
{
    int i = 0;

    if (run->is_quiet)
        return;
    while (i < OPS_MAX - 1 && tally[i].op[0] != '\0' &&
           strcmp(tally[i].op, run->op) != 0)
        i++;
    snprintf(tally[i].op, sizeof(tally[i].op), "%s", run->op);
    tally[i].nruns++;
    tally[i].nunsupported += is_unsupported;
    tally[i].nfaults[run->verdict.fault]++;
}

static void print_row(int i, FILE *to)
{
    fprintf(to, "%-32s %8llu %8llu", tally[i].op,
            (unsigned long long)tally[i].nruns,
            (unsigned long long)tally[i].nunsupported);
    for (size_t f = 1; f < NFAULTS; f++)
        if (tally[i].nfaults[f] > 0)
            fprintf(to, "  %s %llu", words[f],
                    (unsigned long long)tally[i].nfaults[f]);
    fprintf(to, "\n");
}

void tally_print(const struct settings *settings, int size, uint64_t nfailed)
{
    uint64_t nruns = 0, nunsupported = 0;

    for (int i = 0; i < OPS_MAX && tally[i].op[0] != '\0'; i++) {
        nruns += tally[i].nruns;
        nunsupported += tally[i].nunsupported;
        if (settings->is_verbose)
            print_row(i, stdout);
    }
    printf("conformance: %llu seeds from %llu at %d ranks: %llu failed; "
           "%llu operations, %llu unsupported\n",
           (unsigned long long)settings->nseeds,
           (unsigned long long)settings->start, size,
           (unsigned long long)nfailed, (unsigned long long)nruns,
           (unsigned long long)nunsupported);
}
