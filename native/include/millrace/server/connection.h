#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/framing/framing.h"
#include "millrace/memory/slab_allocator.h"
#include "millrace/server/close_reason.h"
#include "millrace/server/connection_key.h"
#include "millrace/time/timer_wheel.h"

namespace millrace {

// What the receiver still has to tell the connection's worker, in this order when several are set.
enum ConnectionEvent : std::uint32_t {
  kEventOpen = 1,
  kEventDrain = 2,
  kEventServerEnd = 4,   // the server closes: end after what was received
  kEventHangup = 8,      // epoll saw EPOLLERR or EPOLLHUP
  kEventLastBytes = 16,  // epoll saw that the peer has ended, or one of the above
};

// Who wants the connection unread. Set by read-modify-write; whoever clears the last bit queues the
// key to the receiver, so that no edge has to come (see Receiver::step).
enum PauseBit : std::uint32_t {
  kPauseUser = 1,
  kPauseWrite = 2,      // output above the high-water mark
  kPauseAsync = 4,      // an async handler has not settled
  kPauseUnhandled = 8,  // its worker has not handled enough of what was received
};

// The state of one connection between events: a record of the table's pool, found by key. While
// idle it holds no block. Members belong to the stage that their group names; atomics are for any
// thread.
struct Connection {
  // Written by the acceptor before the key is published, constant afterwards.
  ConnectionKey key;
  std::uint32_t record = 0;
  std::atomic<std::uint32_t> worker{0};
  std::uint8_t peer_ip[16] = {};
  std::uint16_t peer_port = 0;
  std::uint8_t family = 0;  // AF_INET, AF_INET6, AF_UNIX
  std::uint64_t opened_ms = 0;

  // Any thread.
  std::atomic<std::uint32_t> events{0};
  std::atomic<std::uint32_t> paused{0};
  std::atomic<std::uint32_t> idle_timeout_ms{0};
  std::atomic<CloseReason> reason{CloseReason::kNone};
  std::atomic<bool> opened{false};  // its worker has taken the open event, and not the close event
  std::atomic<bool> first_byte{false};
  std::atomic<bool> lingering{false};  // our end is sent; input is discarded until the peer's
  std::atomic<bool> peer_ended{false};
  std::atomic<std::uint64_t> activity_ms{0};  // the last byte in or out; the reaper reads it lazily
  std::atomic<std::uint64_t> linger_until_ms{0};
  std::atomic<std::uint64_t> bytes_read{0};
  std::atomic<std::uint64_t> bytes_written{0};
  std::atomic<std::uint32_t> backlog_bytes{0};    // written by the sender only
  std::atomic<std::uint32_t> unhandled_bytes{0};  // in messages that its worker has not handled
  std::atomic<std::int64_t> paused_since_ns{0};

  // Receiver. `block` holds the unread bytes [begin, end): an unfinished frame, or what the
  // worker's inbox had no room for.
  struct {
    FramingState framing{};
    std::uint32_t block = kNoBlock;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t next_waiting = 0;
    bool waiting = false;     // in a list of connections that wait for room or memory
    bool last_bytes = false;  // no edge will come for the end of input: read until it is there
    bool unparsed = false;    // the bytes kept may hold whole frames
    bool ended = false;       // no more frames: end of input, or a broken frame
    bool end_told = false;    // the worker knows
    bool close_told = false;
    std::uint32_t error = 0;  // FrameError, or kFrameIncomplete
  } receive;

  // Sender. The backlog is a chain of blocks that the connection owns.
  struct {
    std::uint32_t head = kNoBlock;
    std::uint32_t tail = kNoBlock;
    std::uint32_t head_begin = 0;
    std::uint32_t tail_end = 0;
    std::uint32_t published_head = kNoBlock;
    std::uint32_t published_tail = kNoBlock;
    std::uint32_t published_bytes = 0;
    std::uint32_t next_dirty = 0;
    bool dirty = false;
    bool waiting = false;  // for EPOLLOUT
    bool want_drain = false;
    bool ending = false;
    bool ended = false;
    CloseReason end_reason = CloseReason::kNone;
  } send;

  // Topics: first subscription of this connection (TopicTable's lock).
  std::uint32_t subscriptions = 0;
  std::uint32_t subscription_count = 0;

  // Reaper (its lock).
  TimerWheel::Handle timer = 0;

  void touch(std::uint64_t now_ms) { activity_ms.store(now_ms, std::memory_order_relaxed); }
};

}  // namespace millrace
