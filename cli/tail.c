/* tail - a chat's events as JSON lines on standard output, until interrupted. A `connected` is printed too when what
 * came before it is not the line above (snapshot, gap, reset): a reader then starts from its snapshot. */
#include "chat_stream.h"
#include "id.h"
#include "server_address.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 1000

struct tail {
    bool was_live; /* at least once: from then on a lost connection is no error */
    bool failed;
    bool closed; /* nobody reads standard output */
    char why[256];
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void print_line(struct tail *self, const json_t *frame)
{
    char *text = json_dumps(frame, JSON_COMPACT);
    if (!text || puts(text) < 0 || fflush(stdout) != 0)
        self->closed = true;
    free(text);
}

static void on_rebuild(void *arg, const json_t *connected)
{
    struct tail *self = arg;
    self->was_live = true;
    print_line(self, connected);
}

static void on_event(void *arg, const json_t *event)
{
    print_line(arg, event);
}

static void on_lost(void *arg, const char *why)
{
    struct tail *self = arg;
    if (!self->was_live)
        self->failed = true;
    snprintf(self->why, sizeof self->why, "%s", why);
}

struct tail_options {
    const char *chat, *ws, *epoch;
    uint64_t since;
};

static bool parse_since(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && errno == 0;
}

static bool parse_options(int argc, char **argv, struct tail_options *out)
{
    static const struct option options[] = {
        {"since", required_argument, NULL, 's'},
        {"epoch", required_argument, NULL, 'e'},
        {"ws", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    bool has_since = false;
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            has_since = parse_since(optarg, &out->since);
        else if (option == 'e')
            out->epoch = optarg;
        else if (option == 'w')
            out->ws = optarg;
        else
            return verb_usage("tail"), false;
        if (option == 's' && !has_since)
            return fprintf(stderr, "sheetwire tail: --since %s is not a sequence number\n", optarg), false;
    }
    out->chat = optind == argc - 1 ? argv[optind] : NULL;
    if (!out->chat)
        return verb_usage("tail"), false;
    if (!id_chat_valid(out->chat, strlen(out->chat)))
        return fprintf(stderr, "sheetwire tail: '%s' is no chat id: 1 to 128 of A-Z a-z 0-9 . _ ~ : -\n", out->chat),
               false;
    if (has_since != (out->epoch != NULL))
        return fprintf(stderr, "sheetwire tail: --since and --epoch go together\n"), false;
    return true;
}

int tail_verb(int argc, char **argv)
{
    char rest[SERVER_ADDRESS_MAX], ws[SERVER_ADDRESS_MAX];
    server_address_default(rest, ws);
    struct tail_options options = {.ws = ws};
    if (!parse_options(argc, argv, &options))
        return EXIT_USAGE;
    struct tail self = {.was_live = false};
    const struct chat_stream_handler handler = {on_rebuild, on_event, on_lost, &self};
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct chat_stream *stream;
    struct fault why;
    if (chat_stream_open(&stream, options.ws, options.chat, options.epoch, options.since, &handler, &why) != ERR_OK)
        return fprintf(stderr, "sheetwire tail: %s\n", why.text), EXIT_USAGE;
    while (!interrupted && !self.closed && !self.failed)
        self.was_live |= chat_stream_run(stream, TURN_MS) == STREAM_LIVE;
    chat_stream_close(&stream);
    if (self.failed)
        fprintf(stderr, "sheetwire tail: %s: %s\n", options.ws, self.why);
    return self.failed ? EXIT_FAILED : EXIT_DONE;
}
