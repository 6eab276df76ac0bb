/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Individual and shared file pointers: seek, and ask where they are.
 */
#include "conformance.h"

#include <stdio.h>

void check_pointer(struct run *run, const struct handle *handle, int64_t want)
{
    MPI_Offset at = -1;

    /* An offset into a view without data means nothing. */
    if (handle->views[run->rank].filetype->size == 0)
        return;
    if (conf_begun(run, MPI_File_get_position(handle->file, &at),
                   "get_position") &&
        at != want)
        conf_fault(run, FAULT_POINTER, "pointer at %lld, not %lld",
                   (long long)at, (long long)want);
}

struct seek {
    int whence;
    int64_t offset;
    int64_t to;
};

/* Not to before the start, which is an error. */
static struct seek draw_seek(const struct run *run, const struct view *view,
                             struct rng *rng, int64_t from)
{
    static const int whences[] = {MPI_SEEK_SET, MPI_SEEK_CUR, MPI_SEEK_END};
    struct seek seek = {.whence = whences[rng_below(rng, 3)]};
    int64_t base = 0;

    if (view->filetype->size == 0 || view->is_interlaced)
        seek.whence = MPI_SEEK_SET;
    if (seek.whence == MPI_SEEK_CUR)
        base = from;
    else if (seek.whence == MPI_SEEK_END)
        base = view_end(view, run->image.size);
    seek.offset = (int64_t)rng_below(rng, 300);
    if (seek.whence != MPI_SEEK_SET)
        seek.offset -= 200;
    if (base + seek.offset < 0)
        seek.offset = -base;
    seek.to = base + seek.offset;
    return seek;
}

static const char *whence_name(int whence)
{
    return whence == MPI_SEEK_SET   ? "SET"
           : whence == MPI_SEEK_CUR ? "CUR"
                                    : "END";
}

void step_seek(struct run *run, struct handle *handle)
{
    struct seek seeks[RANKS_MAX] = {{0}};
    const struct seek *mine = &seeks[run->rank];

    snprintf(run->op, sizeof(run->op), "seek");
    conf_where(run);
    for (int r = 0; r < run->size; r++) {
        struct rng rng;

        conf_rng(run, r, 's', &rng);
        seeks[r] = draw_seek(run, &handle->views[r], &rng, handle->pointer[r]);
        conf_tell(run, "  rank %d: seek(%lld, %s) to %lld\n", r,
                  (long long)seeks[r].offset, whence_name(seeks[r].whence),
                  (long long)seeks[r].to);
    }
    if (conf_ok(run, MPI_File_seek(handle->file, mine->offset, mine->whence),
                "seek"))
        check_pointer(run, handle, mine->to);
    if (!conf_agree(run))
        return;
    for (int r = 0; r < run->size; r++)
        handle->pointer[r] = seeks[r].to;
}

static void check_shared(struct run *run, const struct handle *handle)
{
    int64_t want = handle->shared[handle->is_self ? run->rank : 0];
    MPI_Offset at = -1;

    snprintf(run->op, sizeof(run->op), "get_position_shared");
    if (conf_ok(run, MPI_File_get_position_shared(handle->file, &at),
                run->op) &&
        at != want)
        conf_fault(run, FAULT_POINTER, "shared pointer at %lld, not %lld",
                   (long long)at, (long long)want);
    conf_agree(run);
}

/* One pointer for all, or each rank's own for a handle of its own. */
void step_seek_shared(struct run *run, struct handle *handle)
{
    struct seek seeks[RANKS_MAX] = {{0}};
    int n = handle->is_self ? run->size : 1;
    const struct seek *mine = &seeks[handle->is_self ? run->rank : 0];

    if (!run->settings->has_shared || !views_are_alike(run, handle))
        return;
    snprintf(run->op, sizeof(run->op), "seek_shared");
    conf_where(run);
    for (int r = 0; r < n; r++) {
        struct rng rng;

        conf_rng(run, r, 's', &rng);
        seeks[r] = draw_seek(run, &handle->views[r], &rng, handle->shared[r]);
        conf_tell(run, "  seek_shared(%lld, %s) to %lld\n",
                  (long long)seeks[r].offset, whence_name(seeks[r].whence),
                  (long long)seeks[r].to);
    }
    conf_ok(run, MPI_File_seek_shared(handle->file, mine->offset, mine->whence),
            "seek_shared");
    if (!conf_agree(run))
        return;
    for (int r = 0; r < n; r++)
        handle->shared[r] = seeks[r].to;
    check_shared(run, handle);
}
