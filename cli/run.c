/* run - the main job against a running gateway: chat, upload, workflow, live progress, download.
 *
 * The WebSocket shows the run while it lasts; the record decides how it ended. So the job is read by REST once the run
 * is over, and also whenever the socket is away for a while: the end is never missed, with or without events. */
#include "chat_stream.h"
#include "clock.h"
#include "http_client.h"
#include "progress_bar.h"
#include "run_view.h"
#include "server_address.h"
#include "verb.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TURN_MS        250
#define FIRST_WAIT_MS  3000  /* for `connected` before the run is started without it */
#define ASK_AWAY_MS    1000  /* between two looks at the job while the socket is away */
#define ASK_QUIET_MS   15000 /* the same while it is open and silent */
#define PATIENCE_MS    60000 /* with neither socket nor REST */
#define SAME_NAMES_MAX 1000  /* result-2.csv, result-3.csv, ... */
#define REST_PATH_MAX  800

struct run {
    const char *file, *steps_file, *out, *url, *ws;
    bool all; /* download every step's file, not only the last one's */
    bool terminal;
    bool drawn;
    bool away; /* the WebSocket is lost and that has been said */
    char chat[160];
    struct http_client *http;
    struct chat_stream *stream;
    struct run_view view;
    struct said {
        int progress;
        enum step_state state;
    } said[RUN_VIEW_STEPS_MAX]; /* what the lines on a pipe have told */
    int64_t heard_ms;           /* when the server last said anything */
    int64_t asked_ms;           /* when the job was last read */
};

static bool parse_options(int argc, char **argv, struct run *self)
{
    static const struct option options[] = {
        {"steps", required_argument, NULL, 's'}, {"out", required_argument, NULL, 'o'},
        {"url", required_argument, NULL, 'u'},   {"ws", required_argument, NULL, 'w'},
        {"all", no_argument, NULL, 'a'},         {NULL, 0, NULL, 0},
    };
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's': self->steps_file = optarg; break;
        case 'o': self->out = optarg; break;
        case 'u': self->url = optarg; break;
        case 'w': self->ws = optarg; break;
        case 'a': self->all = true; break;
        default: return verb_usage("run"), false;
        }
    }
    self->file = optind == argc - 1 ? argv[optind] : NULL;
    if (!self->file || !self->steps_file)
        return verb_usage("run"), false;
    return true;
}

/* The file holds the list of steps, or an object with that list in "steps". */
static enum err read_steps(const char *path, json_t **out, struct fault *why)
{
    json_error_t error;
    FILE *file = fopen(path, "re");
    if (!file)
        return fault_errno(why, "%s", path);
    json_t *root = json_loadf(file, 0, &error);
    fclose(file);
    if (!root)
        return fault_set(why, ERR_INVALID, "%s:%d: %s", path, error.line, error.text);
    json_t *steps = json_is_object(root) ? json_object_get(root, "steps") : root;
    enum err err = ERR_OK;
    if (!json_is_array(steps) || json_array_size(steps) == 0)
        err = fault_set(why, ERR_INVALID, "%s: there is no list of steps", path);
    for (size_t i = 0; i < json_array_size(steps) && err == ERR_OK; i++)
        if (!json_is_string(json_object_get(json_array_get(steps, i), "operation")))
            err = fault_set(why, ERR_INVALID, "%s: step %zu names no operation", path, i + 1);
    *out = err == ERR_OK ? json_incref(steps) : NULL;
    json_decref(root);
    return err;
}

static void draw(struct run *self)
{
    struct buf text = BUF_INIT(1024 * 1024);
    if (progress_bar_draw(&text, &self->view, progress_bar_columns(STDOUT_FILENO), self->drawn) == ERR_OK) {
        fwrite(text.data, 1, text.len, stdout);
        fflush(stdout);
    }
    self->drawn = true;
    buf_fini(&text);
}

/* On a pipe: one line for every step that has changed since its last line. */
static void say(struct run *self)
{
    for (size_t i = 0; i < self->view.count; i++) {
        const struct step_view *step = &self->view.steps[i];
        struct said *said = &self->said[i];
        if (step->progress == said->progress && step->state == said->state)
            continue;
        *said = (struct said){step->progress, step->state};
        printf("step %zu/%zu %s: %d%% %s\n", i + 1, self->view.count, step->operation, step->progress,
               step->state == STEP_COMPLETED ? "completed" : step->message);
    }
    fflush(stdout);
}

static void show(struct run *self)
{
    if (self->terminal)
        draw(self);
    else
        say(self);
}

static void on_rebuild(void *arg, const json_t *connected)
{
    struct run *self = arg;
    const json_t *snapshot = json_object_get(connected, "snapshot");
    const json_t *job = json_object_get(snapshot, "job");
    self->heard_ms = clock_monotonic_ms();
    self->away = false;
    if (!self->view.job[0])
        return;
    run_view_job(&self->view, json_is_object(job) ? job : snapshot);
    show(self);
}

static void on_event(void *arg, const json_t *event)
{
    struct run *self = arg;
    self->heard_ms = clock_monotonic_ms();
    self->away = false;
    if (run_view_event(&self->view, event))
        show(self);
}

static void on_lost(void *arg, const char *why)
{
    struct run *self = arg;
    if (!self->terminal && !self->away) /* on a terminal it would break the bars, which go on by REST */
        fprintf(stderr, "sheetwire run: WebSocket: %s; it is tried again\n", why);
    self->away = true;
}

static enum err chat_path(const struct run *self, char *out, const char *what, const char *name)
{
    char segment[REST_PATH_MAX / 2];
    if (http_client_escape(name, segment, sizeof segment) != ERR_OK)
        return ERR_TOO_LARGE;
    snprintf(out, REST_PATH_MAX, "/chat/workflows/%s/%s%s", self->chat, what, segment);
    return ERR_OK;
}

static enum err create_chat(struct run *self, struct fault *why)
{
    struct http_reply reply;
    enum err err = http_client_post(self->http, "/chat/workflows", NULL, false, &reply, why);
    const char *chat = json_string_value(json_object_get(reply.data, "chat_id"));
    if (err == ERR_OK && (!chat || http_client_escape(chat, self->chat, sizeof self->chat) != ERR_OK))
        err = fault_set(why, ERR_PROTOCOL, "the server named no chat");
    http_reply_fini(&reply);
    return err;
}

static enum err upload(struct run *self, struct fault *why)
{
    char path[REST_PATH_MAX];
    struct http_reply reply = {.status = 0};
    enum err err = chat_path(self, path, "upload", "");
    if (err == ERR_OK)
        err = http_client_upload(self->http, path, self->file, &reply, why);
    http_reply_fini(&reply);
    return err;
}

/* Waits a moment for the WebSocket, so that the first events are seen too; not when nobody takes the connection. */
static void wait_for_stream(struct run *self)
{
    int64_t until = clock_monotonic_ms() + FIRST_WAIT_MS;
    while (clock_monotonic_ms() < until && chat_stream_run(self->stream, TURN_MS) == STREAM_CONNECTING)
        ;
}

static enum err start_workflow(struct run *self, json_t *steps, struct fault *why)
{
    char path[REST_PATH_MAX];
    struct http_reply reply = {.status = 0};
    char *body = NULL;
    json_t *root = json_pack("{s:O}", "steps", steps);
    enum err err = chat_path(self, path, "execute", "");
    if (root && err == ERR_OK)
        body = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!body)
        return fault_set(why, ERR_MEMORY, "no memory");
    err = http_client_post(self->http, path, body, true, &reply, why);
    free(body);
    const char *job = json_string_value(json_object_get(reply.data, "job_id"));
    if (err == ERR_OK && !job)
        err = fault_set(why, ERR_PROTOCOL, "the server named no job");
    if (err == ERR_OK)
        snprintf(self->view.job, sizeof self->view.job, "%s", job);
    http_reply_fini(&reply);
    return err;
}

/* Reads the job. *job is owned by the caller, NULL on an error. */
static enum err ask_job(struct run *self, json_t **job, struct fault *why)
{
    char path[REST_PATH_MAX];
    struct http_reply reply = {.status = 0};
    *job = NULL;
    self->asked_ms = clock_monotonic_ms();
    enum err err = chat_path(self, path, "jobs/", self->view.job);
    if (err == ERR_OK)
        err = http_client_get(self->http, path, &reply, why);
    if (err == ERR_OK) {
        self->heard_ms = clock_monotonic_ms();
        *job = json_incref(reply.data);
    }
    http_reply_fini(&reply);
    return err;
}

/* Looks at the job by REST when the socket tells nothing. */
static enum err look(struct run *self, enum chat_stream_state state, struct fault *why)
{
    int64_t now = clock_monotonic_ms();
    int64_t last = self->heard_ms > self->asked_ms ? self->heard_ms : self->asked_ms;
    if (now - last < (state == STREAM_LIVE ? ASK_QUIET_MS : ASK_AWAY_MS))
        return ERR_OK;
    json_t *job;
    enum err err = ask_job(self, &job, why);
    if (err == ERR_OK) {
        run_view_job(&self->view, job);
        show(self);
        json_decref(job);
    }
    bool hopeless = err != ERR_OK && (err != ERR_UNAVAILABLE || now - self->heard_ms > PATIENCE_MS);
    return hopeless ? err : ERR_OK;
}

static enum err watch(struct run *self, struct fault *why)
{
    enum err err = ERR_OK;
    self->heard_ms = self->asked_ms = clock_monotonic_ms();
    show(self);
    while (err == ERR_OK && self->view.state == RUN_GOING) {
        enum chat_stream_state state = chat_stream_run(self->stream, TURN_MS);
        if (self->view.state == RUN_GOING)
            err = look(self, state, why);
    }
    show(self);
    return err;
}

/* Opens DIR/NAME, or DIR/NAME-2 before its extension and so on; nothing that exists is overwritten. */
static int open_free_name(const char *folder, const char *name, char path[PATH_MAX])
{
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot && dot != name ? dot - name : (ptrdiff_t)strlen(name));
    for (int number = 1; number <= SAME_NAMES_MAX; number++) {
        char suffix[16] = "";
        if (number > 1)
            snprintf(suffix, sizeof suffix, "-%d", number);
        snprintf(path, PATH_MAX, "%s/%.*s%s%s", folder, stem, name, suffix, name + stem);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static enum err download(struct run *self, const char *name, struct fault *why)
{
    char path[REST_PATH_MAX], file[PATH_MAX];
    uint64_t bytes;
    if (chat_path(self, path, "files/", name) != ERR_OK || name[0] == '.' || strchr(name, '/'))
        return fault_set(why, ERR_PROTOCOL, "the server gave a file an odd name");
    int fd = open_free_name(self->out, name, file);
    if (fd < 0)
        return fault_errno(why, "cannot write %s", file);
    enum err err = http_client_download(self->http, path, fd, &bytes, why);
    if (close(fd) != 0 && err == ERR_OK)
        err = fault_errno(why, "cannot write %s", file);
    if (err != ERR_OK)
        unlink(file);
    else
        printf("saved %s (%llu bytes)\n", file, (unsigned long long)bytes);
    return err;
}

static const char *file_of(const json_t *result)
{
    const char *name = json_string_value(json_object_get(result, "name"));
    const char *path = json_string_value(json_object_get(result, "output_file_path"));
    if (name || !path)
        return name;
    return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

static enum err download_results(struct run *self, struct fault *why)
{
    json_t *job;
    enum err err = ask_job(self, &job, why);
    if (err != ERR_OK)
        return err;
    const json_t *results = json_object_get(json_object_get(job, "result"), "results");
    size_t count = json_array_size(results), saved = 0;
    for (size_t i = self->all || count == 0 ? 0 : count - 1; i < count && err == ERR_OK; i++) {
        const char *name = file_of(json_array_get(results, i));
        if (name)
            err = download(self, name, why);
        saved += name && err == ERR_OK;
    }
    if (err == ERR_OK && saved == 0)
        puts("no file was made");
    json_decref(job);
    return err;
}

static enum err do_run(struct run *self, json_t *steps, struct fault *why)
{
    const struct chat_stream_handler handler = {on_rebuild, on_event, on_lost, self};
    enum err err = http_client_new(&self->http, self->url, why);
    if (err == ERR_OK)
        err = create_chat(self, why);
    if (err == ERR_OK) {
        printf("chat %s\n", self->chat);
        fflush(stdout);
        err = upload(self, why);
    }
    if (err == ERR_OK)
        err = chat_stream_open(&self->stream, self->ws, self->chat, "", 0, &handler, why);
    if (err == ERR_OK) {
        wait_for_stream(self);
        err = start_workflow(self, steps, why);
    }
    if (err == ERR_OK)
        err = watch(self, why);
    if (err == ERR_OK && self->view.state != RUN_COMPLETED)
        err = fault_set(why, ERR_INVALID, "%s", self->view.error);
    return err == ERR_OK ? download_results(self, why) : err;
}

static bool is_folder(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

int run_verb(int argc, char **argv)
{
    char rest[SERVER_ADDRESS_MAX], ws[SERVER_ADDRESS_MAX];
    static struct run self;
    self = (struct run){.out = ".", .url = rest, .ws = ws, .terminal = isatty(STDOUT_FILENO) == 1};
    struct fault why = {.text = ""};
    json_t *steps = NULL;
    server_address_default(rest, ws);
    if (!parse_options(argc, argv, &self))
        return EXIT_USAGE;
    enum err err = read_steps(self.steps_file, &steps, &why);
    if (err == ERR_OK && access(self.file, R_OK) != 0)
        err = fault_errno(&why, "%s", self.file);
    if (err == ERR_OK && is_folder(self.file))
        err = fault_set(&why, ERR_INVALID, "%s: is a folder, not a file", self.file);
    if (err == ERR_OK && !is_folder(self.out))
        err = fault_set(&why, ERR_NOT_FOUND, "%s: is not a folder", self.out);
    if (err == ERR_OK && run_view_init(&self.view, steps) != ERR_OK)
        err = fault_set(&why, ERR_TOO_LARGE, "%s: more than %d steps", self.steps_file, RUN_VIEW_STEPS_MAX);
    int exit_code = err == ERR_OK ? EXIT_DONE : EXIT_USAGE;
    if (err == ERR_OK && do_run(&self, steps, &why) != ERR_OK)
        exit_code = EXIT_FAILED;
    if (exit_code != EXIT_DONE)
        fprintf(stderr, "sheetwire run: %s\n", why.text);
    chat_stream_close(&self.stream);
    http_client_destroy(&self.http);
    run_view_fini(&self.view);
    json_decref(steps);
    return exit_code;
}
