/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations one behind the other: those that wait, those that have ended.
 *
 * Threads  one owner thread.
 */
#ifndef CAPSTAN_STORE_OBJ_LINE_H
#define CAPSTAN_STORE_OBJ_LINE_H

#include "store/obj.h"

struct obj_line {
    struct obj_io *head;
    struct obj_io **end;
    unsigned n;
};

static inline void obj_line_init(struct obj_line *line)
{
    *line = (struct obj_line){.end = &line->head};
}

static inline void obj_line_add(struct obj_line *line, struct obj_io *io)
{
    io->next = NULL;
    *line->end = io;
    line->end = &io->next;
    line->n++;
}

/** The first, out of a line that is not empty. */
static inline struct obj_io *obj_line_take(struct obj_line *line)
{
    struct obj_io *io = line->head;

    line->head = io->next;
    if (line->head == NULL)
        line->end = &line->head;
    line->n--;
    return io;
}

/** Call back all that stand in it now; those that callbacks add stay. @return
 *  how many. */
static inline int obj_line_call(struct obj_line *line)
{
    struct obj_line now = *line;
    int n = 0;

    obj_line_init(line);
    for (; now.n > 0; n++) {
        struct obj_io *io = obj_line_take(&now);

        io->done(io);
    }
    return n;
}

#endif
