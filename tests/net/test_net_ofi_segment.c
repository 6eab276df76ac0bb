/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long messages in segments, with a provider made of two lines: what is cut, in
 * which order, and what a receiver makes of what comes, also of what should
 * not.
 */
#include "base/mem.h"

#include "net/net_ofi_segment.c"

#include "base/rng.h"
#include "base/unit.h"

enum { MESSAGE_MAX = 65536, BUFFERS = 64, LOG = 16 };

static struct ofi_net net;
static struct ofi_slot slots[BUFFERS];
static char message[MESSAGE_MAX], delivered[MESSAGE_MAX];
static size_t delivered_len;
static unsigned ndelivered;

/* What the provider was given. */
static struct {
    struct net_op *op;
    size_t at, len;
    uint64_t data;
} given[LOG];
static unsigned ngiven, takes; /* how many more it takes */

int ofi_post_one(struct ofi_net *net_, struct ofi_peer *peer, struct net_op *op,
                 const struct ofi_start *start)
{
    (void)net_;
    (void)peer;
    if (takes == 0)
        return -EAGAIN;
    takes--;
    CU_ASSERT_FATAL(ngiven < LOG);
    given[ngiven].op = op;
    given[ngiven].at = (size_t)((char *)start->memory - message);
    given[ngiven].len = start->len;
    given[ngiven++].data = start->data;
    return 0;
}

void ofi_receive_post(struct ofi_net *net_, struct ofi_slot *slot)
{
    CU_ASSERT_FALSE(slot->is_held);
    net_->nposted++;
    slot->is_held = true; /* here: it is with the provider */
}

void ofi_deliver(struct ofi_net *net_, struct ofi_slot *slot, size_t len)
{
    (void)net_;
    memcpy(delivered, slot->buffer, len);
    delivered_len = len;
    ndelivered++;
    net_->nposted++;
    slot->is_held = true; /* and is given back at once */
}

static void start(const char *provider)
{
    static struct fi_fabric_attr fabric;
    static struct fi_domain_attr domain = {.cq_data_size = 8};
    static struct fi_info info = {.fabric_attr = &fabric,
                                  .domain_attr = &domain};

    pool_fini(&net.pool);
    net = (struct ofi_net){.info = &info, .caps.message_max = MESSAGE_MAX};
    fabric.prov_name = (char *)(uintptr_t)provider;
    CU_ASSERT_EQUAL_FATAL(pool_init(&net.pool, BUFFERS, MESSAGE_MAX), 0);
    for (unsigned i = 0; i < BUFFERS; i++)
        slots[i] =
            (struct ofi_slot){.buffer = pool_get(&net.pool), .is_held = true};
    net.nposted = BUFFERS;
    ofi_segments_init(&net);
    ngiven = ndelivered = 0;
    takes = LOG;
    for (size_t i = 0; i < MESSAGE_MAX; i++)
        message[i] = (char)(i * 7 + i / 251);
}

/* Cut a message of so many bytes from `message`. @return as the product. */
static int cut(size_t len, struct net_op *op)
{
    struct ofi_start start = {.verb = OFI_SEND, .memory = message, .len = len};

    CU_ASSERT_TRUE(ofi_is_cut(&net, &start));
    return ofi_segments_post(&net, NULL, op, &start);
}

/* A segment comes into a buffer that the provider has. */
static void come(size_t at, size_t len, uint64_t data)
{
    struct ofi_slot *slot = slots;

    while (!slot->is_held)
        slot++;
    CU_ASSERT_FATAL(slot < slots + BUFFERS);
    slot->is_held = false;
    net.nposted--;
    memcpy(slot->buffer, message + at, len);
    ofi_segment_take(&net, slot, len, data);
}

static void come_given(unsigned i)
{
    come(given[i].at, given[i].len, given[i].data);
}

static uint64_t data_of(uint64_t sender, bool is_first, size_t left)
{
    return sender << SENDER_SHIFT | (is_first ? FIRST : 0) | left;
}

static bool is_whole(size_t len)
{
    return ndelivered == 1 && delivered_len == len &&
           memcmp(delivered, message, len) == 0 && net.partial == NULL &&
           net.nposted == BUFFERS;
}

static void test_only_the_provider_that_asks_first_is_spared(void)
{
    struct ofi_start long_one = {.verb = OFI_SEND, .len = SEGMENT_BYTES + 1};
    struct ofi_start short_one = {.verb = OFI_SEND, .len = SEGMENT_BYTES};
    struct ofi_start write = {.verb = OFI_WRITE, .len = SEGMENT_BYTES + 1};

    start("verbs;ofi_rxm");
    CU_ASSERT_FALSE(ofi_is_cut(&net, &long_one));
    start(PROVIDER);
    CU_ASSERT_TRUE(ofi_is_cut(&net, &long_one));
    CU_ASSERT_FALSE(ofi_is_cut(&net, &short_one));
    CU_ASSERT_FALSE(ofi_is_cut(&net, &write));
}

static void test_what_is_cut_is_put_together(void)
{
    static const size_t lens[] = {SEGMENT_BYTES + 1, 47008, 3 * SEGMENT_BYTES,
                                  MESSAGE_MAX - 1, MESSAGE_MAX};
    struct net_op op;

    for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        start(PROVIDER);
        CU_ASSERT_EQUAL(cut(lens[i], &op), 0);
        CU_ASSERT_EQUAL(ngiven, (lens[i] + SEGMENT_BYTES - 1) / SEGMENT_BYTES);
        for (unsigned k = 0; k < ngiven; k++) {
            CU_ASSERT_EQUAL(ndelivered, 0);
            CU_ASSERT_PTR_EQUAL(given[k].op, k + 1 < ngiven ? NULL : &op);
            come_given(k);
        }
        CU_ASSERT_TRUE(is_whole(lens[i]));
    }
}

static void test_a_full_queue_is_gone_on_with(void)
{
    struct ofi_start message_start = {
        .verb = OFI_SEND, .memory = message, .len = MESSAGE_MAX};
    struct net_op op;

    start(PROVIDER);
    for (takes = 0; ngiven < 4; takes = 1)
        CU_ASSERT_EQUAL(ofi_segments_post(&net, NULL, &op, &message_start),
                        ngiven < 4 ? -EAGAIN : 0);
    for (unsigned k = 0; k < ngiven; k++)
        come_given(k);
    CU_ASSERT_TRUE(is_whole(MESSAGE_MAX));
}

static void test_a_message_begun_anew_replaces_the_old(void)
{
    start(PROVIDER);
    CU_ASSERT_EQUAL(cut(47008, NULL), 0);
    come_given(0);
    come_given(1);
    for (unsigned k = 0; k < 3; k++)
        come_given(k);
    CU_ASSERT_TRUE(is_whole(47008));
}

static void test_a_gap_or_a_repeat_drops_the_message(void)
{
    static const unsigned orders[][3] = {{0, 2, 1}, {0, 1, 1}, {1, 2, 2}};

    for (unsigned i = 0; i < 3; i++) {
        start(PROVIDER);
        CU_ASSERT_EQUAL(cut(47008, NULL), 0);
        for (unsigned k = 0; k < 3; k++)
            come_given(orders[i][k]);
        CU_ASSERT_EQUAL(ndelivered, 0);
        CU_ASSERT_PTR_NULL(net.partial);
        CU_ASSERT_EQUAL(net.nposted, BUFFERS);
    }
}

static void test_lengths_that_lie_are_dropped(void)
{
    start(PROVIDER);
    come(0, 100, data_of(9, true, MESSAGE_MAX + 1)); /* longer than any */
    come(0, 100, data_of(9, true, 99));              /* more than the whole */
    come(0, 100, data_of(9, true, 100));             /* no need to cut */
    CU_ASSERT_PTR_NULL(net.partial);
    come(0, 100, data_of(9, true, 300));
    come(100, 201, data_of(9, false, 200)); /* beyond the end */
    CU_ASSERT_PTR_NULL(net.partial);
    come(0, 100, data_of(9, true, 300));
    come(100, 0, data_of(9, false, 200)); /* nothing, again and again */
    CU_ASSERT_PTR_NULL(net.partial);
    come(0, 100, data_of(0, true, MESSAGE_MAX));
    come(0, 100, UINT64_MAX);
    CU_ASSERT_EQUAL(ndelivered, 0);
    CU_ASSERT_EQUAL(net.nposted, BUFFERS - 1);
}

static void test_buffers_are_left_to_receive_with(void)
{
    start(PROVIDER);
    for (unsigned sender = 1; sender <= 4 * BUFFERS; sender++)
        come(0, 100, data_of(sender, true, 300));
    CU_ASSERT_EQUAL(net.nposted, SPARE_MAX);
    CU_ASSERT_EQUAL(ndelivered, 0);
    come(100, 200, data_of(1, false, 200)); /* the oldest is gone */
    CU_ASSERT_EQUAL(ndelivered, 0);
    come(100, 200, data_of(4 * BUFFERS, false, 200));
    CU_ASSERT_EQUAL(ndelivered, 1);
    CU_ASSERT_EQUAL(delivered_len, 300);
}

/* Senders that died in the middle, and short messages that are held. */
static void test_halves_give_way_to_messages_that_are_held(void)
{
    struct ofi_slot *slot = slots;

    start(PROVIDER);
    for (unsigned sender = 1; sender <= BUFFERS; sender++)
        come(0, 100, data_of(sender, true, 300));
    CU_ASSERT_EQUAL(net.nposted, SPARE_MAX);
    for (unsigned held = 0; held < BUFFERS - SPARE_MAX; held++) {
        while (!slot->is_held)
            slot++;
        slot->is_held = false;
        net.nposted--;
        ofi_segments_make_room(&net);
        CU_ASSERT_EQUAL(net.nposted, SPARE_MAX);
        slot = slots;
    }
    CU_ASSERT_PTR_NULL(net.partial);
}

/* Senders at once, segments lost and repeated: what is handed over is what one
 * of them sent, whole. */
static void test_random_segments_make_whole_messages_only(void)
{
    enum { SENDERS = 5 };
    size_t len[SENDERS] = {0}, at[SENDERS] = {0};
    struct rng rng;
    unsigned nwhole = 0;

    rng_init(&rng, unit_seed());
    start(PROVIDER);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)rng_below(&rng, SENDERS);
        bool is_first = at[i] >= len[i] || rng_chance(&rng, 2);
        size_t n;

        if (is_first) {
            len[i] = SEGMENT_BYTES + 1 +
                     rng_below(&rng, MESSAGE_MAX - SEGMENT_BYTES);
            at[i] = 0;
        }
        n = len[i] - at[i] < SEGMENT_BYTES ? len[i] - at[i] : SEGMENT_BYTES;
        ndelivered = 0;
        for (unsigned k = rng_chance(&rng, 4) ? rng_below(&rng, 3) : 1; k > 0;
             k--)
            come(at[i], n, data_of(i + 1, at[i] == 0, len[i] - at[i]));
        at[i] += n;
        CU_ASSERT_FATAL(ndelivered == 0 ||
                        (ndelivered == 1 && at[i] == len[i] &&
                         delivered_len == len[i] &&
                         memcmp(delivered, message, len[i]) == 0));
        nwhole += ndelivered;
    }
    CU_ASSERT(nwhole > 1000);
    CU_ASSERT(net.nposted >= BUFFERS - SENDERS);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_only_the_provider_that_asks_first_is_spared),
        UNIT_TEST(test_what_is_cut_is_put_together),
        UNIT_TEST(test_a_full_queue_is_gone_on_with),
        UNIT_TEST(test_a_message_begun_anew_replaces_the_old),
        UNIT_TEST(test_a_gap_or_a_repeat_drops_the_message),
        UNIT_TEST(test_lengths_that_lie_are_dropped),
        UNIT_TEST(test_buffers_are_left_to_receive_with),
        UNIT_TEST(test_halves_give_way_to_messages_that_are_held),
        UNIT_TEST(test_random_segments_make_whole_messages_only),
    };
    int rc = UNIT_MAIN("net_ofi_segment", tests);

    pool_fini(&net.pool);
    return rc;
}
