/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults in a mapping: caught where they are guarded, passed on to whoever was
 * there before where they are not. What a process does once only (the handler
 * is installed at first use, a signal ends it) is tried in children.
 */
#include "base/guarded.h"

#include "tests/base/unit.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGES 8

static size_t page;

/* A file of PAGES pages, mapped. */
struct mapped {
    int fd;
    char *base;
};

static void mapped_make(struct mapped *mapped)
{
    mapped->fd = memfd_create("test", MFD_CLOEXEC);
    CU_ASSERT_FATAL(mapped->fd >= 0);
    CU_ASSERT_EQUAL_FATAL(ftruncate(mapped->fd, (off_t)(PAGES * page)), 0);
    mapped->base =
        mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED, mapped->fd, 0);
    CU_ASSERT_FATAL(mapped->base != MAP_FAILED);
}

static void mapped_end(struct mapped *mapped)
{
    munmap(mapped->base, PAGES * page);
    close(mapped->fd);
}

/* A copy page by page, before one of which the file is cut to `left` pages. */
struct copy {
    struct mapped *mapped;
    size_t cut_before;
    size_t left;
    size_t ndone;
    char to[PAGES * 65536];
};

static void copy_pages(void *arg)
{
    struct copy *copy = arg;

    for (copy->ndone = 0; copy->ndone < PAGES; copy->ndone++) {
        if (copy->ndone == copy->cut_before &&
            ftruncate(copy->mapped->fd, (off_t)(copy->left * page)) != 0)
            return;
        memcpy(copy->to + copy->ndone * page,
               copy->mapped->base + copy->ndone * page, page);
    }
}

static bool guarded_copy(struct copy *copy)
{
    return guarded_call(copy->mapped->base, PAGES * page, copy_pages, copy);
}

static void test_a_cut_under_the_copy_ends_it(void)
{
    static struct copy copy;
    struct mapped mapped;

    CU_ASSERT_FATAL(guarded_is_possible());
    for (size_t i = 0; i < PAGES; i++) { /* again and again */
        mapped_make(&mapped);
        copy = (struct copy){.mapped = &mapped, .cut_before = i, .left = i};
        CU_ASSERT_FALSE(guarded_copy(&copy));
        CU_ASSERT_EQUAL(copy.ndone, i);
        copy.cut_before = PAGES;
        CU_ASSERT_EQUAL(ftruncate(mapped.fd, (off_t)(PAGES * page)), 0);
        CU_ASSERT(guarded_copy(&copy));
        CU_ASSERT_EQUAL(copy.ndone, PAGES);
        mapped_end(&mapped);
    }
}

static void *fault_often(void *arg)
{
    struct mapped mapped;
    uintptr_t nwrong = 0;

    mapped_make(&mapped);
    for (int i = 0; i < 200; i++) {
        struct copy *copy = malloc(sizeof(*copy));

        copy->mapped = &mapped;
        copy->cut_before = i % 2 == 0 ? 3 : PAGES;
        copy->left = 3;
        if (ftruncate(mapped.fd, (off_t)(PAGES * page)) != 0)
            nwrong++;
        nwrong += guarded_copy(copy) != (i % 2 == 1);
        free(copy);
    }
    mapped_end(&mapped);
    return (void *)nwrong;
}

static void test_threads_are_guarded_each_for_itself(void)
{
    pthread_t threads[3];
    void *nwrong;

    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, fault_often, NULL), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &nwrong);
        CU_ASSERT_PTR_NULL(nwrong);
    }
}

static void test_a_blocked_signal_is_not_guarded(void)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGBUS);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    CU_ASSERT_FALSE(guarded_is_possible());
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    CU_ASSERT(guarded_is_possible());
}

static sigjmp_buf theirs_back;
static volatile int ntheirs, their_number;

static void their_handler(int number)
{
    ntheirs++;
    their_number = number;
    siglongjmp(theirs_back, 1);
}

static void *volatile their_address;

static void their_long_handler(int number, siginfo_t *info, void *context)
{
    their_address = info->si_addr;
    their_handler(number);
}

static void read_unguarded(const char *at)
{
    if (sigsetjmp(theirs_back, 1) == 0)
        *(volatile const char *)at;
}

/* In a child: exit code 0 says that all was right. */
static int with_their_handler(bool is_long)
{
    struct sigaction theirs = {.sa_handler = their_handler};
    static struct copy copy;
    struct mapped mapped;

    if (is_long) {
        theirs.sa_flags = SA_SIGINFO;
        theirs.sa_sigaction = their_long_handler;
    }
    guarded_fini();
    sigaction(SIGBUS, &theirs, NULL);
    if (!guarded_is_possible())
        return 1;
    mapped_make(&mapped);
    copy = (struct copy){.mapped = &mapped, .cut_before = 2, .left = 2};
    if (guarded_copy(&copy) || copy.ndone != 2 || ntheirs != 0)
        return 2;
    for (int i = 1; i <= 2; i++) { /* as often as it comes */
        read_unguarded(mapped.base + 3 * page);
        if (ntheirs != i || their_number != SIGBUS ||
            (is_long && their_address != mapped.base + 3 * page))
            return 3;
    }
    copy.cut_before = PAGES;
    if (guarded_copy(&copy) || copy.ndone != 2 || ntheirs != 2)
        return 4;
    guarded_fini();
    sigaction(SIGBUS, NULL, &theirs);
    if (is_long ? theirs.sa_sigaction != their_long_handler
                : theirs.sa_handler != their_handler)
        return 5;
    return 0;
}

static int with_their_handler_later(void)
{
    struct sigaction theirs = {.sa_handler = their_handler}, ours;

    if (!guarded_is_possible())
        return 1;
    sigaction(SIGBUS, &theirs, &ours);
    if (guarded_is_possible())
        return 2;
    guarded_fini(); /* theirs stays */
    if (guarded_is_possible())
        return 3;
    sigaction(SIGBUS, &ours, &theirs);
    if (theirs.sa_handler != their_handler || !guarded_is_possible())
        return 4;
    return 0;
}

/* Somebody between (a sanitizer) has the handler run with all signals blocked.
 */
static int with_all_blocked(void)
{
    static struct copy copy;
    struct sigaction ours;
    struct mapped mapped;
    sigset_t mask;

    if (!guarded_is_possible())
        return 1;
    sigaction(SIGBUS, NULL, &ours);
    sigfillset(&ours.sa_mask);
    sigaction(SIGBUS, &ours, NULL);
    for (int i = 0; i < 2; i++) {
        mapped_make(&mapped);
        copy = (struct copy){.mapped = &mapped, .cut_before = 2, .left = 2};
        if (guarded_copy(&copy))
            return 2;
        mapped_end(&mapped);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, SIGUSR1) ? 3 : 0;
}

static int with_nobody(bool is_sent, void (*former)(int))
{
    struct mapped mapped;

    guarded_fini();
    signal(SIGBUS, former);
    if (!guarded_is_possible())
        return 1;
    mapped_make(&mapped);
    if (ftruncate(mapped.fd, 0) != 0)
        return 2;
    if (is_sent)
        raise(SIGBUS);
    else
        *(volatile char *)mapped.base;
    return 3; /* alive */
}

enum { SHORT, LONG, LATER, BLOCKED, FAULT_DFL, FAULT_IGN, SENT_DFL, SENT_IGN };

static int run_child(int which)
{
    switch (which) {
    case SHORT:
    case LONG:
        return with_their_handler(which == LONG);
    case LATER:
        return with_their_handler_later();
    case BLOCKED:
        return with_all_blocked();
    case FAULT_DFL:
    case FAULT_IGN:
        return with_nobody(false, which == FAULT_DFL ? SIG_DFL : SIG_IGN);
    default:
        return with_nobody(true, which == SENT_DFL ? SIG_DFL : SIG_IGN);
    }
}

/* @return the exit code, or minus the signal that ended it. */
static int child(int which)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        _exit(run_child(which));
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_other_faults_go_to_the_handler_before(void)
{
    CU_ASSERT_EQUAL(child(SHORT), 0);
    CU_ASSERT_EQUAL(child(LONG), 0);
}

static void test_a_later_handler_stays_in_charge(void)
{
    CU_ASSERT_EQUAL(child(LATER), 0);
}

static void test_the_mask_is_as_it_was(void)
{
    CU_ASSERT_EQUAL(child(BLOCKED), 0);
}

static void test_without_a_handler_the_process_ends_as_ever(void)
{
    CU_ASSERT_EQUAL(child(FAULT_DFL), -SIGBUS);
    CU_ASSERT_EQUAL(child(FAULT_IGN), -SIGBUS);
    CU_ASSERT_EQUAL(child(SENT_DFL), -SIGBUS);
    CU_ASSERT_EQUAL(child(SENT_IGN), 3);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_a_cut_under_the_copy_ends_it),
        UNIT_TEST(test_threads_are_guarded_each_for_itself),
        UNIT_TEST(test_a_blocked_signal_is_not_guarded),
        UNIT_TEST(test_other_faults_go_to_the_handler_before),
        UNIT_TEST(test_a_later_handler_stays_in_charge),
        UNIT_TEST(test_the_mask_is_as_it_was),
        UNIT_TEST(test_without_a_handler_the_process_ends_as_ever),
    };

    page = (size_t)sysconf(_SC_PAGESIZE);
    return UNIT_MAIN("guarded", tests);
}
