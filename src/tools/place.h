/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory that holds a dataset: on this machine, or in a cluster
 * ("capstan:/dataset"). Files in it are read at offsets and written in order.
 *
 * Units    bytes.
 * Threads  a place and its files belong to one thread; several threads open one
 *          each.
 * Failure  said on stderr, unless it is -ENOENT of a file to be read.
 */
#ifndef CAPSTAN_TOOLS_PLACE_H
#define CAPSTAN_TOOLS_PLACE_H

#include <capstan/file.h>

#include "tools/tool.h"

struct place {
    char *directory;
    struct capstan_session *session; /* NULL: on this machine */
};

struct place_file {
    const struct place *place;
    char *path;
    struct capstan_file *remote;
    int fd;
    uint64_t size; /* when read: of the file; when written: so far */
    char *buffer;  /* of what is not yet written */
    size_t used;
};

/** @return 0 or -1. */
int place_open(struct place *place, const char *directory,
               const struct tool_place *cluster);
void place_close(struct place *place);

/** Make the directory if it is missing. @return 0 or -1. */
int place_make(const struct place *place);

/** @return 0, -ENOENT or -1. */
int place_read_open(const struct place *place, const char *name,
                    struct place_file *file_out);

/** Exactly so many bytes; a file that is shorter is an error. @return 0, -1. */
int place_read(struct place_file *file, uint64_t offset, void *buffer,
               size_t length);

/** Create or empty a file. @return 0 or -1. */
int place_write_open(const struct place *place, const char *name,
                     struct place_file *file_out);

/** Append. @return 0 or -1. */
int place_write(struct place_file *file, const void *data, size_t length);

/** End a file that is read, or one that is written: then everything in it is
 *  durable. @return 0 or -1. */
int place_file_close(struct place_file *file);

/** A whole file at once. @param data_out  ended with free(3).
 *  @return 0, -ENOENT or -1. */
int place_load(const struct place *place, const char *name, void **data_out,
               size_t *size_out);
int place_save(const struct place *place, const char *name, const void *data,
               size_t size);

/** Remove a file; one that is not there is no error. @return 0 or -1. */
int place_remove(const struct place *place, const char *name);

/** The plain files in it, sorted. @param names_out  each and the list are ended
 *  with free(3). @return 0 or -1. */
int place_list(const struct place *place, char ***names_out, size_t *count_out);

#endif
