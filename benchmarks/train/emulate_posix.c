/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people do without a loader: each rank reads its own samples, one
 * pread(2) after the other, from a directory, in a thread that is some batches
 * ahead.
 *
 * The samples of a step are those of the loader (loader/plan.h), and so is the
 * checking; what differs is how the bytes come.
 */
#include "benchmarks/train/emulate.h"

#include "base/crc32c.h"
#include "loader/plan.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct buffer {
    unsigned char *memory;
    size_t size;
    struct emulate_batch batch;
};

struct posix_reader {
    const struct emulate_options *options;
    struct index index;
    struct plan plan;
    uint32_t *weights;
    int rank;
    int *fds;
    struct buffer *buffers;
    uint64_t nbuffers;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled, taken; /* under lock */
};

static void read_index(struct posix_reader *reader)
{
    char path[4096];
    struct stat info;
    void *data;
    FILE *file;

    snprintf(path, sizeof(path), "%s/index", reader->options->dataset);
    file = fopen(path, "r");
    if (file == NULL || fstat(fileno(file), &info) != 0)
        emulate_die("%s: %m", path);
    data = malloc((size_t)info.st_size);
    if (data == NULL ||
        fread(data, 1, (size_t)info.st_size, file) != (size_t)info.st_size ||
        index_decode(data, (size_t)info.st_size, &reader->index) != 0)
        emulate_die("%s: not an index", path);
    free(data);
    fclose(file);
}

static void open_files(struct posix_reader *reader)
{
    char path[8192];

    reader->fds = calloc(reader->index.nfiles, sizeof(*reader->fds));
    for (uint32_t i = 0; reader->fds != NULL && i < reader->index.nfiles; i++) {
        snprintf(path, sizeof(path), "%s/%s", reader->options->dataset,
                 reader->index.files[i].name);
        reader->fds[i] = open(path, O_RDONLY | O_CLOEXEC);
        if (reader->fds[i] < 0)
            emulate_die("%s: %m", path);
    }
}

static void read_sample(struct posix_reader *reader, uint64_t number,
                        unsigned char *memory)
{
    const struct index_row *row = &reader->index.rows[number];
    int fd = reader->fds[index_file_of(&reader->index, number)];
    size_t done = 0;

    while (done < row->length) {
        ssize_t n = pread(fd, memory + done, row->length - done,
                          (off_t)(row->offset + done));

        if (n <= 0)
            emulate_die("sample %llu: %m", (unsigned long long)number);
        done += (size_t)n;
    }
    if (crc32c(0, memory, row->length) != row->crc32c)
        emulate_die("sample %llu: a wrong sum", (unsigned long long)number);
}

static void fill(struct posix_reader *reader, struct buffer *buffer,
                 uint64_t step)
{
    struct plan_slice own =
        plan_rank_step(&reader->plan, step, (uint32_t)reader->rank);
    uint64_t need = 0, at = 0;

    for (uint64_t i = 0; i < own.count; i++)
        need += reader->index.rows[plan_sample(&reader->plan, own.first + i)]
                    .length;
    if (need > buffer->size) {
        free(buffer->memory);
        buffer->memory = malloc(need);
        buffer->size = need;
        if (buffer->memory == NULL)
            emulate_die("out of memory");
    }
    for (uint64_t i = 0; i < own.count; i++) {
        uint64_t number = plan_sample(&reader->plan, own.first + i);

        read_sample(reader, number, buffer->memory + at);
        at += reader->index.rows[number].length;
    }
    buffer->batch = (struct emulate_batch){.samples = own.count, .bytes = need};
}

static void *read_ahead(void *argument)
{
    struct posix_reader *reader = argument;
    uint64_t steps = plan_steps(&reader->plan);
    uint64_t all = steps * reader->options->epochs;

    for (uint64_t n = 0; n < all; n++) {
        pthread_mutex_lock(&reader->lock);
        while (n >= reader->taken + reader->nbuffers)
            pthread_cond_wait(&reader->changed, &reader->lock);
        pthread_mutex_unlock(&reader->lock);
        if (n % steps == 0)
            plan_set_epoch(&reader->plan, n / steps);
        fill(reader, &reader->buffers[n % reader->nbuffers], n % steps);
        pthread_mutex_lock(&reader->lock);
        reader->filled++;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
    }
    return NULL;
}

static void make_plan(struct posix_reader *reader)
{
    struct plan_shape shape = {
        .batch = reader->options->batch, .seed = 1, .window = 1, .group = 1};
    int ranks;

    MPI_Comm_rank(MPI_COMM_WORLD, &reader->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    reader->weights = calloc((size_t)ranks, sizeof(*reader->weights));
    for (int i = 0; reader->weights != NULL && i < ranks; i++)
        reader->weights[i] = 1;
    shape.ranks = (uint32_t)ranks;
    shape.weights = reader->weights;
    if (plan_init(&reader->plan, &reader->index, &shape) != 0)
        emulate_die("no plan");
}

struct posix_reader *posix_open(const struct emulate_options *options)
{
    struct posix_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        emulate_die("out of memory");
    reader->options = options;
    read_index(reader);
    open_files(reader);
    make_plan(reader);
    reader->nbuffers = options->depth + 1;
    reader->buffers = calloc(reader->nbuffers, sizeof(*reader->buffers));
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    MPI_Barrier(MPI_COMM_WORLD);
    if (reader->buffers == NULL ||
        pthread_create(&reader->thread, NULL, read_ahead, reader) != 0)
        emulate_die("no thread");
    return reader;
}

/* The batch before it is given back with the call. */
struct emulate_batch posix_next(struct posix_reader *reader)
{
    struct emulate_batch batch = {.is_over = 1};
    uint64_t all = plan_steps(&reader->plan) * reader->options->epochs;

    pthread_mutex_lock(&reader->lock);
    if (reader->taken < all) {
        while (reader->filled == reader->taken)
            pthread_cond_wait(&reader->changed, &reader->lock);
        batch = reader->buffers[reader->taken++ % reader->nbuffers].batch;
        pthread_cond_broadcast(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
    return batch;
}

void posix_close(struct posix_reader *reader)
{
    pthread_join(reader->thread, NULL);
    for (uint32_t i = 0; i < reader->index.nfiles; i++)
        close(reader->fds[i]);
    for (uint64_t i = 0; i < reader->nbuffers; i++)
        free(reader->buffers[i].memory);
    free(reader->buffers);
    free(reader->fds);
    free(reader->weights);
    plan_fini(&reader->plan);
    index_fini(&reader->index);
    free(reader);
}
