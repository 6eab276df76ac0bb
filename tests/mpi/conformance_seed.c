/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One seed: a new file, some steps, and the comparison at the end.
 *
 * After a fault the file is no longer what is expected, so the seed ends there.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>

/* What a step does. X(name, weight) */
#define STEPS(X)                                                               \
    X(ACCESS, 58)                                                              \
    X(VIEW, 12)                                                                \
    X(SEEK, 5)                                                                 \
    X(SEEK_SHARED, 3)                                                          \
    X(RESIZE, 4)                                                               \
    X(GET_SIZE, 3)                                                             \
    X(BYTE_OFFSET, 3)                                                          \
    X(GET_VIEW, 1)                                                             \
    X(SYNC, 1)                                                                 \
    X(INFO, 2)                                                                 \
    X(ATOMICITY, 2)                                                            \
    X(REOPEN, 6)

enum step {
#define X(name, weight) STEP_##name,
    STEPS(X)
#undef X
};

static const unsigned weights[] = {
#define X(name, weight) weight,
    STEPS(X)
#undef X
};

static enum step draw_step(struct rng *rng)
{
    unsigned at = (unsigned)rng_below(rng, 100), step = 0;

    while (at >= weights[step])
        at -= weights[step++];
    return (enum step)step;
}

/* One of the open handles. */
static struct handle *draw_handle(struct run *run, struct rng *rng,
                                  int *number_out)
{
    int number = (int)rng_below(rng, NHANDLES);

    *number_out = number;
    if (!run->handles[number].is_open)
        number = HANDLE_MAIN;
    return &run->handles[number];
}

static void do_step(struct run *run)
{
    struct rng rng;
    enum step step;
    struct handle *handle;
    int number;

    conf_rng(run, -1, 'k', &rng);
    step = draw_step(&rng);
    handle = draw_handle(run, &rng, &number);
    if (run->step == 0)
        step = STEP_VIEW;
    conf_tell(run, "  handle %d:\n", (int)(handle - run->handles));
    switch (step) {
    case STEP_ACCESS:
        step_access(run, handle);
        break;
    case STEP_VIEW:
        step_view(run, handle);
        break;
    case STEP_SEEK:
        step_seek(run, handle);
        break;
    case STEP_SEEK_SHARED:
        step_seek_shared(run, handle);
        break;
    case STEP_RESIZE:
        step_resize(run, handle);
        break;
    case STEP_GET_SIZE:
        step_get_size(run, handle);
        break;
    case STEP_BYTE_OFFSET:
        step_byte_offset(run, handle);
        break;
    case STEP_GET_VIEW:
        step_get_view(run, handle);
        break;
    case STEP_SYNC:
        step_sync(run, handle);
        break;
    case STEP_INFO:
        step_info(run, handle);
        break;
    case STEP_ATOMICITY:
        step_atomicity(run, handle);
        break;
    case STEP_REOPEN:
        step_reopen(run, number);
        break;
    }
}

static void forget_story(struct run *run)
{
    if (run->story != NULL && run->is_telling && run->rank == 0 &&
        !run->is_quiet)
        printf("seed %llu step %d %s\n%s", (unsigned long long)run->seed,
               run->step, run->op, run->story);
    free(run->story);
    run->story = NULL;
}

static int draw_nsteps(struct run *run)
{
    struct rng rng;

    run->step = -1;
    conf_rng(run, -1, 'n', &rng);
    return 8 + (int)rng_below(&rng, STEPS_MAX - 8);
}

/* A file that is not there. What failed before may have left one. */
static void delete_file(struct run *run)
{
    snprintf(run->op, sizeof(run->op), "delete");
    conf_where(run);
    if (run->rank == 0)
        MPI_File_delete(run->path, MPI_INFO_NULL);
    MPI_Barrier(MPI_COMM_WORLD);
}

static void do_steps(struct run *run)
{
    int nsteps = draw_nsteps(run);

    if (!handle_open(run, HANDLE_MAIN, MPI_MODE_RDWR | MPI_MODE_CREATE))
        return;
    for (int i = 0; i < nsteps; i++) {
        forget_story(run);
        run->step = i;
        settle_file(run);
        if (run->verdict.fault != FAULT_NONE)
            return;
        if (!run->mask->is_dropped[i])
            do_step(run);
        if (run->verdict.fault != FAULT_NONE)
            return;
    }
    forget_story(run);
    settle_file(run);
}

enum fault seed_run(struct run *run)
{
    enum fault fault;

    run->verdict = (struct verdict){.fault = FAULT_NONE};
    run->is_dirty = false;
    run->step = -1;
    delete_file(run);
    do_steps(run);
    fault = run->verdict.fault;
    for (int i = 0; i < NHANDLES; i++) {
        snprintf(run->op, sizeof(run->op), "close");
        conf_where(run);
        handle_close(run, i);
    }
    if (fault != FAULT_NONE)
        MPI_Barrier(MPI_COMM_WORLD); /* all have closed it */
    else if (conf_agree(run))
        check_file(run);
    if (fault == FAULT_NONE)
        fault = run->verdict.fault;
    forget_story(run);
    image_clear(&run->image);
    return fault;
}
