/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long messages by provider "tcp;ofi_rxm", in segments.
 *
 * That provider sends up to 16 KiB at once. What is longer it announces; the
 * receiver reads it by RMA, which takes a turn of the sender's, and
 * acknowledges it. Its limit can be raised, but by the environment only, and
 * two endpoints whose limits differ do not connect (ADR 53). So a longer
 * message goes as several of 16 KiB, one behind the other.
 *
 * The happy path: each segment is sent with 64 bits of data beside it: who
 * sends (a random number), whether it is the first, and how many bytes are to
 * come, its own among them. The provider keeps their order. The receiver leaves
 * the first in its buffer, copies the others behind it, and hands over the
 * whole.
 *
 * Possible failure modes are:
 *  - the provider takes some of the segments: the rest waits in the peer's
 * line, and nothing goes to that peer in between;
 *  - the connection breaks in the middle: what came is dropped when the sender
 *    begins another message, or when a message comes while buffers are few;
 *  - a segment that does not fit what came before, or more than a message may
 *    have: dropped, with what came before;
 *  - so many senders at once that few buffers are left to receive with: the
 * oldest message that is not whole is dropped, as if it had been lost.
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <string.h>
#include <sys/random.h>

#define SEGMENT_BYTES 16384u /* the provider's limit, unless it was changed */
#define PROVIDER "tcp;ofi_rxm"

#define LEFT_BITS 23
#define LEFT_MASK ((UINT64_C(1) << LEFT_BITS) - 1)
#define FIRST (UINT64_C(1) << LEFT_BITS)
#define SENDER_SHIFT (LEFT_BITS + 1)

#define SPARE_MAX 16u /* receives that are to stay with the provider */

void ofi_segments_init(struct ofi_net *net)
{
    const struct fi_info *info = net->info;

    if (strcmp(info->fabric_attr->prov_name, PROVIDER) != 0 ||
        info->domain_attr->cq_data_size < sizeof(uint64_t) ||
        net->caps.message_max > LEFT_MASK)
        return;
    if (getrandom(&net->segment_sender, sizeof(net->segment_sender), 0) < 0)
        net->segment_sender = clock_wall(net->clock);
    net->segment_sender = net->segment_sender >> SENDER_SHIFT | 1;
    net->segment_bytes = SEGMENT_BYTES;
}

/* --- Sending --- */

/* The slots of all but the last have no operation to end: the provider ends
 * those before it ends the last. An operation that is given up before its last
 * was sent ends at once, and may end before they do. */
int ofi_segments_post(struct ofi_net *net, struct ofi_peer *peer,
                      struct net_op *op, struct ofi_start *start)
{
    struct ofi_start segment = *start;
    size_t left;
    int rc = 0;

    while (rc == 0 && start->given < start->len) {
        left = start->len - start->given;
        segment.memory = (char *)start->memory + start->given;
        segment.len = left < net->segment_bytes ? left : net->segment_bytes;
        segment.data = net->segment_sender << SENDER_SHIFT |
                       (start->given == 0 ? FIRST : 0) | left;
        rc = ofi_post_one(net, peer, segment.len == left ? op : NULL, &segment);
        if (rc == 0)
            start->given += segment.len;
    }
    return rc;
}

/* --- Receiving --- */

static struct ofi_slot **find_partial(struct ofi_net *net, uint64_t sender)
{
    struct ofi_slot **link = &net->partial;

    while (*link != NULL && (*link)->sender != sender)
        link = &(*link)->next;
    return link;
}

static struct ofi_slot *take_partial(struct ofi_slot **link)
{
    struct ofi_slot *slot = *link;

    *link = slot->next;
    return slot;
}

static void drop_partial(struct ofi_net *net, struct ofi_slot **link)
{
    struct ofi_slot *slot = take_partial(link);

    log_debug("message of %zu bytes dropped: %zu did not come",
              slot->have + slot->left, slot->left);
    ofi_receive_post(net, slot);
}

void ofi_segments_make_room(struct ofi_net *net)
{
    size_t spare = net->pool.nbuffers / 4;

    if (spare > SPARE_MAX)
        spare = SPARE_MAX;
    if (net->nposted + net->nidle < spare && net->partial != NULL)
        drop_partial(net, &net->partial);
}

/* Does the message that this begins fit, and is there more of it to come? */
static bool is_begin(const struct ofi_net *net, size_t len, size_t left)
{
    return left <= net->pool.buffer_size && len < left;
}

static void begin(struct ofi_net *net, struct ofi_slot *slot, size_t len,
                  size_t left)
{
    struct ofi_slot **end = &net->partial;

    while (*end != NULL)
        end = &(*end)->next;
    slot->have = len;
    slot->left = left - len;
    slot->next = NULL;
    *end = slot;
    ofi_segments_make_room(net);
}

/* Add to what came before. @return is it whole? */
static bool join(struct ofi_slot *whole, const struct ofi_slot *slot,
                 size_t len)
{
    memcpy((char *)whole->buffer + whole->have, slot->buffer, len);
    whole->have += len;
    whole->left -= len;
    return whole->left == 0;
}

void ofi_segment_take(struct ofi_net *net, struct ofi_slot *slot, size_t len,
                      uint64_t data)
{
    uint64_t sender = data >> SENDER_SHIFT;
    size_t left = (size_t)(data & LEFT_MASK);
    struct ofi_slot **link = find_partial(net, sender);
    struct ofi_slot *whole = NULL;
    bool is_first = (data & FIRST) != 0;

    if (*link != NULL &&
        (is_first || (*link)->left != left || len > left || len == 0))
        drop_partial(net, link);
    else if (*link != NULL && join(*link, slot, len))
        whole = take_partial(link);
    if (is_first && is_begin(net, len, left)) {
        slot->sender = sender;
        begin(net, slot, len, left);
    } else {
        ofi_receive_post(net, slot);
    }
    if (whole != NULL)
        ofi_deliver(net, whole, whole->have);
}
