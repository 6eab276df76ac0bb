/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared file pointer (MPI-3.1, 13.4.4): one counter for all ranks of a
 * collective open. It has a random handle, so two opens of one file have two
 * pointers, and a generation, which MPI_File_set_view raises on every rank: a
 * new generation begins at its start without a word to anybody.
 *
 * Units    etypes of the view.
 * Threads  as the file.
 * Failure  0 or a negative code; the text is in struct adio_error.
 */
#ifndef CAPSTAN_ADIO_POINTER_H
#define CAPSTAN_ADIO_POINTER_H

#include "adio/common/adio.h"

/** Give the opened file its pointer, at 0, or at the end of the file when it
 *  is opened to append; the individual pointer too. Collective.
 *  @return the same on all ranks. */
int pointer_open(struct adio_file *file, struct adio_error *error);

/** End it; collective. is_used says whether any rank used it. */
void pointer_close(struct adio_file *file);

/** A new view: both pointers are at 0. Local, but every rank must have entered
 *  the collective that sets the view. */
void pointer_renew(struct adio_file *file);

/** Add to it, or set it. @return 0, -EINVAL (below 0), -EFBIG (beyond 2^63),
 *  or the driver's. */
int pointer_step(struct adio_file *file, bool is_set, int64_t value,
                 int64_t *before_out, struct adio_error *error);

/* pointer_window.c: the default of drivers that have none of their own. */

/** Make the window; collective. @return the same on all ranks. */
int pointer_window_open(struct adio_file *file, struct adio_error *error);
void pointer_window_close(struct adio_file *file);
void pointer_window_renew(struct adio_file *file);
int pointer_window_step(struct adio_file *file, bool is_set, int64_t value,
                        int64_t *before_out, struct adio_error *error);

#endif
