/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libfabric is loaded when the first endpoint is opened, not before, and leaves
 * the program the signals that it had.
 */
#include "net/net.h"

#include "base/clock.h"
#include "base/unit.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_loaded(void)
{
    void *library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_NOLOAD);

    if (library != NULL)
        dlclose(library);
    return library != NULL;
}

static void on_signal(int number)
{
}

static void on_recv(void *ctx, struct net *net, void *buffer, size_t len)
{
    net_release(net, buffer);
}

static void see_handler(int number, void (*expected)(int))
{
    struct sigaction action;

    CU_ASSERT_EQUAL_FATAL(sigaction(number, NULL, &action), 0);
    CU_ASSERT_PTR_EQUAL((void *)action.sa_handler, (void *)expected);
}

static int open_endpoint(struct net **net_out)
{
    const struct net_config config = {
        .provider = "tcp;ofi_rxm",
        .node = "127.0.0.1",
        .receives = 4,
        .message_max = 4096,
        .clock = clock_real(),
        .recv = on_recv,
    };

    return net_open(&net_ofi, &config, net_out);
}

static void test_loaded_by_the_first_endpoint(void)
{
    struct net *net;
    sigset_t before;
    sigset_t after;

    CU_ASSERT_FALSE(is_loaded());
    signal(SIGTERM, on_signal);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, NULL, &before);

    CU_ASSERT_EQUAL_FATAL(open_endpoint(&net), 0);
    CU_ASSERT_TRUE(is_loaded());
    see_handler(SIGTERM, on_signal);
    see_handler(SIGHUP, SIG_IGN);
    see_handler(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < SIGRTMIN; number++)
        CU_ASSERT_EQUAL(sigismember(&before, number),
                        sigismember(&after, number));
    net_close(net);

    /* A handler that came later stays as well. */
    signal(SIGINT, on_signal);
    CU_ASSERT_EQUAL_FATAL(open_endpoint(&net), 0);
    see_handler(SIGINT, on_signal);
    net_close(net);
}

/* A library that it brings along would call exit(3) in the middle of a call. */
static void test_signals_taken_when_others_loaded_it_are_given_back(void)
{
    struct sigaction action;
    struct net *net;
    pid_t child;
    int status;

    CU_ASSERT_FALSE(is_loaded());
    child = fork();
    if (child == 0) {
        if (dlopen("libfabric.so.1", RTLD_NOW) == NULL)
            _exit(2);
        if (open_endpoint(&net) != 0)
            _exit(3);
        sigaction(SIGTERM, NULL, &action);
        _exit(action.sa_handler == SIG_DFL ? 0 : 4);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_signals_taken_when_others_loaded_it_are_given_back),
        UNIT_TEST(test_loaded_by_the_first_endpoint),
    };

    return UNIT_MAIN("net_ofi_lib", tests);
}
