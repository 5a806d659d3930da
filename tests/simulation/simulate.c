/* simulate - runs seeds. One seed is one history; a seed that breaks an invariant is run again with its trace, so that
 * what is printed can be reproduced: simulate --seed S --trace. */
#include "world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct wishes {
    uint64_t seeds, from, steps;
    bool trace, one, need_all;
};

static const char *const usage =
    "usage: simulate [--seeds N] [--from S] [--steps N] [--need-all] [--seed S [--trace]]\n"
    "  --need-all  a report in which a fault or an interesting case never came is a failure\n";

static bool read_wishes(struct wishes *out, int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},
        {"steps", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, '1'},
        {"trace", no_argument, NULL, 't'},
        {"need-all", no_argument, NULL, 'a'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct wishes){.seeds = 300, .from = 1, .steps = 1000};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 'n': out->seeds = strtoull(optarg, NULL, 10); break;
        case 'f': out->from = strtoull(optarg, NULL, 10); break;
        case 's': out->steps = strtoull(optarg, NULL, 10); break;
        case '1':
            out->from = strtoull(optarg, NULL, 10);
            out->seeds = 1;
            out->one = true;
            break;
        case 't': out->trace = true; break;
        case 'a': out->need_all = true; break;
        default: return false;
        }
    }
    return optind == argc;
}

static void print_end(const struct world *world)
{
    if (!world->trace_all)
        for (uint64_t i = world->traced > TRACE_LINES ? world->traced - TRACE_LINES : 0; i < world->traced; i++)
            puts(world->trace[i % TRACE_LINES]);
    printf("seed %" PRIu64 " broke '%s' at %.6f s, happening %" PRIu64 ":\n  %s\n", world->seed,
           invariant_rows[world->broken].name, (double)world->now_us / 1e6, world->steps, world->failure);
}

static bool run_seed(uint64_t seed, const struct wishes *wishes, struct tally *tally, bool tracing)
{
    struct world *world;
    if (world_new(&world, seed, tally, tracing, tracing && wishes->trace) != ERR_OK)
        abort();
    world_run(world, wishes->steps);
    bool held = !world->failed;
    tally->seeds++;
    tally->steps += world->steps;
    if (!held && tracing)
        print_end(world);
    world_destroy(&world);
    return held;
}

static uint64_t count_zeros(const struct tally *tally)
{
    uint64_t zeros = 0;
    for (int i = 0; i < FAULT_KINDS; i++)
        zeros += tally->faults[i] == 0;
    for (int i = 0; i < INVARIANTS; i++)
        zeros += tally->cases[i] == 0;
    return zeros;
}

static void report(const struct tally *tally, double seconds)
{
    printf("| fault | times |\n|---|---:|\n");
    for (int i = 0; i < FAULT_KINDS; i++)
        printf("| %s | %" PRIu64 " |\n", fault_names[i], tally->faults[i]);
    printf("\n| promise | interesting cases | how often |\n|---|---|---:|\n");
    for (int i = 0; i < INVARIANTS; i++)
        printf("| %s | %s | %" PRIu64 " |\n", invariant_rows[i].name, invariant_rows[i].interesting, tally->cases[i]);
    printf("\n%" PRIu64 " seeds, %" PRIu64 " happenings, %" PRIu64 " jobs, %" PRIu64 " events, %" PRIu64
           " commits, %" PRIu64 " events applied by clients; %.1f s, %.0f seeds/s\n",
           tally->seeds, tally->steps, tally->jobs, tally->events, tally->commits, tally->applied, seconds,
           seconds > 0 ? (double)tally->seeds / seconds : 0);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static struct tally tally, again;
    struct wishes wishes;
    if (!read_wishes(&wishes, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    double start = seconds_now();
    for (uint64_t seed = wishes.from; seed < wishes.from + wishes.seeds; seed++) {
        if (run_seed(seed, &wishes, &tally, wishes.one && wishes.trace))
            continue;
        if (!(wishes.one && wishes.trace) && run_seed(seed, &wishes, &again, true))
            printf("seed %" PRIu64 " failed once and not again: the simulator itself is not deterministic\n", seed);
        return 1;
    }
    report(&tally, seconds_now() - start);
    uint64_t zeros = count_zeros(&tally);
    if (zeros > 0)
        printf("%" PRIu64 " faults or cases never came\n", zeros);
    return wishes.need_all && zeros > 0 ? 1 : 0;
}
