#pragma once

// Pushing into a feed from native code: an addon or a library that has threads of its own.
//
//   millrace_feed* feed = millrace_feed_open(address);   // `feed.address` in JavaScript, a bigint
//   millrace_feed_push(feed, bytes, length, &key);       // from any thread, any number of times
//   millrace_feed_release(feed);
//
// C or C++, nothing to link: the address leads to a table of functions inside the addon of
// @millrace/feed, whose version is checked. Open it in the very call that brought the address,
// while the JavaScript feed is still there; from then on it stays valid until released, also beyond
// the end of that feed and its thread. Nothing here enters JavaScript.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MILLRACE_FEED_ACCEPTED = 0,
  MILLRACE_FEED_DROPPED = 1,    // by the feed's policy, and counted
  MILLRACE_FEED_FULL = 2,       // try_push on a feed that blocks: nothing happened
  MILLRACE_FEED_CLOSED = 3,     // the feed has ended: stop pushing
  MILLRACE_FEED_TOO_LARGE = 4,  // longer than maxMessageBytes: nothing happened
  MILLRACE_FEED_BAD_KEY = 5     // no key for a feed that has keys, or not ASCII
};

#define MILLRACE_FEED_MAGIC 0x66726c6cu
#define MILLRACE_FEED_VERSION 1u

typedef struct millrace_feed millrace_feed;

// Grows at its end only; `version` then stays and `bytes` tells. What breaks callers changes it.
typedef struct millrace_feed_table {
  uint32_t magic;
  uint32_t version;
  size_t bytes;
  void (*retain)(millrace_feed* feed);
  void (*release)(millrace_feed* feed);
  // wait: 0 never, otherwise as the feed's blockTimeoutMs says.
  int (*push)(millrace_feed* feed, const void* data, uint32_t length, const void* key, int wait);
} millrace_feed_table;

struct millrace_feed {
  const millrace_feed_table* table;
};

// NULL if the addon that made the address does not speak this version.
static inline millrace_feed* millrace_feed_open(uint64_t address) {
  millrace_feed* const feed = (millrace_feed*)(uintptr_t)address;
  if (feed == NULL || feed->table->magic != MILLRACE_FEED_MAGIC ||
      feed->table->version != MILLRACE_FEED_VERSION) {
    return NULL;
  }
  feed->table->retain(feed);
  return feed;
}

// The last use of what millrace_feed_open() answered.
static inline void millrace_feed_release(millrace_feed* feed) { feed->table->release(feed); }

// Copies the message: some 50 ns; about 4 us if a consumer has to be woken, nearly all of which is
// the system call. Under the policy `block` it waits for room; under the others it never waits.
// key: by the feed's kind of key a uint32_t*, a uint64_t*, or up to 16 characters of ASCII, of
// which fewer end with NUL; NULL for a feed without keys.
static inline int millrace_feed_push(millrace_feed* feed, const void* data, uint32_t length,
                                     const void* key) {
  return feed->table->push(feed, data, length, key, 1);
}

// The same, but never waits.
static inline int millrace_feed_try_push(millrace_feed* feed, const void* data, uint32_t length,
                                         const void* key) {
  return feed->table->push(feed, data, length, key, 0);
}

#ifdef __cplusplus
}
#endif
