#pragma once

// Queues of @millrace/queue for native code: an addon or a library that has threads of its own.
//
//   millrace_queue* queue = millrace_queue_open(address);   // `queue.address`, a bigint
//   millrace_queue_push(queue, bytes, length, -1);          // from any thread, any number of times
//   millrace_queue_release(queue);
//
// C or C++, nothing to link: the address leads to a table of functions inside the addon of
// @millrace/queue, whose version is checked. Open it in the very call that brought the address,
// while the JavaScript queue is still there; from then on it stays valid until released, also
// beyond the end of that object and its thread. Nothing here enters JavaScript.
//
// Of an MpmcQueue everybody may push and pop. Of a SpscRing one side is taken by who uses it first,
// and kept until it lets go of the queue: everybody else is answered TAKEN. What
// millrace_queue_open() answers is one user, of one thread at a time as far as a ring is concerned.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MILLRACE_QUEUE_DONE = 0,
  MILLRACE_QUEUE_FULL = 1,    // nothing happened, also not within the time given
  MILLRACE_QUEUE_EMPTY = 2,   // the same for pop
  MILLRACE_QUEUE_CLOSED = 3,  // push: nothing goes in any more; pop: nothing will ever come again
  MILLRACE_QUEUE_TOO_LARGE = 4,  // longer than the queue takes: nothing happened
  MILLRACE_QUEUE_TOO_SMALL = 5,  // the target is shorter than the message, which stays
  MILLRACE_QUEUE_TAKEN = 6,      // this side of the ring is another's
  MILLRACE_QUEUE_DROPPED = 7     // by the queue's policy, and counted
};

#define MILLRACE_QUEUE_MAGIC 0x71726c6cu
#define MILLRACE_QUEUE_VERSION 1u

typedef struct millrace_queue millrace_queue;

// Grows at its end only; `version` then stays and `bytes` tells. What breaks callers changes it.
typedef struct millrace_queue_table {
  uint32_t magic;
  uint32_t version;
  size_t bytes;
  millrace_queue* (*open)(millrace_queue* queue);
  void (*release)(millrace_queue* queue);
  int (*push)(millrace_queue* queue, const void* data, uint32_t length, int64_t timeout_ms);
  int (*pop)(millrace_queue* queue, void* target, uint32_t room, uint32_t* length,
             int64_t timeout_ms);
  int (*push_many)(millrace_queue* queue, const void* packed, const uint32_t* lengths,
                   uint32_t count, uint32_t* done);
  int (*pop_many)(millrace_queue* queue, uint32_t most, void* target, uint32_t room,
                  uint32_t* lengths, uint32_t* count, int64_t timeout_ms);
  void (*close)(millrace_queue* queue);
  void (*retain)(millrace_queue* queue);
} millrace_queue_table;

struct millrace_queue {
  const millrace_queue_table* table;
};

// A user of the queue; NULL if the addon that made the address does not speak this version.
static inline millrace_queue* millrace_queue_open(uint64_t address) {
  millrace_queue* const queue = (millrace_queue*)(uintptr_t)address;
  if (queue == NULL || queue->table->magic != MILLRACE_QUEUE_MAGIC ||
      queue->table->version != MILLRACE_QUEUE_VERSION) {
    return NULL;
  }
  return queue->table->open(queue);
}

// One release() more is needed then.
static inline void millrace_queue_retain(millrace_queue* queue) { queue->table->retain(queue); }

// With the last one the user has let go, and its side of a ring is free for another.
static inline void millrace_queue_release(millrace_queue* queue) { queue->table->release(queue); }

// Copies the message: some tens of nanoseconds, and 2-4 us more if a consumer has to be woken.
// timeout_ms: how long to sleep until there is room; 0: not at all, negative: for ever.
static inline int millrace_queue_push(millrace_queue* queue, const void* data, uint32_t length,
                                      int64_t timeout_ms) {
  return queue->table->push(queue, data, length, timeout_ms);
}

// Copies the oldest message to `target` and says its length; timeout_ms as of push.
static inline int millrace_queue_pop(millrace_queue* queue, void* target, uint32_t room,
                                     uint32_t* length, int64_t timeout_ms) {
  return queue->table->pop(queue, target, room, length, timeout_ms);
}

// Messages one after another, each at a multiple of 8 bytes. Never sleeps; `done` went in.
static inline int millrace_queue_push_many(millrace_queue* queue, const void* packed,
                                           const uint32_t* lengths, uint32_t count,
                                           uint32_t* done) {
  return queue->table->push_many(queue, packed, lengths, count, done);
}

// Up to `most` messages, as many as are there and fit, packed in the same way; `count` of them. The
// room should do for several of the largest: with less, a queue gives one at a time.
static inline int millrace_queue_pop_many(millrace_queue* queue, uint32_t most, void* target,
                                          uint32_t room, uint32_t* lengths, uint32_t* count,
                                          int64_t timeout_ms) {
  return queue->table->pop_many(queue, most, target, room, lengths, count, timeout_ms);
}

// Ends the queue for everybody: what is in it can still be popped.
static inline void millrace_queue_close(millrace_queue* queue) { queue->table->close(queue); }

#ifdef __cplusplus
}
#endif
