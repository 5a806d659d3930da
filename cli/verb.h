/* verb - what `sheetwire WORD ...` can do: one table. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. */
#ifndef VERB_H
#define VERB_H

#define EXIT_DONE   0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct verb {
    const char *name;
    const char *arguments;             /* for --help */
    const char *summary;               /* NULL: not shown */
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

/* The whole command line of the program; returns its exit code. */
int verb_main(int argc, char **argv);
/* Tells on standard error how this verb is called. */
void verb_usage(const char *name);

int serve_verb(int argc, char **argv);
int run_verb(int argc, char **argv);
int tail_verb(int argc, char **argv);
int publish_verb(int argc, char **argv);

#endif
