#include "process/zygote.h"

#include "process/step_main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum ask { ASK_SPAWN, ASK_KILL };

struct request {
    enum ask kind;
    uint64_t id;
    struct sandbox_limits limits;
    uint32_t count;   /* descriptors, holes included */
    uint32_t present; /* bit i: fds[i] comes with the message */
};

struct zygote {
    int fd;
    pid_t pid;
};

/* The first message of the helper: whether it can work. */
struct greeting {
    enum err err;
    struct fault why;
};

struct child {
    pid_t pid; /* 0 = free */
    uint64_t id;
};

struct helper {
    int fd;
    int signals;
    pid_t pid;
    const struct zygote_options *options;
    struct sandbox *sandbox; /* NULL: limits only */
    struct child children[ZYGOTE_STEPS_MAX];
};

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* --- the helper's side --- */

/* A full socket means that the worker reads nothing: waiting for it is all there is to do. */
static void tell(const struct helper *self, const struct zygote_exit *what)
{
    ssize_t sent;
    do
        sent = send(self->fd, what, sizeof *what, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
}

static struct child *find_child(struct helper *self, pid_t pid)
{
    for (size_t i = 0; i < ZYGOTE_STEPS_MAX; i++)
        if (self->children[i].pid == pid)
            return &self->children[i];
    return NULL;
}

static void reap(struct helper *self)
{
    struct signalfd_siginfo ignored[8];
    while (read(self->signals, ignored, sizeof ignored) > 0)
        ;
    struct rusage used;
    int status;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
        struct child *child = find_child(self, pid);
        if (!child)
            continue;
        uint64_t cpu_ms = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
                          (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
        struct zygote_exit what = {
            .id = child->id, .status = status, .cpu_ms = cpu_ms, .memory_kb = (uint64_t)used.ru_maxrss};
        child->pid = 0;
        tell(self, &what);
    }
}

/* Leaves the process with nothing but the step's descriptors, at their places. Never returns. */
static void become_step(const struct helper *self, const struct request *request, const int *fds)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self->pid || !step_place_fds(fds, request->count))
        _exit(STEP_EXIT_UNPREPARED);
    step_main(self->options->run, self->sandbox, &request->limits, request->count);
}

static void spawn(struct helper *self, const struct request *request, const int *fds)
{
    struct child *child = find_child(self, 0);
    errno = EAGAIN;
    pid_t pid = child ? fork() : -1;
    if (pid == 0)
        become_step(self, request, fds);
    if (pid > 0) {
        *child = (struct child){.pid = pid, .id = request->id};
        return;
    }
    struct zygote_exit what = {.id = request->id, .fork_error = errno};
    tell(self, &what);
}

static void kill_child(struct helper *self, uint64_t id)
{
    for (size_t i = 0; i < ZYGOTE_STEPS_MAX; i++)
        if (self->children[i].pid > 0 && self->children[i].id == id)
            kill(self->children[i].pid, SIGKILL);
}

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(STEP_FDS_MAX * sizeof(int))];
};

/* Spreads the descriptors that came with a message over their places. */
static void take_fds(struct msghdr *message, uint32_t present, int *fds)
{
    for (size_t i = 0; i < STEP_FDS_MAX; i++)
        fds[i] = -1;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (!head || head->cmsg_type != SCM_RIGHTS)
        return;
    const unsigned char *at = CMSG_DATA(head);
    size_t left = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < STEP_FDS_MAX && left > 0; i++) {
        if (!(present & 1u << i))
            continue;
        memcpy(&fds[i], at, sizeof(int));
        at += sizeof(int);
        left--;
    }
}

/* false: the worker is gone. */
static bool serve_request(struct helper *self)
{
    struct request request;
    union control control;
    struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t len = recvmsg(self->fd, &message, MSG_CMSG_CLOEXEC);
    if (len < 0)
        return errno == EINTR || errno == EAGAIN;
    if (len != sizeof request)
        return false;
    int fds[STEP_FDS_MAX];
    switch (request.kind) {
    case ASK_SPAWN:
        take_fds(&message, request.present, fds);
        spawn(self, &request, fds);
        close_all(fds, STEP_FDS_MAX);
        break;
    case ASK_KILL: kill_child(self, request.id); break;
    }
    return true;
}

static bool greet(struct helper *self)
{
    struct greeting greeting = {.err = ERR_OK};
    json_object_seed(0); /* reads /dev/urandom, which a step may not open any more */
    if (self->options->filter)
        greeting.err = sandbox_new(&self->sandbox, &greeting.why);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM); /* a terminal's Ctrl-C reaches the whole group: stopping steps is the worker's */
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    self->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (greeting.err == ERR_OK && self->signals < 0)
        greeting.err = fault_errno(&greeting.why, "cannot wait for steps");
    bool sent = send(self->fd, &greeting, sizeof greeting, MSG_NOSIGNAL) == sizeof greeting;
    return sent && greeting.err == ERR_OK;
}

/* The helper's life. Its steps die with it by PR_SET_PDEATHSIG. */
static void helper_main(struct helper *self)
{
    prctl(PR_SET_NAME, "steps");
    bool running = greet(self);
    while (running) {
        struct pollfd wait[] = {{.fd = self->fd, .events = POLLIN}, {.fd = self->signals, .events = POLLIN}};
        if (poll(wait, 2, -1) < 0)
            continue;
        if (wait[1].revents)
            reap(self);
        if (wait[0].revents)
            running = serve_request(self);
    }
    _exit(0);
}

/* --- the worker's side --- */

static void run_helper(int fd, pid_t worker, const struct zygote_options *options)
{
    static struct helper helper;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != worker)
        _exit(0);
    helper = (struct helper){.fd = fd, .pid = getpid(), .options = options};
    helper_main(&helper);
}

static enum err hear_greeting(const struct zygote *self, struct fault *why)
{
    struct greeting greeting;
    ssize_t len;
    do
        len = recv(self->fd, &greeting, sizeof greeting, 0);
    while (len < 0 && errno == EINTR);
    if (len != sizeof greeting)
        return fault_set(why, ERR_INTERNAL, "the helper process that starts steps ended at once");
    return greeting.err == ERR_OK ? ERR_OK : fault_set(why, greeting.err, "%s", greeting.why.text);
}

enum err zygote_start(struct zygote **out, const struct zygote_options *options, struct fault *why)
{
    int pair[2];
    pid_t worker = getpid();
    struct zygote *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory for the helper process");
    self->fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fault_errno(why, "cannot talk to a helper process");
    self->pid = fork();
    if (self->pid == 0) {
        close(pair[0]);
        run_helper(pair[1], worker, options);
    }
    close(pair[1]);
    self->fd = pair[0];
    if (self->pid < 0)
        return fault_errno(why, "cannot start the helper process");
    return hear_greeting(self, why);
}

void zygote_stop(struct zygote **self_p)
{
    struct zygote *self = *self_p;
    if (self && self->fd >= 0)
        close(self->fd);
    if (self && self->pid > 0)
        while (waitpid(self->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    free(self);
    *self_p = NULL;
}

static enum err send_request(const struct zygote *self, const struct request *request, const int *fds, size_t count,
                             struct fault *why)
{
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof *request};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(self->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
        return fault_set(why, ERR_UNAVAILABLE, "the worker's helper process is gone");
    return sent < 0 ? fault_errno(why, "cannot ask for a process") : ERR_OK;
}

enum err zygote_spawn(struct zygote *self, uint64_t id, const struct sandbox_limits *limits, const int *fds,
                      size_t count, struct fault *why)
{
    if (count > STEP_FDS_MAX)
        return fault_set(why, ERR_INTERNAL, "a step cannot have %zu descriptors", count);
    struct request request = {.kind = ASK_SPAWN, .id = id, .limits = *limits, .count = (uint32_t)count};
    int present[STEP_FDS_MAX];
    size_t present_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        present[present_count++] = fds[i];
        request.present |= 1u << i;
    }
    return send_request(self, &request, present, present_count, why);
}

void zygote_kill(struct zygote *self, uint64_t id)
{
    struct request request = {.kind = ASK_KILL, .id = id};
    struct fault why;
    enum err ignored = send_request(self, &request, NULL, 0, &why); /* a dead helper has no steps */
    (void)ignored;
}

int zygote_fd(const struct zygote *self)
{
    return self->fd;
}

enum err zygote_next(struct zygote *self, struct zygote_exit *out)
{
    ssize_t len;
    do
        len = recv(self->fd, out, sizeof *out, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return ERR_END;
    return len == sizeof *out ? ERR_OK : ERR_UNAVAILABLE;
}
