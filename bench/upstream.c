/* The answering side of the bench: one epoll loop that does as little as it can, so that what is measured is in between.

   Usage: upstream PORT. How a request is answered is said in its `metadata.user_id`, which any gateway leaves alone:
   bench-n200-g20 and so on; a letter, a number, in any order:
     n  deltas of a stream; pieces of a plain answer       200, 1
     g  milliseconds between them; 0: as fast as it goes   20
     s  bytes of text in each                              24
     d  milliseconds before the answer begins              0
     h  0: a bare head instead of the real API's fields    1
   A stream is what a body says whose first bytes hold "stream":true. Each delta is written by itself, as the real API
   sends them, and begins with T and the monotonic nanosecond of that moment; streams begin at random phases of their
   gap, so that events come spread in time whatever stands in between. Bodies are counted, not kept.
   GET /stats says what was seen. Used by bench/places.py, which compiles it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, PEEK = 512, ROOM = 1 << 17, TEXT_MAX = 60000, BATCH = 32 };

typedef struct connection {
  int fd, asked, reading_body, answering, streaming, place; /* place in the heap, -1: not there */
  int left, ended, size, waits_to_write;
  uint64_t body_left, gap_ns, due_ns;
  size_t have, from, until;  /* of `start`; of `out` */
  char start[HEAD_MAX + PEEK + 1];
  char *out;
} connection;

static int loop_fd, waiting, room;
static connection **heap;
static uint64_t begun, requests, streams, dropped, dropped_ns, sent_bytes, connections, open_now, answering_now;
static char text[TEXT_MAX + 1];

#define USAGE "\"usage\":{\"input_tokens\":2095,\"cache_creation_input_tokens\":128,\"cache_read_input_tokens\":18000," \
  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":128,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":%d," \
  "\"service_tier\":\"standard\"}"
/* The fields that the real API and what stands before it send, by the recordings; values are invented. */
static const char FIELDS[] =
    "date: Sat, 21 Nov 2026 12:00:00 GMT\r\ncache-control: no-cache\r\nrequest-id: req_011CbenchbenchbenchbenchA\r\n"
    "anthropic-ratelimit-requests-limit: 20000\r\nanthropic-ratelimit-requests-remaining: 19998\r\n"
    "anthropic-ratelimit-requests-reset: 2026-11-21T12:00:00Z\r\n"
    "anthropic-ratelimit-input-tokens-limit: 40000000\r\nanthropic-ratelimit-input-tokens-remaining: 39999000\r\n"
    "anthropic-ratelimit-input-tokens-reset: 2026-11-21T12:00:00Z\r\n"
    "anthropic-ratelimit-output-tokens-limit: 6000000\r\nanthropic-ratelimit-output-tokens-remaining: 6000000\r\n"
    "anthropic-ratelimit-output-tokens-reset: 2026-11-21T12:00:00Z\r\n"
    "anthropic-ratelimit-tokens-limit: 46000000\r\nanthropic-ratelimit-tokens-remaining: 45999000\r\n"
    "anthropic-ratelimit-tokens-reset: 2026-11-21T12:00:00Z\r\n"
    "anthropic-organization-id: 00000000-0000-0000-0000-000000000000\r\nserver: cloudflare\r\n"
    "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\nx-robots-tag: none\r\n"
    "cf-cache-status: DYNAMIC\r\ncf-ray: a2e26ffd8f4e4f0b-EWR\r\n";
static const char BARE[] = "request-id: req_011CbenchbenchbenchbenchA\r\n";

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What is due, soonest first. */
static void put(int at, connection *c) { heap[at] = c; c->place = at; }
static void rise(connection *c) {
  int at = c->place;
  for (; at && heap[(at - 1) / 2]->due_ns > c->due_ns; at = (at - 1) / 2) put(at, heap[(at - 1) / 2]);
  put(at, c);
}
static void sink(connection *c) {
  int at = c->place;
  for (;;) {
    int child = 2 * at + 1;
    if (child + 1 < waiting && heap[child + 1]->due_ns < heap[child]->due_ns) child++;
    if (child >= waiting || heap[child]->due_ns >= c->due_ns) break;
    put(at, heap[child]);
    at = child;
  }
  put(at, c);
}
static void wait_until(connection *c, uint64_t when) {
  if (waiting == room && !(heap = realloc(heap, (size_t)(room = room ? 2 * room : 1024) * sizeof *heap))) abort();
  c->due_ns = when;
  put(waiting++, c);
  rise(c);
}
static void wait_no_more(connection *c) {
  if (c->place < 0) return;
  connection *moved = heap[--waiting];
  if (moved != c) { put(c->place, moved); rise(moved); sink(moved); }
  c->place = -1;
}

static void drop(connection *c) {
  /* Gone in the middle of a request or an answer: what the bench asks for. */
  if (c->reading_body || c->answering) { dropped++; dropped_ns = now_ns(); }
  answering_now -= (uint64_t)c->answering;
  wait_no_more(c);
  close(c->fd);
  open_now--;
  free(c->out);
  free(c);
}

static void watch(connection *c, int write_too) {
  if (c->waits_to_write == write_too) return;
  c->waits_to_write = write_too;
  struct epoll_event event = {.events = EPOLLIN | (write_too ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(loop_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* 1: all is written, 0: the other side doesn't read, -1: it is gone, and `c` with it. */
static int flush(connection *c) {
  while (c->from < c->until) {
    ssize_t n = send(c->fd, c->out + c->from, c->until - c->from, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) { watch(c, 1); return 0; }
    if (n < 0) { drop(c); return -1; }
    c->from += (size_t)n;
    sent_bytes += (uint64_t)n;
  }
  c->from = c->until = 0;
  watch(c, 0);
  return 1;
}

static void say(connection *c, const char *bytes, size_t length) {
  if (c->until + length > ROOM) abort();
  memcpy(c->out + c->until, bytes, length);
  c->until += length;
}
static void say_chunk(connection *c, const char *bytes) {
  char size[24];
  say(c, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", strlen(bytes)));
  say(c, bytes, strlen(bytes));
  say(c, "\r\n", 2);
}
static void say_delta(connection *c) {
  static char event[TEXT_MAX + 512];
  snprintf(event, sizeof event, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
      "\"delta\":{\"type\":\"text_delta\",\"text\":\"T%019llu %.*s\"}}\n\n", (unsigned long long)now_ns(), c->size, text);
  say_chunk(c, event);
}
static void say_end(connection *c) {
  char event[1024];
  snprintf(event, sizeof event, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
      "\"stop_sequence\":null}," USAGE "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", 503);
  say_chunk(c, event);
  say(c, "0\r\n\r\n", 5);
}

static void go_on(connection *c) {
  /* Writes what is due, and returns when there is something to wait for. */
  for (;;) {
    if (flush(c) <= 0) return;
    if (c->ended) { c->answering = 0; answering_now--; return; }
    uint64_t now = c->gap_ns ? now_ns() : 0;
    if (c->left && now < c->due_ns) { wait_until(c, c->due_ns); return; }
    for (int i = 0; c->left && i < (c->gap_ns ? 1 : BATCH) && c->until < ROOM / 2; i++, c->left--) {
      if (c->streaming) say_delta(c); else say(c, text, (size_t)c->size);
    }
    /* Late ones don't come in bursts. */
    if (c->gap_ns) c->due_ns = c->due_ns + c->gap_ns > now ? c->due_ns + c->gap_ns : now;
    if (!c->left) {
      if (c->streaming) say_end(c); else say(c, "\"}]}", 4);
      c->ended = 1;
    }
  }
}

static int said(const char *wanted, char letter, int otherwise) {
  for (const char *at = wanted; *at && *at != '"'; at++)
    if (at[0] == '-' && at[1] == letter && at[2] >= '0' && at[2] <= '9') return atoi(at + 2);
  return otherwise;
}

static void say_stats(connection *c) {
  char body[512], head[128];
  int length = snprintf(body, sizeof body, "{\"begun\":%lu,\"requests\":%lu,\"streams\":%lu,\"dropped\":%lu,\"dropped_ns\":%lu,"
      "\"sent_bytes\":%lu,\"connections\":%lu,\"open\":%lu,\"answering\":%lu}", begun, requests, streams, dropped, dropped_ns,
      sent_bytes, connections, open_now, answering_now);
  say(c, head, (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n", length));
  say(c, body, (size_t)length);
  c->answering = c->ended = 1;
  answering_now++;
  go_on(c);
}

static void answer(connection *c) {
  char head[4096], body[1024];
  char *wanted = strstr(c->start, "\"bench-");
  wanted = wanted ? wanted + 1 : "";
  requests++;
  c->streaming = strstr(c->start, "\"stream\":true") != NULL;
  c->left = said(wanted, 'n', c->streaming ? 200 : 1);
  c->size = said(wanted, 's', c->streaming ? 24 : 700);
  if (c->size > TEXT_MAX) c->size = TEXT_MAX;
  c->gap_ns = (uint64_t)said(wanted, 'g', c->streaming ? 20 : 0) * 1000000u;
  c->ended = 0;
  c->answering = 1;
  answering_now++;
  uint64_t begin = (uint64_t)said(wanted, 'd', 0) * 1000000u;
  uint64_t phase = c->gap_ns ? (uint64_t)random() % c->gap_ns : 0;
  c->due_ns = c->gap_ns ? now_ns() + begin + phase : 0;
  const char *fields = said(wanted, 'h', 1) ? FIELDS : BARE;
  if (c->streaming) {
    streams++;
    say(c, head, (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%scontent-type: text/event-stream; charset="
        "utf-8\r\ntransfer-encoding: chunked\r\n\r\n", fields));
    snprintf(body, sizeof body, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
        "\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-5-5\",\"content\":[],"
        "\"stop_reason\":null,\"stop_sequence\":null," USAGE "}}\n\nevent: content_block_start\ndata: {\"type\":"
        "\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: ping\ndata: {\"type\":\"ping\"}\n\n", 1);
    say_chunk(c, body);
  } else {
    int before = snprintf(body, sizeof body, "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
        "\"claude-sonnet-5-5\",\"stop_reason\":\"end_turn\",\"stop_sequence\":null," USAGE ",\"content\":[{\"type\":"
        "\"text\",\"text\":\"", 503);
    say(c, head, (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%scontent-type: application/json\r\n"
        "content-length: %ld\r\n\r\n", fields, before + (long)c->left * c->size + 4));
    say(c, body, (size_t)before);
    if (!c->gap_ns) c->due_ns = 0;
  }
  if (begin) wait_until(c, now_ns() + begin); else go_on(c);
}

static void took(connection *c) {
  /* A head is whole: find the body's length, then answer when the body is. */
  if (!c->reading_body) {
    c->start[c->have] = 0;
    char *end = strstr(c->start, "\r\n\r\n");
    if (!end) { if (c->have >= HEAD_MAX) drop(c); return; }
    int stats = !strncmp(c->start, "GET /stats ", 11);
    char *field = strcasestr(c->start, "\r\ncontent-length:");
    uint64_t length = field && field < end ? strtoull(field + 17, NULL, 10) : 0;
    uint64_t here = c->have - (size_t)(end + 4 - c->start);
    c->reading_body = 1;
    c->body_left = length > here ? length - here : 0;
    c->have = here < PEEK ? here : PEEK;
    memmove(c->start, end + 4, c->have);
    if (stats) { c->reading_body = 0; c->have = 0; say_stats(c); return; }
    begun++;
  }
  if (c->body_left) return;
  c->start[c->have < PEEK ? c->have : PEEK] = 0;
  c->reading_body = 0;
  c->have = 0;
  answer(c);
}

static void readable(connection *c) {
  static char waste[1 << 18];
  ssize_t got;
  if (c->answering) {
    /* Nobody pipelines here: what comes now is the end. */
    got = recv(c->fd, waste, sizeof waste, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) drop(c);
    return;
  }
  if (c->reading_body) {
    got = recv(c->fd, waste, c->body_left < sizeof waste ? (size_t)c->body_left : sizeof waste, 0);
    if (got > 0) {
      size_t keep = c->have < PEEK ? PEEK - c->have : 0;
      if (keep > (size_t)got) keep = (size_t)got;
      memcpy(c->start + c->have, waste, keep);
      c->have += keep;
      c->body_left -= (uint64_t)got;
    }
  } else {
    got = recv(c->fd, c->start + c->have, HEAD_MAX - c->have, 0);
    if (got > 0) c->have += (size_t)got;
  }
  if (got > 0) took(c);
  else if (got == 0 || errno != EAGAIN) drop(c);
}

static void welcome(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection *c = calloc(1, sizeof *c);
    if (!c || !(c->out = malloc(ROOM))) abort();
    c->fd = fd;
    c->place = -1;
    connections++;
    open_now++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int count, char **words) {
  if (count != 2) return 2;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (size_t i = 0; i < TEXT_MAX; i++) text[i] = "some words of an answer that goes on and on, "[i % 45];
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&where, sizeof where) || listen(listener, 8192)) return 1;
  loop_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[512];
  epoll_ctl(loop_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct timespec wait, *bound = NULL;
    if (waiting) {
      uint64_t now = now_ns(), left = heap[0]->due_ns > now ? heap[0]->due_ns - now : 0;
      wait = (struct timespec){.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
      bound = &wait;
    }
    int found = epoll_pwait2(loop_fd, ready, 512, bound, NULL);
    for (int i = 0; i < found; i++) {
      connection *c = ready[i].data.ptr;
      if (!c) welcome(listener);
      else if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
      else go_on(c);
    }
    uint64_t now = now_ns();
    while (waiting && heap[0]->due_ns <= now) {
      connection *c = heap[0];
      wait_no_more(c);
      go_on(c);
    }
  }
}
