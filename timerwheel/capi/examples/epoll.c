/* A loop on plain epoll whose timers are a wheel: a server that sends back what it is sent, closes
 * connections that say nothing for too long, and beats.
 *
 *   cc -o epoll epoll.c -I ../include ../../../target/release/libtimerwheel_capi.a -lpthread -ldl -lm
 *   ./epoll 8082 10000                 a port (0: any) and how many ms a connection may be silent
 *   nc 127.0.0.1 8082
 *
 * A tick is a millisecond. The value of a timer is a pointer, as a number: the program owns what it
 * points to. End of input on stdin ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "timerwheel.h"

enum { EVENTS = 64, BEAT_MS = 50 };

struct conn {
    int fd;
    timerwheel_handle idle;
    struct conn *next_dead;
};

struct loop {
    int epoll, listener;
    timerwheel *timers;
    uint64_t now, silence, beats, cut_off;
    struct conn *dead; /* closed in this turn: events of the turn may still name them */
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* The one place where the clock is read. */
static uint64_t clock_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void watch(struct loop *loop, int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void conn_close(struct loop *loop, struct conn *conn) {
    if (conn->fd < 0) return;
    close(conn->fd);
    conn->fd = -1;
    /* Stale if it is this timer that led here: then nothing happens. */
    timerwheel_cancel(loop->timers, conn->idle, NULL);
    conn->next_dead = loop->dead;
    loop->dead = conn;
}

static void conn_open(struct loop *loop) {
    int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *conn = fd < 0 ? NULL : calloc(1, sizeof *conn);
    if (conn == NULL) {
        if (fd >= 0) close(fd);
        return;
    }
    conn->fd = fd;
    conn->idle = timerwheel_insert(loop->timers, loop->now + loop->silence, (uintptr_t)conn);
    watch(loop, fd, conn);
}

static void conn_read(struct loop *loop, struct conn *conn) {
    char bytes[4096];
    if (conn->fd < 0) return;
    ssize_t length = read(conn->fd, bytes, sizeof bytes);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    /* A short write ends it too: who does not read is not worth a buffer here. */
    if (length <= 0 || send(conn->fd, bytes, (size_t)length, MSG_NOSIGNAL) != length) {
        conn_close(loop, conn);
        return;
    }
    timerwheel_reschedule(loop->timers, conn->idle, loop->now + loop->silence);
}

/* One turn; false at the end of input. */
static bool turn(struct loop *loop) {
    struct epoll_event events[EVENTS];
    bool going_on = true;
    /* The time of the last turn is over by as long as the turn took: a sleep counts from now. */
    int timeout = timerwheel_timeout(loop->timers, clock_ms());
    int count = epoll_wait(loop->epoll, events, EVENTS, timeout);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    loop->now = clock_ms();
    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;
        if (what == &loop->listener) conn_open(loop);
        else if (what == &loop->epoll) going_on = false; /* stdin */
        else conn_read(loop, what);
    }
    timerwheel_advance(loop->timers, loop->now);
    timerwheel_expired expired;
    while (timerwheel_pop_expired(loop->timers, &expired)) {
        if (expired.value == 0) {
            loop->beats += 1 + expired.missed;
        } else {
            loop->cut_off++;
            conn_close(loop, (struct conn *)(uintptr_t)expired.value);
        }
    }
    for (struct conn *next; loop->dead != NULL; loop->dead = next) {
        next = loop->dead->next_dead;
        free(loop->dead);
    }
    return going_on;
}

/* What was still armed at the end comes back to its owner. */
static void take_back(uint64_t value, uint64_t deadline, void *context) {
    struct conn *conn = (struct conn *)(uintptr_t)value;
    (void)deadline;
    (void)context;
    if (conn == NULL) return;
    close(conn->fd);
    free(conn);
}

int main(int argc, char **argv) {
    struct loop loop = {.silence = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000};
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8082)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof address;
    loop.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(loop.listener, (struct sockaddr *)&address, length) != 0) die("bind");
    if (listen(loop.listener, 128) != 0) die("listen");
    getsockname(loop.listener, (struct sockaddr *)&address, &length);
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(&loop, loop.listener, &loop.listener);
    watch(&loop, STDIN_FILENO, &loop.epoll);

    loop.now = clock_ms();
    loop.timers = timerwheel_new(loop.now);
    timerwheel_insert_interval(loop.timers, loop.now + BEAT_MS, BEAT_MS, TIMERWHEEL_SKIP, 0);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (turn(&loop)) {
    }
    printf("%" PRIu64 " beats, %" PRIu64 " cut off, %" PRIu64 " armed\n",
           loop.beats, loop.cut_off, timerwheel_len(loop.timers));

    timerwheel_drain(loop.timers, take_back, NULL);
    timerwheel_free(loop.timers);
    close(loop.epoll);
    close(loop.listener);
    return 0;
}
