/* The answering side of the bench: as fast as one epoll loop can be, so that what is measured is in between.

   Usage: upstream PORT EVENTS GAP_MS. Answers any request: a stream of EVENTS deltas, GAP_MS apart, where the first
   bytes of the body hold "stream":true, and one JSON message otherwise. Bodies are counted, not kept.
   Used by bench/places.py, which compiles it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, PEEK = 256, CONNECTIONS = 65536 };

struct connection {
  int open, streaming, sent;
  size_t have;             /* bytes of head and first bytes of the body in `start` */
  uint64_t body_left;      /* bytes of the body that have not come yet */
  int reading_body;
  uint64_t due_ns;
  int next;                /* in the queue of streams, by descriptor; -1: last */
  char start[HEAD_MAX + PEEK];
};

static struct connection *table[CONNECTIONS];
static int first = -1, last = -1, loop_fd, total_events;
static uint64_t gap_ns;

static const char PLAIN[] =
    "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-5-5\",\"content\":"
    "[{\"type\":\"text\",\"text\":\"A gateway stands between a client and a server, and sees what passes.\"}],"
    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,"
    "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":17}}";
static const char START[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\","
    "\"role\":\"assistant\",\"model\":\"claude-sonnet-5-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
    "\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
    "\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
static const char DELTA[] =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
    "\"text\":\"some words of a stream \"}}\n\n";
static const char END[] =
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":"
    "{\"output_tokens\":17}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void drop(int fd) {
  /* One that is in the queue stays there, closed; its turn takes it out. */
  table[fd]->open = 0;
  close(fd);
}

static void say(int fd, const char *bytes, size_t length) {
  /* Small writes into an empty socket buffer: a partial one means that nobody reads, which ends the run anyway. */
  if (write(fd, bytes, length) != (ssize_t)length) drop(fd);
}

static void say_chunk(int fd, const char *text) {
  char out[2048];
  say(fd, out, (size_t)snprintf(out, sizeof out, "%zx\r\n%s\r\n", strlen(text), text));
}

static void enqueue(int fd, uint64_t when) {
  struct connection *c = table[fd];
  c->due_ns = when;
  c->next = -1;
  if (last >= 0) table[last]->next = fd; else first = fd;
  last = fd;
}

static void answer(int fd, int stream) {
  char out[2048];
  struct connection *c = table[fd];
  if (!stream) {
    int length = snprintf(out, sizeof out,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\ncontent-length: %zu\r\n\r\n%s",
        sizeof PLAIN - 1, PLAIN);
    say(fd, out, (size_t)length);
    return;
  }
  static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                             "request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n";
  say(fd, head, sizeof head - 1);
  if (c->open) say_chunk(fd, START);
  c->streaming = 1;
  c->sent = 0;
  enqueue(fd, now_ns() + gap_ns);
}

static void turn(int fd) {
  struct connection *c = table[fd];
  if (!c->open) { c->streaming = 0; return; }
  if (c->sent++ < total_events) {
    say_chunk(fd, DELTA);
    enqueue(fd, c->due_ns + gap_ns);
    return;
  }
  say_chunk(fd, END);
  if (c->open) say(fd, "0\r\n\r\n", 5);
  c->streaming = 0;
}

static void took(int fd) {
  /* A head is whole: find the body's length, then answer when the body is. */
  struct connection *c = table[fd];
  if (!c->reading_body) {
    c->start[c->have] = 0;
    char *end = strstr(c->start, "\r\n\r\n");
    if (!end) { if (c->have >= HEAD_MAX) drop(fd); return; }
    char *field = strcasestr(c->start, "\r\ncontent-length:");
    uint64_t length = field && field < end ? strtoull(field + 17, NULL, 10) : 0;
    uint64_t here = c->have - (size_t)(end + 4 - c->start);
    c->reading_body = 1;
    c->body_left = length > here ? length - here : 0;
    memmove(c->start, end + 4, here < PEEK ? here : PEEK);
    c->have = here < PEEK ? here : PEEK;
  }
  if (c->body_left) return;
  c->start[c->have] = 0;
  int stream = strstr(c->start, "\"stream\":true") != NULL;
  c->reading_body = 0;
  c->have = 0;
  answer(fd, stream);
}

static void readable(int fd) {
  static char waste[1 << 18];
  struct connection *c = table[fd];
  ssize_t got;
  if (c->reading_body) {
    size_t want = c->body_left < sizeof waste ? (size_t)c->body_left : sizeof waste;
    got = read(fd, waste, want ? want : 1);
    if (got > 0) {
      size_t keep = c->have < PEEK ? PEEK - c->have : 0;
      if (keep > (size_t)got) keep = (size_t)got;
      memcpy(c->start + c->have, waste, keep);
      c->have += keep;
      c->body_left -= (uint64_t)got;
    }
  } else {
    got = read(fd, c->start + c->have, HEAD_MAX - c->have);
    if (got > 0) c->have += (size_t)got;
  }
  if (got > 0) took(fd);
  else if (got == 0 || errno != EAGAIN) drop(fd);
}

static void welcome(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= CONNECTIONS) { close(fd); continue; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!table[fd]) table[fd] = calloc(1, sizeof **table);
    if (!table[fd]) abort();
    /* A stream of this descriptor's former connection may still wait for its turn: it finds a new one and would
       speak into it, so that such a descriptor is closed again. */
    if (table[fd]->streaming) { close(fd); continue; }
    table[fd]->open = 1;
    table[fd]->have = 0;
    table[fd]->reading_body = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int count, char **words) {
  if (count != 4) return 2;
  signal(SIGPIPE, SIG_IGN);
  total_events = atoi(words[2]);
  gap_ns = (uint64_t)(atof(words[3]) * 1e6);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&where, sizeof where) || listen(listener, 4096)) return 1;
  loop_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[512];
  epoll_ctl(loop_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    uint64_t now = now_ns();
    int wait = -1;
    if (first >= 0) wait = table[first]->due_ns <= now ? 0 : (int)((table[first]->due_ns - now) / 1000000u) + 1;
    int found = epoll_wait(loop_fd, ready, 512, wait);
    for (int i = 0; i < found; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) welcome(listener);
      else if (table[fd]->open) readable(fd);
    }
    now = now_ns();
    while (first >= 0 && table[first]->due_ns <= now) {
      int fd = first;
      first = table[fd]->next;
      if (first < 0) last = -1;
      turn(fd);
    }
  }
}
