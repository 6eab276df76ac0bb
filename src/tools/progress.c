/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A progress bar: done, total, bar, rate, time left. The rate is the mean since
 * the start, which is steadier than any window and what the user waits for.
 */
#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

#define DRAW_EVERY_NS 100000000ull
#define BAR_WIDTH 24
#define SECONDS_MAX 359999 /* 99:59:59 */

void progress_size(char *text, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned unit = 0;

    while (bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, 16, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void draw_bar(const struct progress *progress, double rate)
{
    uint64_t done =
        progress->done < progress->total ? progress->done : progress->total;
    int filled = (int)((double)done / (double)progress->total * BAR_WIDTH);
    double left = rate > 0 ? (double)(progress->total - done) / rate : 0;
    unsigned sec = left < SECONDS_MAX ? (unsigned)left : SECONDS_MAX;

    fprintf(stderr, " [%.*s%*s] %3u%%", filled, "########################",
            BAR_WIDTH - filled, "",
            (unsigned)((double)done * 100 / (double)progress->total));
    fprintf(stderr, "  %02u:%02u:%02u left", sec / 3600, sec / 60 % 60,
            sec % 60);
}

static void draw(struct progress *progress, uint64_t now_ns, bool is_last)
{
    double sec = (double)(now_ns - progress->start_ns) / 1e9;
    double rate = sec > 0 ? (double)progress->done / sec : 0;
    char done[16], per_sec[16];

    progress_size(done, (double)progress->done);
    progress_size(per_sec, rate);
    fprintf(stderr, "\r%10s  %10s/s", done, per_sec);
    if (is_last)
        fprintf(stderr, "  in %.2f s", sec);
    else if (progress->total > 0)
        draw_bar(progress, rate);
    fputs("\033[K", stderr); /* to the end of the line: blank */
    progress->drawn_ns = now_ns;
}

void progress_start(struct progress *progress, uint64_t total)
{
    memset(progress, 0, sizeof(*progress));
    pthread_mutex_init(&progress->lock, NULL);
    progress->is_shown = isatty(STDERR_FILENO);
    progress->total = total;
    progress->start_ns = tool_now_ns();
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    uint64_t now_ns;

    pthread_mutex_lock(&progress->lock);
    progress->done += bytes;
    if (progress->is_shown) {
        now_ns = tool_now_ns();
        if (now_ns - progress->drawn_ns >= DRAW_EVERY_NS)
            draw(progress, now_ns, false);
    }
    pthread_mutex_unlock(&progress->lock);
}

void progress_more(struct progress *progress, uint64_t bytes)
{
    pthread_mutex_lock(&progress->lock);
    progress->total += bytes;
    pthread_mutex_unlock(&progress->lock);
}

void progress_stop(struct progress *progress)
{
    if (!progress->is_shown)
        return;
    draw(progress, tool_now_ns(), true);
    fputc('\n', stderr);
}
