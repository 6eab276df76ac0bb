/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open and close a loader. All ranks go through the same steps, and agree after
 * each that may fail on one of them alone:
 *
 *   1. Options, with their defaults; the same on all ranks where they must be.
 *   2. The index: all ranks read the same bytes in one collective.
 *   3. The plan, and memory for the batches.
 *
 * The pump begins to read with the first call of capstan_loader_next().
 */
#include "loader/priv.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_A_RANK 32u
#define WINDOW_DEFAULT 8u
#define DEPTH_DEFAULT 2u
#define PLAN_MAX 1024u
#define FILES_DEFAULT 64u
#define MEMORY_DEFAULT ((uint64_t)1 << 30)

#define DEFAULT(field, value)                                                  \
    do {                                                                       \
        if ((field) == 0)                                                      \
            (field) = (value);                                                 \
    } while (0)

static void set_progress(struct capstan_loader_options *options,
                         bool *is_auto_out, struct note *note)
{
    int provided = MPI_THREAD_SINGLE;

    MPI_Query_thread(&provided);
    *is_auto_out = options->progress == CAPSTAN_PROGRESS_AUTO;
    if (options->progress == CAPSTAN_PROGRESS_AUTO)
        options->progress = provided == MPI_THREAD_MULTIPLE
                                ? CAPSTAN_PROGRESS_THREAD
                                : CAPSTAN_PROGRESS_CALLER;
    if (options->progress == CAPSTAN_PROGRESS_THREAD &&
        provided != MPI_THREAD_MULTIPLE)
        note_set(note, -EINVAL,
                 "a thread for progress needs MPI_THREAD_MULTIPLE");
}

static void set_options(struct capstan_loader *loader,
                        const struct capstan_loader_options *options)
{
    struct capstan_loader_options *own = &loader->options;

    if (options != NULL)
        *own = *options;
    DEFAULT(own->batch, BATCH_A_RANK * (uint64_t)loader->ranks);
    DEFAULT(own->window, WINDOW_DEFAULT);
    DEFAULT(own->weight, 1);
    DEFAULT(own->group, 1);
    DEFAULT(own->depth, DEPTH_DEFAULT);
    DEFAULT(own->memory_max, MEMORY_DEFAULT);
    DEFAULT(own->files_max, FILES_DEFAULT);
    if (own->batch > UINT32_MAX || own->depth > DEPTH_MAX ||
        own->plan > PLAN_MAX || (unsigned)own->shuffle > CAPSTAN_SHUFFLE_NONE ||
        (unsigned)own->tail > CAPSTAN_TAIL_SHORT ||
        (unsigned)own->progress > CAPSTAN_PROGRESS_THREAD)
        note_set(&loader->note, -EINVAL, "an option has no such value");
    if ((uint32_t)loader->ranks % own->group != 0)
        note_set(&loader->note, -EINVAL, "%d ranks are no groups of %u",
                 loader->ranks, own->group);
    set_progress(own, &loader->is_auto, &loader->note);
}

/* The sum of all that must be alike. The index's name is, for it is read. */
static uint32_t digest(const struct capstan_loader *loader)
{
    const struct capstan_loader_options *own = &loader->options;
    uint64_t fields[] = {own->batch,
                         own->epochs,
                         own->epoch,
                         own->step,
                         own->seed,
                         (uint64_t)own->shuffle,
                         (uint64_t)own->tail,
                         own->window,
                         own->group,
                         own->depth,
                         own->files_max,
                         own->plan,
                         (uint64_t)own->progress,
                         (uint64_t)own->is_independent != 0};

    return crc32c(crc32c(0, fields, sizeof(fields)), loader->dataset,
                  strlen(loader->dataset));
}

/* Step 1. A rank may be without memory for the name already. */
static int agree_options(struct capstan_loader *loader)
{
    uint32_t own, both[2];

    if (note_agree(&loader->note, loader->comm) != 0)
        return loader->note.code;
    own = digest(loader);
    both[0] = own;
    both[1] = ~own;
    MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_UINT32_T, MPI_MAX, loader->comm);
    if (both[0] != ~both[1])
        note_set(&loader->note, -EINVAL,
                 "dataset or options are not the same on all ranks");
    return loader->note.code;
}

/* Who reads, if it is not us. HDF5 is used by one thread at a time, and the
 * program may use it too: so by the program's thread, unless it says otherwise.
 */
static void find_source(struct capstan_loader *loader)
{
    char text[SOURCE_TEXT_MAX];

    if (loader->note.code != 0 || loader->index.format != INDEX_HDF5)
        return;
    loader->source = source_hdf5(text);
    if (loader->source == NULL)
        note_set(&loader->note, -ENOTSUP, "%s: cannot read through HDF5: %s",
                 loader->dataset, text);
    if (loader->is_auto)
        loader->options.progress = CAPSTAN_PROGRESS_CALLER;
}

/* People give a directory of data that they have not indexed. */
static void say_how(struct note *note)
{
    size_t length = strlen(note->text);

    snprintf(note->text + length, sizeof(note->text) - length,
             "; `capstan index' makes the index of data that are there, "
             "`capstan pack' that of new ones");
}

/* Step 2. */
static int read_index(struct capstan_loader *loader)
{
    const char *name = loader->options.index;
    struct note *note = &loader->note;
    struct slurped slurped;
    char *path = files_path(loader->dataset, name != NULL ? name : "index");
    int rc = 0;

    if (path == NULL)
        note_set(note, -ENOMEM, "no memory for a name");
    if (note_agree(note, loader->comm) == 0 &&
        files_slurp(loader->comm, path, loader->options.info, &slurped, note) ==
            0) {
        if (loader->is_auto && !slurped.bears_thread)
            loader->options.progress = CAPSTAN_PROGRESS_CALLER;
        rc = index_decode(slurped.data, slurped.size, &loader->index);
        if (rc != 0)
            note_set(note, rc, "%s: %s", path,
                     rc == -ENOMEM ? "no memory for it"
                                   : "not an index, or damaged");
        else if (loader->index.nrows == 0)
            note_set(note, -EINVAL, "%s: no samples in it", path);
        free(slurped.data);
        find_source(loader);
    } else if (note->code == -ENOENT) {
        say_how(note);
    }
    free(path);
    return note_agree(note, loader->comm);
}

static void make_plan(struct capstan_loader *loader)
{
    const struct capstan_loader_options *own = &loader->options;
    struct plan_shape shape = {.batch = own->batch,
                               .seed = own->seed,
                               .shuffle = own->shuffle,
                               .tail = own->tail,
                               .window = own->window,
                               .ranks = (uint32_t)loader->ranks,
                               .group = own->group,
                               .weights = loader->weights};
    int rc = plan_init(&loader->plan, &loader->index, &shape);

    loader->has_plan = rc == 0;
    if (rc == 0) {
        loader->has_single = plan_is_single(&loader->plan);
        rc = tell_init(loader, &shape);
    }
    if (rc != 0)
        note_set(&loader->note, rc, "%s",
                 rc == -ENOMEM ? "no memory for a plan" : "weights too large");
    if (rc == 0 && own->step > 0 && own->step >= plan_steps(&loader->plan))
        note_set(&loader->note, -EINVAL, "step %llu: an epoch has %llu",
                 (unsigned long long)own->step,
                 (unsigned long long)plan_steps(&loader->plan));
}

static void make_slots(struct capstan_loader *loader)
{
    uint32_t nfiles = loader->index.nfiles, count = loader->options.depth + 1;
    uint64_t reads = loader->options.batch;

    if (!loader->options.is_independent && nfiles < reads)
        reads = nfiles;
    loader->touched = mem_calloc(nfiles, sizeof(*loader->touched));
    loader->files = mem_calloc(nfiles, sizeof(*loader->files));
    loader->slots = mem_calloc(count, sizeof(*loader->slots));
    if (loader->touched == NULL || loader->files == NULL ||
        loader->slots == NULL) {
        note_set(&loader->note, -ENOMEM, "no memory for %u files", nfiles);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (reads_init(&loader->slots[i].reads, reads) != 0)
            note_set(&loader->note, -ENOMEM, "no memory for %llu reads",
                     (unsigned long long)reads);
        loader->slots[i].shared = MPI_REQUEST_NULL;
        loader->slots[i].files.comm =
            loader->options.is_independent ? MPI_COMM_SELF : loader->comm;
        loader->slots[i].files.info = loader->options.info;
        loader->slots[i].files.through = loader->source;
    }
    loader->nslots = count;
}

/* Can it be that not all slots have room at once? */
static void find_tight(struct capstan_loader *loader)
{
    uint64_t longest = 1;

    loader->memory_least = loader->options.memory_max;
    MPI_Allreduce(MPI_IN_PLACE, &loader->memory_least, 1, MPI_UINT64_T, MPI_MIN,
                  loader->comm);
    for (uint64_t i = 0; i < loader->index.nrows; i++)
        if (loader->index.rows[i].length > longest)
            longest = loader->index.rows[i].length;
    loader->is_tight = loader->has_plan &&
                       plan_share_max(&loader->plan) >
                           loader->memory_least / ((loader->options.depth + 1) *
                                                   slot_aligned(longest));
}

/* Step 3. */
static int make(struct capstan_loader *loader)
{
    uint32_t weight = loader->options.weight;

    loader->weights =
        mem_calloc((size_t)loader->ranks, sizeof(*loader->weights));
    if (loader->weights == NULL)
        note_set(&loader->note, -ENOMEM, "no memory for weights");
    if (note_agree(&loader->note, loader->comm) != 0)
        return loader->note.code;
    MPI_Allgather(&weight, 1, MPI_UINT32_T, loader->weights, 1, MPI_UINT32_T,
                  loader->comm);
    make_plan(loader);
    make_slots(loader);
    find_tight(loader);
    loader->epoch = loader->options.epoch;
    loader->step = loader->options.step;
    return note_agree(&loader->note, loader->comm);
}

static void dup_comms(struct capstan_loader *loader, MPI_Comm comm)
{
    MPI_Comm_dup(comm, &loader->comm);
    MPI_Comm_dup(comm, &loader->gate_comm);
    MPI_Comm_dup(comm, &loader->agree_comm);
    MPI_Comm_rank(comm, &loader->rank);
    MPI_Comm_size(comm, &loader->ranks);
}

/* A loader, or none on all ranks. */
static struct capstan_loader *create(MPI_Comm comm, const char *dataset)
{
    struct capstan_loader *loader = mem_calloc(1, sizeof(*loader));
    int have = 0, least;

    if (loader != NULL) {
        loader->options =
            (struct capstan_loader_options)CAPSTAN_LOADER_OPTIONS_INIT;
        loader->dataset = mem_strdup(dataset);
        have = loader->dataset != NULL;
    }
    MPI_Allreduce(&have, &least, 1, MPI_INT, MPI_MIN, comm);
    if (least != 0)
        return loader;
    if (loader != NULL)
        free(loader->dataset);
    free(loader);
    return NULL;
}

int capstan_loader_open(MPI_Comm comm, const char *dataset,
                        const struct capstan_loader_options *options,
                        struct capstan_loader **loader_out)
{
    struct capstan_loader *loader = create(comm, dataset);

    if (loader == NULL)
        return -ENOMEM;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    dup_comms(loader, comm);
    set_options(loader, options);
    if (agree_options(loader) == 0 && read_index(loader) == 0)
        make(loader);
    *loader_out = loader;
    return loader->note.code;
}

void capstan_loader_close(struct capstan_loader **loader_p)
{
    struct capstan_loader *loader = *loader_p;

    if (loader == NULL)
        return;
    *loader_p = NULL;
    if (loader->is_pumping)
        pump_stop(loader);
    for (uint32_t i = 0; i < loader->nslots; i++)
        slot_fini(loader, &loader->slots[i]);
    if (loader->has_plan) {
        tell_fini(loader);
        plan_fini(&loader->plan);
    }
    index_fini(&loader->index);
    MPI_Comm_free(&loader->comm);
    MPI_Comm_free(&loader->gate_comm);
    MPI_Comm_free(&loader->agree_comm);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    free(loader->slots);
    free(loader->touched);
    free(loader->files);
    free(loader->weights);
    free(loader->dataset);
    free(loader);
}
