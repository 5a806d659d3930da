#include "verb.h"

#include "config.h"
#include "nearest.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FREE_PORTS_MAX 64

static int help_verb(int argc, char **argv);
static int version_verb(int argc, char **argv);
static int check_verb(int argc, char **argv);
static int docs_verb(int argc, char **argv);
static int ports_verb(int argc, char **argv);
static int unknown_verb(const char *word);

static const struct verb verbs[] = {
    {"serve", "[--config FILE] [--workers 1..64] [--verbose]",
     "start broker, gateway and workers, and keep them running", serve_verb},
    {"run", "FILE --steps FILE.json [--out DIR] [--all] [--url URL] [--ws URL]",
     "upload a file, run a workflow on it, watch it, download the result", run_verb},
    {"tail", "CHAT [--since N --epoch E] [--ws URL]", "print a chat's events as JSON lines", tail_verb},
    {"publish", "CHAT JSON [--ack] [--to ENDPOINT]", "send one event into a chat; with --ack, until it is on disk",
     publish_verb},
    {"help", "[VERB]", "print this, or what a verb is called with", help_verb},
    {"--help", "", NULL, help_verb},
    {"-h", "", NULL, help_verb},
    {"--version", "", NULL, version_verb},
    {"--check-config", "", NULL, check_verb},
    {"--config", "", NULL, check_verb},
    {"docs-configuration", "", NULL, docs_verb},
    {"free-ports", "", NULL, ports_verb},
    {NULL, NULL, NULL, NULL},
};

static const struct verb *find(const char *name)
{
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

static void print_verb(const struct verb *verb)
{
    printf("  sheetwire %s %s\n      %s\n", verb->name, verb->arguments, verb->summary);
}

void verb_usage(const char *name)
{
    fprintf(stderr, "usage: sheetwire %s %s\n", name, find(name)->arguments);
}

static int help_verb(int argc, char **argv)
{
    const struct verb *asked = argc > 1 ? find(argv[1]) : NULL;
    if (argc > 1 && !(asked && asked->summary))
        return unknown_verb(argv[1]);
    if (asked) {
        print_verb(asked);
        return EXIT_DONE;
    }
    puts("sheetwire - spreadsheet workflows, live\n");
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (verb->summary)
            print_verb(verb);
    puts("  sheetwire [--config FILE] --check-config\n      print every setting and where it comes from\n"
         "  sheetwire --help, --version\n\n"
         "Addresses come from configs/application.yml and the environment unless given: see docs/configuration.md.\n"
         "Exit code: 0 done, 1 failed, 2 wrong usage or configuration.");
    return EXIT_DONE;
}

static int version_verb(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("sheetwire " SHEETWIRE_VERSION);
    return EXIT_DONE;
}

/* `--check-config`, `--config FILE --check-config` and `--check-config --config FILE`, as in the other programs. */
static int check_verb(int argc, char **argv)
{
    const char *path = NULL;
    bool check = false;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--check-config") == 0)
            check = true;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[++i];
        else
            return fprintf(stderr, "sheetwire: '%s' is not expected here; see sheetwire help\n", argv[i]), EXIT_USAGE;
    }
    struct config *config;
    struct fault why;
    if (!check)
        return fprintf(stderr, "sheetwire: --config needs --check-config or a verb\n"), EXIT_USAGE;
    if (config_load(&config, path, environ, &why) != ERR_OK)
        return fprintf(stderr, "%s\n", why.text), EXIT_USAGE;
    config_print(config, stdout);
    config_destroy(&config);
    return EXIT_DONE;
}

static int docs_verb(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    config_print_docs(stdout);
    return EXIT_DONE;
}

/* For scripts: so many loopback ports that are free at this moment, in one line. All are held until all are known. */
static int ports_verb(int argc, char **argv)
{
    long count = argc == 2 ? strtol(argv[1], NULL, 10) : 1, made = 0;
    for (; made < count && made < FREE_PORTS_MAX; made++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
            getsockname(fd, (struct sockaddr *)&address, &len) != 0)
            return EXIT_FAILED;
        printf(made ? " %u" : "%u", ntohs(address.sin_port));
    }
    puts("");
    return made == count ? EXIT_DONE : EXIT_USAGE; /* the ports are given back by our end */
}

static int unknown_verb(const char *word)
{
    if (word[0] == '-') {
        fprintf(stderr, "sheetwire: unknown option '%s'; see sheetwire help\n", word);
        return EXIT_USAGE;
    }
    struct nearest nearest = NEAREST_INIT(word);
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (verb->summary)
            nearest_offer(&nearest, verb->name);
    fprintf(stderr, "sheetwire: unknown verb '%s'; did you mean '%s'?\n", word, nearest.best);
    return EXIT_USAGE;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int verb_main(int argc, char **argv)
{
    if (argc < 2) {
        help_verb(0, NULL);
        return EXIT_USAGE;
    }
    const struct verb *verb = find(argv[1]);
    if (!verb)
        return unknown_verb(argv[1]);
    if (verb->summary && argc == 3 && asks_for_help(argv[2])) {
        print_verb(verb);
        return EXIT_DONE;
    }
    static char name[32]; /* what getopt_long() begins its complaints with */
    snprintf(name, sizeof name, "sheetwire %s", verb->name);
    if (verb->summary)
        argv[1] = name;
    return verb->run(argc - 1, argv + 1);
}
