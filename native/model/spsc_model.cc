// SpscCursor and SpscRing: what the consumer reads was written whole, what the producer writes was
// read, and neither sleeps through the other's announcement.
#include "checker/weakenings.h"

// After it: what follows is compiled for the checker.
#include "checker/use_checked_atomics.h"
#include "millrace/base/parker.h"
#include "millrace/concurrent/spsc_cursor.h"
#include "millrace/concurrent/spsc_ring.h"

namespace millrace::model {
namespace {

Explorer& checker() { return Explorer::instance(); }

// Three slots' worth through a ring of two, one by one.
struct Cursor {
  static constexpr const char* kName = "cursor";
  static constexpr int kThreads = 2;
  static constexpr std::uint32_t kItems = 3;
  SpscCursor cursor{2};
  Plain<std::uint32_t> slots[2];
  void run(int thread) {
    for (std::uint32_t i = 1; i <= kItems; ++i) {
      checker().begin_call();
      if (thread == 0) {
        while (cursor.writable() == 0) checker().pause();
        slots[cursor.write_position() & cursor.mask()].set(i);
        cursor.publish(1);
      } else {
        while (cursor.readable() == 0) checker().pause();
        if (slots[cursor.read_position() & cursor.mask()].get() != i) checker().fail("wrong item");
        cursor.release(1);
      }
    }
  }
  void finish() {}
};

// The same without locked instructions: nobody sleeps.
struct CursorQuiet {
  static constexpr const char* kName = "cursor, quiet";
  static constexpr int kThreads = 2;
  static constexpr std::uint32_t kItems = 2;
  SpscCursor cursor{1};
  Plain<std::uint32_t> slot;
  void run(int thread) {
    for (std::uint32_t i = 1; i <= kItems; ++i) {
      checker().begin_call();
      if (thread == 0) {
        while (cursor.writable() == 0) checker().pause();
        slot.set(i);
        cursor.publish_quietly(1);
      } else {
        while (cursor.readable() == 0) checker().pause();
        if (slot.get() != i) checker().fail("wrong item");
        cursor.release_quietly(1);
      }
    }
  }
  void finish() {}
};

// Both sides sleep, and are rung without a write while they are awake.
struct CursorAsleep {
  static constexpr const char* kName = "cursor, both asleep";
  static constexpr int kThreads = 2;
  static constexpr std::uint32_t kItems = 2;
  SpscCursor cursor{1};
  Plain<std::uint32_t> slot;
  Parker producer;
  Parker consumer;
  void run(int thread) {
    for (std::uint32_t i = 1; i <= kItems; ++i) {
      checker().begin_call();
      if (thread == 0) {
        producer.park([this] { return cursor.writable() != 0; });
        slot.set(i);
        cursor.publish(1);
        consumer.unpark_published();
      } else {
        consumer.park([this] { return cursor.readable() != 0; });
        if (slot.get() != i) checker().fail("wrong item");
        cursor.release(1);
        producer.unpark_published();
      }
    }
  }
  void finish() {}
};

// A watcher reads slots by what published() and released() say.
struct CursorWatched {
  static constexpr const char* kName = "cursor, watched";
  static constexpr int kThreads = 3;
  SpscCursor cursor{2};
  Plain<std::uint32_t> slots[2];
  Plain<std::uint32_t> after_release;
  void run(int thread) {
    if (thread == 0) {
      slots[0].set(1);
      cursor.publish(1);
    } else if (thread == 1) {
      if (cursor.readable() == 0) return;
      after_release.set(1);
      cursor.release(1);
    } else {
      if (cursor.depth() > 1) checker().fail("deeper than ever");
      if (cursor.published() == 1) slots[0].get();
      if (cursor.released() == 1) after_release.get();
    }
  }
  void finish() {}
};

// Records of 24 bytes, of which two fill the ring: the third is written where the first was.
struct Ring {
  static constexpr const char* kName = "ring";
  static constexpr int kThreads = 2;
  static constexpr std::uint32_t kRecords = 3;
  alignas(8) std::byte memory[64] = {};
  SpscRing ring{memory, sizeof memory};
  void run(int thread) {
    for (std::uint32_t i = 1; i <= kRecords; ++i) {
      checker().begin_call();
      if (thread == 0) {
        std::byte* room = nullptr;
        while ((room = ring.reserve(24)) == nullptr) checker().pause();
        checker().plain_write(room);
        *room = static_cast<std::byte>(i);
        ring.commit(24);
        ring.publish();
      } else {
        std::span<std::byte> record;
        while (!ring.next(record)) checker().pause();
        checker().plain_read(record.data());
        if (record.size() != 24 || record[0] != static_cast<std::byte>(i)) {
          checker().fail("wrong record");
        }
        ring.release();
      }
    }
  }
  void finish() {}
};

// The producer closes after its record: the consumer, asleep or not, sees both, and what lies
// before the end.
struct RingClosed {
  static constexpr const char* kName = "ring, closed";
  static constexpr int kThreads = 2;
  alignas(8) std::byte memory[64] = {};
  SpscRing ring{memory, sizeof memory};
  Plain<std::uint32_t> last_words{0};
  Parker consumer;
  void run(int thread) {
    if (thread == 0) {
      std::byte* const room = ring.reserve(8);
      checker().plain_write(room);
      ring.commit(8);
      ring.publish();
      consumer.unpark_published();
      last_words.set(1);
      ring.close();
      consumer.unpark();
      return;
    }
    std::span<std::byte> record;
    bool found = false;
    for (;;) {
      checker().begin_call();
      consumer.park([this] { return ring.has_next() || ring.closed(); });
      const bool closed = ring.closed();
      if (ring.next(record)) {
        found = true;
        checker().plain_read(record.data());
        ring.release();
      } else if (closed) {
        break;
      }
    }
    if (!found) checker().fail("closed before the record was found");
    last_words.get();
  }
  void finish() {}
};

// What was written before the end is there for whoever sees the end, or that nothing comes any
// more.
struct CursorClosed {
  static constexpr const char* kName = "cursor, closed";
  static constexpr int kThreads = 3;
  SpscCursor cursor{2};
  Plain<std::uint32_t> last_words{0};
  void run(int thread) {
    if (thread == 0) {
      last_words.set(1);
      cursor.close();
      if (cursor.publish(1)) checker().fail("published after the end");
    } else if (thread == 1 ? cursor.closed() : cursor.drained()) {
      last_words.get();
    }
  }
  void finish() {}
};

// What close() ends is told by publish() before it, and a consumer
// that sleeps is told by unpark().
TEST(SpscModel, WeakerOrdersTearOrSleep) {
  Weakenings<Cursor, CursorQuiet, CursorAsleep, CursorWatched, CursorClosed, Ring, RingClosed>::
      expect_failures("Spsc", {
                                  "SpscCursor::close: read-modify-write seq_cst -> acq_rel",
                              });
}

}  // namespace
}  // namespace millrace::model
