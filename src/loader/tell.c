/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tell the storage what will be read, so that it has it in memory by then.
 *
 * MPI names scattered bytes of a file by a view, so a view is what tells: on a
 * file of its own, opened with the hint capstan_access_plan, a rank sets the
 * view of all samples that any rank wants of a coming batch. It never reads
 * there. Batches go to ranks in turn, so each is told once.
 *
 * Possible failure modes are: the storage does not know the hint, a file cannot
 * be opened, no memory: telling ends on this rank. The reads will say what is
 * wrong.
 */
#include "loader/priv.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HINT "capstan_access_plan"

/* The caller's hints and ours. */
static MPI_Info make_info(MPI_Info given)
{
    MPI_Info info;

    if (given == MPI_INFO_NULL)
        MPI_Info_create(&info);
    else
        MPI_Info_dup(given, &info);
    MPI_Info_set(info, HINT, "true");
    return info;
}

int tell_init(struct capstan_loader *loader, const struct plan_shape *shape)
{
    struct tell *tell = &loader->tell;
    uint64_t room = shape->batch;
    int rc;

    tell->files.info = MPI_INFO_NULL;
    if (loader->options.plan == 0 || loader->source != NULL)
        return 0;
    if (room > loader->index.nrows)
        room = loader->index.nrows;
    tell->numbers = mem_calloc(room, sizeof(*tell->numbers));
    tell->offsets = mem_calloc(room, sizeof(*tell->offsets));
    tell->lengths = mem_calloc(room, sizeof(*tell->lengths));
    if (tell->numbers == NULL || tell->offsets == NULL || tell->lengths == NULL)
        return -ENOMEM;
    rc = plan_init(&tell->plan, &loader->index, shape);
    if (rc != 0)
        return rc;
    tell->epoch = loader->options.epoch;
    tell->step = loader->options.step;
    tell->files.comm = MPI_COMM_SELF;
    tell->files.info = make_info(loader->options.info);
    tell->is_on = true;
    return 0;
}

void tell_fini(struct capstan_loader *loader)
{
    struct tell *tell = &loader->tell;

    files_close(&tell->files);
    if (tell->files.info != MPI_INFO_NULL)
        MPI_Info_free(&tell->files.info);
    plan_fini(&tell->plan);
    free(tell->numbers);
    free(tell->offsets);
    free(tell->lengths);
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* A batch's samples, ascending, each once. @return how many. */
static uint64_t gather(struct capstan_loader *loader)
{
    struct tell *tell = &loader->tell;
    struct plan_slice all = plan_step(&tell->plan, tell->step);
    uint64_t count = 0, unique = 0;

    for (uint64_t i = 0; i < all.count && i < loader->index.nrows; i++)
        tell->numbers[count++] = plan_sample(&tell->plan, all.first + i);
    qsort(tell->numbers, count, sizeof(*tell->numbers), by_value);
    for (uint64_t i = 0; i < count; i++)
        if (i == 0 || tell->numbers[i] != tell->numbers[unique - 1])
            tell->numbers[unique++] = tell->numbers[i];
    return unique;
}

/* Does the storage know what we mean? */
static bool is_understood(MPI_File handle)
{
    char value[8] = "";
    MPI_Info info;
    int has = 0;

    if (MPI_File_get_info(handle, &info) != MPI_SUCCESS)
        return false;
    MPI_Info_get(info, HINT, sizeof(value) - 1, value, &has);
    MPI_Info_free(&info);
    return has && strcmp(value, "true") == 0;
}

/* Numbers first .. past - 1 of the batch, all of one file. */
static bool tell_file(struct capstan_loader *loader, uint32_t file,
                      uint64_t first, uint64_t past)
{
    struct tell *tell = &loader->tell;
    MPI_File handle =
        files_open_own(loader, &tell->files, file, tell->next + 1);
    int count = (int)(past - first), rc;
    MPI_Datatype type;

    if (handle == MPI_FILE_NULL || !is_understood(handle))
        return false;
    for (int i = 0; i < count; i++) {
        const struct index_row *row =
            &loader->index.rows[tell->numbers[first + (uint64_t)i]];

        tell->offsets[i] = (MPI_Aint)row->offset;
        tell->lengths[i] = (int)row->length;
    }
    MPI_Type_create_hindexed(count, tell->lengths, tell->offsets, MPI_BYTE,
                             &type);
    MPI_Type_commit(&type);
    rc = MPI_File_set_view(handle, 0, MPI_BYTE, type, "native", MPI_INFO_NULL);
    MPI_Type_free(&type);
    return rc == MPI_SUCCESS;
}

static bool tell_batch(struct capstan_loader *loader)
{
    struct tell *tell = &loader->tell;
    uint64_t count, first = 0;

    if (tell->plan.epoch != tell->epoch)
        plan_set_epoch(&tell->plan, tell->epoch);
    count = gather(loader);
    while (first < count) {
        uint32_t file = index_file_of(&loader->index, tell->numbers[first]);
        uint64_t end = loader->index.files[file].first +
                       index_file_count(&loader->index, file);
        uint64_t past = first;

        while (past < count && tell->numbers[past] < end)
            past++;
        if (!tell_file(loader, file, first, past))
            return false;
        first = past;
    }
    return true;
}

static bool has_next(const struct capstan_loader *loader)
{
    uint64_t epochs = loader->options.epochs;

    return epochs == 0 || loader->tell.epoch - loader->options.epoch < epochs;
}

/* The next batch, if it is this rank's to tell. */
static void tell_next(struct capstan_loader *loader)
{
    struct tell *tell = &loader->tell;

    /* What has been started is read already. */
    if (tell->next > loader->started &&
        tell->next % (uint64_t)loader->ranks == (uint64_t)loader->rank &&
        !tell_batch(loader))
        tell->is_on = false;
    tell->next++;
    if (++tell->step < plan_steps(&tell->plan))
        return;
    tell->step = 0;
    tell->epoch++;
}

void tell_ahead(struct capstan_loader *loader)
{
    struct tell *tell = &loader->tell;

    while (tell->is_on && has_next(loader) &&
           tell->next <= loader->started + loader->options.plan)
        tell_next(loader);
    if (!tell->is_on)
        files_close(&tell->files);
}
