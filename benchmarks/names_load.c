/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A load of names, for machines without mdtest: one phase of one pattern, with
 * plain system calls, so that it runs on any mount and with any preload
 * library.
 *
 *     names_load DIR easy|hard create|stat|read|remove RANKS FILES
 *
 *   easy   each rank in a directory of its own, empty files
 *   hard   all ranks in one directory, files of 3901 bytes
 *
 * The happy path: RANKS processes look at DIR once, meet at a barrier, work,
 * and meet again; the time between the two barriers is printed, as seconds.
 * What one rank made, the next one stats, reads and removes, as with mdtest -N.
 *
 * Possible failures: a call that fails or a byte that is wrong is said by its
 * rank, and the status is 1; the ranks that would wait for it are ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HARD_BYTES 3901
#define RANKS_MAX 256

struct load {
    const char *top;
    bool is_hard;
    unsigned ranks;
    unsigned files; /* of a rank */
    unsigned owner; /* the rank whose files we work on */
    char data[HARD_BYTES];
};

typedef int step_fn(struct load *load, const char *path);

/* What the processes share. */
struct shared {
    pthread_barrier_t barrier;
    double begin[RANKS_MAX];
    double end[RANKS_MAX];
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int say(const char *path, const char *cause)
{
    fprintf(stderr, "names_load: %s: %s\n", path, cause);
    return -1;
}

static int say_errno(const char *path)
{
    return say(path, strerror(errno));
}

/* The bytes of one file: those of no other are the same. */
static void fill(struct load *load, const char *path)
{
    uint32_t word = 2166136261u;

    for (; *path != '\0'; path++)
        word = (word ^ (unsigned char)*path) * 16777619u;
    for (size_t i = 0; i < HARD_BYTES; i++) {
        word = word * 1664525u + 1013904223u;
        load->data[i] = (char)(word >> 24);
    }
}

static int create(struct load *load, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    int rc = 0;

    if (fd < 0)
        return say_errno(path);
    fill(load, path);
    if (load->is_hard && write(fd, load->data, HARD_BYTES) != HARD_BYTES)
        rc = say(path, "write");
    if (close(fd) != 0)
        rc = say_errno(path);
    return rc;
}

static int look(struct load *load, const char *path)
{
    struct stat attr;

    if (stat(path, &attr) != 0)
        return say_errno(path);
    if (attr.st_size != (load->is_hard ? HARD_BYTES : 0))
        return say(path, "has the wrong size");
    return 0;
}

static int read_back(struct load *load, const char *path)
{
    int fd = open(path, O_RDONLY);
    char data[HARD_BYTES];
    ssize_t wanted = load->is_hard ? HARD_BYTES : 0;
    int rc = 0;

    if (fd < 0)
        return say_errno(path);
    if (wanted > 0 && read(fd, data, sizeof(data)) != wanted)
        rc = say(path, "read");
    fill(load, path);
    if (rc == 0 && memcmp(data, load->data, (size_t)wanted) != 0)
        rc = say(path, "has other bytes");
    if (close(fd) != 0)
        rc = say_errno(path);
    return rc;
}

static int drop(struct load *load, const char *path)
{
    (void)load;
    return unlink(path) == 0 ? 0 : say_errno(path);
}

static const struct phase {
    const char *name;
    step_fn *step;
} phases[] = {
    {"create", create}, {"stat", look}, {"read", read_back}, {"remove", drop}};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

static void name_directory(const struct load *load, char *path)
{
    if (load->is_hard)
        snprintf(path, PATH_MAX, "%s/hard", load->top);
    else
        snprintf(path, PATH_MAX, "%s/easy.%u", load->top, load->owner);
}

/* The directory of the files is made before the first phase counts. */
static int prepare(const struct load *load)
{
    char path[PATH_MAX];
    struct stat attr;

    name_directory(load, path);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return say_errno(path);
    return stat(path, &attr) == 0 ? 0 : say_errno(path);
}

static int work(struct load *load, step_fn *step)
{
    char directory[PATH_MAX], path[PATH_MAX + 32];

    name_directory(load, directory);
    for (unsigned i = 0; i < load->files; i++) {
        snprintf(path, sizeof(path), "%s/f.%u.%u", directory, load->owner, i);
        if (step(load, path) != 0)
            return -1;
    }
    return 0;
}

/* One rank, in a process of its own. */
static int run(struct load *load, const struct phase *phase, unsigned rank,
               struct shared *shared)
{
    bool is_own = phase->step == create;

    load->owner = is_own ? rank : (rank + 1) % load->ranks;
    if (prepare(load) != 0)
        return -1;
    pthread_barrier_wait(&shared->barrier);
    shared->begin[rank] = now();
    if (work(load, phase->step) != 0)
        return -1;
    shared->end[rank] = now();
    return 0;
}

/* From the first that began to the last that ended. */
static double seconds(const struct shared *shared, unsigned ranks)
{
    double begin = shared->begin[0], end = shared->end[0];

    for (unsigned i = 1; i < ranks; i++) {
        begin = shared->begin[i] < begin ? shared->begin[i] : begin;
        end = shared->end[i] > end ? shared->end[i] : end;
    }
    return end - begin;
}

static void end_all(const pid_t *pids, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
}

/* @return how many failed; those that wait for one that did are ended. */
static unsigned wait_all(const pid_t *pids, unsigned count)
{
    unsigned failed = 0;
    int status;

    for (unsigned i = 0; i < count; i++) {
        if (wait(&status) >= 0 && status == 0)
            continue;
        if (failed++ == 0)
            end_all(pids, count);
    }
    return failed;
}

static struct shared *share(unsigned ranks)
{
    pthread_barrierattr_t attr;
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return NULL;
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &attr, ranks);
    return shared;
}

static int run_all(struct load *load, const struct phase *phase)
{
    struct shared *shared = share(load->ranks);
    pid_t pids[RANKS_MAX];

    if (shared == NULL)
        return say_errno("memory");
    for (unsigned i = 0; i < load->ranks; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(run(load, phase, i, shared) == 0 ? 0 : 1);
        if (pids[i] < 0) {
            end_all(pids, i);
            return say_errno("fork");
        }
    }
    if (wait_all(pids, load->ranks) > 0)
        return -1;
    printf("%.6f\n", seconds(shared, load->ranks));
    return 0;
}

static const struct phase *find_phase(const char *name)
{
    for (size_t i = 0; i < PHASES; i++)
        if (strcmp(phases[i].name, name) == 0)
            return &phases[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct phase *phase = argc == 6 ? find_phase(argv[3]) : NULL;
    static struct load load;

    if (phase == NULL ||
        (strcmp(argv[2], "easy") != 0 && strcmp(argv[2], "hard") != 0)) {
        fputs("usage: names_load DIR easy|hard create|stat|read|remove RANKS "
              "FILES\n",
              stderr);
        return 2;
    }
    load.top = argv[1];
    load.is_hard = strcmp(argv[2], "hard") == 0;
    load.ranks = (unsigned)strtoul(argv[4], NULL, 10);
    load.files = (unsigned)strtoul(argv[5], NULL, 10);
    if (load.ranks < 1 || load.ranks > RANKS_MAX || load.files < 1)
        return say("ranks", "1 to 256, and at least a file") != 0 ? 2 : 0;
    return run_all(&load, phase) == 0 ? 0 : 1;
}
