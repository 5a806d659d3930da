/* publish - one event into a chat, as any outside program would send it (common/wire/publish_frame.h). Without --ack it
 * waits until the broker has subscribed, as nothing sent before that arrives; with --ack it waits until the event is on
 * disk, and sends it again under one event_id when no answer comes. */
#include "clock.h"
#include "config.h"
#include "endpoint.h"
#include "id.h"
#include "verb.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS      10000 /* for the broker, in all */
#define AGAIN_MS     2000  /* without an answer */
#define ANSWER_BYTES 4096

struct publish {
    const char *chat;
    char *text; /* the event */
    bool ack;
    char endpoint[ENDPOINT_TEXT_MAX];
    void *context, *socket;
};

static int usage(const char *problem)
{
    fprintf(stderr, "sheetwire publish: %s\n", problem);
    verb_usage("publish");
    return EXIT_USAGE;
}

/* With --ack an event gets an event_id, which makes it harmless to send it twice. NULL: no JSON object. */
static char *event_text(const char *given, bool ack)
{
    json_t *event = json_loads(given, 0, NULL);
    if (json_is_object(event) && ack && !json_object_get(event, "event_id")) {
        char id[ID_UUID_LEN + 1];
        id_uuid4(id);
        json_object_set_new(event, "event_id", json_string(id));
    }
    char *text = json_is_object(event) ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    return text;
}

static enum err default_endpoint(struct publish *self, struct fault *why)
{
    struct config *config;
    enum err err = config_load(&config, NULL, environ, why);
    if (err != ERR_OK)
        return err;
    err = endpoint_address(config_settings(config), self->ack ? ENDPOINT_PUBLISH_ACK : ENDPOINT_PUBLISH, self->endpoint,
                           why);
    config_destroy(&config);
    if (err == ERR_OK && !self->endpoint[0])
        return fault_set(why, ERR_UNAVAILABLE, "outside programs are switched off (wire.publish)");
    return err;
}

static bool open_socket(struct publish *self)
{
    int linger = WAIT_MS, immediate = 1;
    self->context = zmq_ctx_new();
    self->socket = self->context ? zmq_socket(self->context, self->ack ? ZMQ_DEALER : ZMQ_XPUB) : NULL;
    return self->socket && zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
           zmq_setsockopt(self->socket, ZMQ_IMMEDIATE, &immediate, sizeof immediate) == 0 &&
           zmq_connect(self->socket, self->endpoint) == 0;
}

static void close_socket(struct publish *self)
{
    if (self->socket)
        zmq_close(self->socket);
    if (self->context)
        zmq_ctx_term(self->context);
}

static bool await(struct publish *self, short events, int64_t ms)
{
    zmq_pollitem_t item = {.socket = self->socket, .events = events};
    return ms > 0 && zmq_poll(&item, 1, (long)ms) > 0 && (item.revents & events);
}

static bool send_event(struct publish *self)
{
    return zmq_send(self->socket, self->chat, strlen(self->chat), ZMQ_SNDMORE) >= 0 &&
           zmq_send(self->socket, self->text, strlen(self->text), 0) >= 0;
}

/* The last step of a send is the library's: closing the socket waits for it. */
static int publish_once(struct publish *self)
{
    char subscription[64];
    if (!await(self, ZMQ_POLLIN, WAIT_MS) || zmq_recv(self->socket, subscription, sizeof subscription, 0) < 0 ||
        !send_event(self))
        return fprintf(stderr, "sheetwire publish: no broker listens at %s\n", self->endpoint), EXIT_FAILED;
    return EXIT_DONE;
}

/* -1: not an answer. */
static int read_answer(const char *bytes, size_t len)
{
    json_t *answer = json_loadb(bytes, len, 0, NULL);
    const char *error = json_string_value(json_object_get(answer, "error"));
    int code = error ? EXIT_FAILED : json_is_true(json_object_get(answer, "ok")) ? EXIT_DONE : -1;
    if (error)
        fprintf(stderr, "sheetwire publish: refused: %s\n", error);
    else if (code == EXIT_DONE)
        printf("%.*s\n", (int)len, bytes);
    json_decref(answer);
    return code;
}

static int publish_acknowledged(struct publish *self)
{
    char answer[ANSWER_BYTES];
    int64_t until = clock_monotonic_ms() + WAIT_MS, again = 0;
    for (int64_t now = until - WAIT_MS; now < until; now = clock_monotonic_ms()) {
        if (now >= again && await(self, ZMQ_POLLOUT, until - now) && send_event(self))
            again = now + AGAIN_MS;
        if (!await(self, ZMQ_POLLIN, (again > now && again < until ? again : until) - now))
            continue;
        int len = zmq_recv(self->socket, answer, sizeof answer, 0);
        int code = len > 0 && len <= ANSWER_BYTES ? read_answer(answer, (size_t)len) : -1;
        if (code >= 0)
            return code;
    }
    return fprintf(stderr, "sheetwire publish: no answer from %s\n", self->endpoint), EXIT_FAILED;
}

static int parse(struct publish *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"ack", no_argument, NULL, 'a'}, {"to", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'a')
            self->ack = true;
        else if (option == 't' && strlen(optarg) < sizeof self->endpoint)
            memcpy(self->endpoint, optarg, strlen(optarg) + 1);
        else
            return verb_usage("publish"), EXIT_USAGE;
    }
    if (optind != argc - 2)
        return usage("a chat and an event are needed");
    self->chat = argv[optind];
    if (!id_chat_valid(self->chat, strlen(self->chat)))
        return usage("that is no chat id: 1 to 128 of A-Z a-z 0-9 . _ ~ : -");
    self->text = event_text(argv[optind + 1], self->ack);
    return self->text ? EXIT_DONE : usage("the event must be a JSON object");
}

int publish_verb(int argc, char **argv)
{
    struct publish self = {.ack = false};
    struct fault why = {.text = ""};
    int code = parse(&self, argc, argv);
    if (code == EXIT_DONE && !self.endpoint[0] && default_endpoint(&self, &why) != ERR_OK) {
        fprintf(stderr, "sheetwire publish: %s\n", why.text);
        code = EXIT_USAGE;
    }
    if (code == EXIT_DONE) {
        if (open_socket(&self))
            code = self.ack ? publish_acknowledged(&self) : publish_once(&self);
        else
            code = usage("that is no address of a socket");
        close_socket(&self);
    }
    free(self.text);
    return code;
}
