/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of a dataset: which files it has, which bytes of them are a sample,
 * and what each sample sums to. doc/loader.md has the format; little-endian:
 *
 *     header   u8  magic[8]      "CAPINDEX"
 *              u32 version       1
 *              u32 format        enum index_format
 *              u64 files, samples, names   counts; names in bytes
 *              u32 sum           CRC32C of all behind the header
 *              u32 zero
 *              u64 record        length of fixed-size records, else 0
 *              u64 origin        of what it was made: a digest, or 0
 *     file     u64 size          of the file when it was indexed
 *              u64 first         its first sample's number
 *              u32 name          where its name begins in the names
 *              u32 name_length
 *     sample   u64 offset        in its file
 *              u32 length        1 .. INDEX_SAMPLE_MAX
 *              u32 crc32c
 *     names    bytes; a name is relative to the index's directory
 *
 * Units    bytes.
 * Threads  no state; an index belongs to one thread until it is read-only.
 * Failure  outputs are left as they were.
 */
#ifndef CAPSTAN_LOADER_INDEX_H
#define CAPSTAN_LOADER_INDEX_H

#include <stddef.h>
#include <stdint.h>

#define INDEX_HEADER_SIZE 64
#define INDEX_FILE_SIZE 24
#define INDEX_ROW_SIZE 16
#define INDEX_FILES_MAX 1000000u
#define INDEX_NAME_MAX 4096u
#define INDEX_SAMPLE_MAX 0x7fffffffu

enum index_format {
    INDEX_RAW = 1,     /* samples of any length, one behind the other */
    INDEX_RECORDS = 2, /* of one length */
    INDEX_TAR = 3,     /* WebDataset: a sample is a run of members */
    INDEX_TFRECORD = 4,
    INDEX_HDF5 = 5 /* rows for HDF5 to read, as if they lay one behind the other;
                      a file's name is "FILE#DATASET" */
};

struct index_row {
    uint64_t offset;
    uint32_t length;
    uint32_t crc32c;
};

struct index_file {
    char *name; /* ended by NUL */
    uint64_t size;
    uint64_t first;
};

struct index {
    enum index_format format;
    uint64_t record;
    uint64_t origin;
    uint32_t nfiles;
    uint32_t files_room;
    uint64_t nrows;
    uint64_t rows_room;
    struct index_file *files;
    struct index_row *rows;
};

/** Begin an empty index. */
void index_init(struct index *index, enum index_format format);
void index_fini(struct index *index);

/** Add a file; the rows that follow are its. @return 0, -EINVAL (name), -E2BIG
 *  (too many files) or -ENOMEM. */
int index_add_file(struct index *index, const char *name, uint64_t size);

/** Add a sample of the last file. @return 0 or -ENOMEM. */
int index_add_row(struct index *index, const struct index_row *row);

/** Add all files and rows of another. @return as index_add_file(). */
int index_append(struct index *index, const struct index *from);

/** The file in which a sample lies; the number must be below nrows. */
uint32_t index_file_of(const struct index *index, uint64_t number);

/** Samples of a file. */
uint64_t index_file_count(const struct index *index, uint32_t file);

/** How many bytes index_decode() needs to see, from a header alone.
 *  @return 0, -EPROTO (not an index). */
int index_size(const void *header, uint64_t *size_out);

/** Write an index into fresh memory. @param data_out  ended with free(3).
 *  @return 0 or -ENOMEM. */
int index_encode(const struct index *index, void **data_out, size_t *size_out);

/** Read an index; every field is checked. @param index_out  ended with
 *  index_fini(). @return 0, -EPROTO (not an index, or damaged), -ENOMEM. */
int index_decode(const void *data, size_t size, struct index *index_out);

/** "tar" and the like. NULL: no such format. */
const char *index_format_name(enum index_format format);

/** The format of a name, 0 if there is none such. */
enum index_format index_format_parse(const char *name);

#endif
