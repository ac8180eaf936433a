#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "millrace/server/pipeline_core.h"

namespace millrace {

// The receiver's bytes, and the frames in them. Reads go into a block that all connections share; a
// connection keeps memory of its own only for an unfinished frame, or for what its worker's inbox
// had no room for. A frame's descriptor points to the block that its bytes were read into.
//
// The receiver's thread. Owns the shared block. Costs one recv and one atomic addition a read; no
// allocation for frames that arrive whole.
class Input {
 public:
  explicit Input(PipelineCore& core) : core_(core) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    if (block_ != kNoBlock) core_.store.release(block_);
  }

  static constexpr std::uint32_t kReadBlockBytes = 64 * 1024;
  static constexpr ssize_t kNoMemory = -2;
  static constexpr ssize_t kClosed = -3;

  // One recv of at most `budget` bytes (`asked` says of how many), and the frames in what came:
  // what recv answered, kNoMemory, or kClosed when the connection had to be closed.
  ssize_t receive(Connection& c, Inbox& inbox, std::uint32_t budget, std::uint32_t& asked) {
    const int fd = static_cast<int>(c.key.fd);
    const std::uint32_t kept = c.receive.end - c.receive.begin;
    if (c.receive.block == kNoBlock || kept <= kCopyDownBytes) {
      if (!take_read_block()) return kNoMemory;
      std::uint8_t* at = core_.store.data(block_ + used_);
      asked = std::min(budget, read_room() - kept);
      if (kept != 0) std::memcpy(at, kept_bytes(c), kept);
      const ssize_t got = ::recv(fd, at + kept, asked, 0);
      if (got <= 0) return got;
      drop_kept(c);
      const std::uint32_t begin = used_;
      const std::uint32_t end = used_ + kept + static_cast<std::uint32_t>(got);
      used_ = end;
      return parse(c, inbox, block_, begin, end, kReadBlockBytes, used_) ? got : kClosed;
    }
    const std::uint32_t block_bytes =
        static_cast<std::uint32_t>(core_.store.block_bytes(c.receive.block));
    if (c.receive.end + kPartsSlack >= block_bytes && !grow(c)) return kClosed;
    const std::uint32_t bytes =
        static_cast<std::uint32_t>(core_.store.block_bytes(c.receive.block));
    asked = std::min(budget, bytes - kPartsSlack - c.receive.end);
    const ssize_t got = ::recv(fd, core_.store.data(c.receive.block + c.receive.end), asked, 0);
    if (got <= 0) return got;
    c.receive.end += static_cast<std::uint32_t>(got);
    return parse_kept(c, inbox) ? got : kClosed;
  }

  // False: the arena has no block for reading.
  bool take_read_block() {
    if (block_ != kNoBlock) {
      // Nobody else holds it: start again at its hot beginning.
      if (core_.store.unique(block_)) used_ = 0;
      if (kReadBlockBytes - used_ >= kMinRoom) return true;
      core_.store.release(block_);
    }
    block_ = core_.store.allocate_input(kReadBlockBytes);
    used_ = 0;
    return block_ != kNoBlock;
  }

  // Frames in the connection's own block, which goes with them; the tail gets a new one.
  bool parse_kept(Connection& c, Inbox& inbox) {
    const std::uint32_t block = c.receive.block;
    const std::uint32_t begin = c.receive.begin;
    const std::uint32_t end = c.receive.end;
    const std::uint32_t bytes = static_cast<std::uint32_t>(core_.store.block_bytes(block));
    c.receive.block = kNoBlock;
    c.receive.begin = c.receive.end = 0;
    std::uint32_t used = end;
    core_.store.unhold(bytes);
    own_block_ = block;
    const bool open = parse(c, inbox, block, begin, end, bytes, used);
    if (c.receive.block != block) core_.store.release(block);
    own_block_ = kNoBlock;
    return open;
  }

  void drop_kept(Connection& c) {
    if (c.receive.block != kNoBlock) core_.store.release_held(c.receive.block);
    c.receive.block = kNoBlock;
    c.receive.begin = c.receive.end = 0;
  }

 private:
  static constexpr std::uint32_t kPublishAt = 128;
  static constexpr std::uint32_t kMinRoom = 16 * 1024;
  static constexpr std::uint32_t kCopyDownBytes = 4096;
  // Parts tables stand behind the bytes of a block: 8 bytes for an argument of 6 bytes or more.
  static constexpr std::uint32_t kPartsSlack = 128;

  std::uint32_t read_room() const {
    const std::uint32_t room = kReadBlockBytes - used_;
    return core_.framing.max_parts() == 0 ? room : room / 2;
  }

  // Stages the frames of [begin, end) in `block`; parts tables go behind `used`. What is left over
  // becomes the connection's own, and where there was nothing else `used` goes back to `begin`: a
  // byte at a time would fill blocks with copies. False when it had to be closed.
  bool parse(Connection& c, Inbox& inbox, std::uint32_t block, std::uint32_t begin,
             std::uint32_t end, std::uint32_t block_bytes, std::uint32_t& used) {
    std::uint32_t staged = 0;
    std::uint32_t bytes = 0;
    std::uint32_t needed = 0;
    std::uint32_t room = inbox.room();
    const std::uint32_t start = begin;
    bool incomplete = false;
    while (begin < end) {
      if (room == 0) {
        c.receive.unparsed = true;
        break;
      }
      const std::uint32_t parts_at = (used + 3) & ~std::uint32_t{3};
      Part* parts = reinterpret_cast<Part*>(core_.store.data(block + parts_at));
      const std::uint32_t parts_room =
          parts_at < block_bytes
              ? (block_bytes - parts_at) / static_cast<std::uint32_t>(sizeof(Part))
              : 0;
      Frame frame;
      FrameError error = FrameError::kNone;
      const ScanResult result =
          core_.framing.next(core_.store.data(block + begin), end - begin, c.receive.framing,
                             std::span<Part>(parts, parts_room), frame, needed, error);
      if (result == ScanResult::kIncomplete) {
        incomplete = true;
        break;
      }
      if (result == ScanResult::kSkipped) {
        begin += frame.end;
        continue;
      }
      if (result == ScanResult::kError) {
        c.receive.ended = true;
        c.receive.error = static_cast<std::uint32_t>(error);
        break;
      }
      if (result == ScanResult::kPartsFull) {
        if (!stage_moved(c, inbox, block + begin, frame)) {
          if (staged != 0) core_.store.reference(block, staged);
          c.unhandled_bytes.fetch_add(bytes, std::memory_order_relaxed);
          core_.close(c, CloseReason::kOverload);
          return false;
        }
      } else {
        const std::uint32_t exact =
            core_.framing.echo_is_exact(frame) ? std::uint32_t{kInExactEcho} : 0;
        inbox.stage() = {c.key.fd,
                         c.key.sequence,
                         block + begin + frame.begin,
                         frame.length,
                         kInMessage | exact,
                         block + parts_at,
                         frame.part_count,
                         block};
        if (frame.part_count != 0) {
          used = parts_at + frame.part_count * static_cast<std::uint32_t>(sizeof(Part));
        }
        ++staged;
      }
      begin += frame.end;
      bytes += frame.length;
      --room;
    }
    if (staged != 0) core_.store.reference(block, staged);
    if (bytes != 0) c.unhandled_bytes.fetch_add(bytes, std::memory_order_relaxed);
    if (inbox.staged() >= kPublishAt) inbox.publish();
    if (staged == 0) used = start;
    if (begin == end || c.receive.ended) return true;
    if (!keep(c, block, begin, end, incomplete ? needed : 0)) {
      core_.close(c, CloseReason::kOverload);
      return false;
    }
    return true;
  }

  // A frame whose parts table does not fit behind it moves to a block of its own, table first.
  bool stage_moved(Connection& c, Inbox& inbox, std::uint32_t from, Frame& frame) {
    const std::uint32_t table = frame.part_count * static_cast<std::uint32_t>(sizeof(Part));
    const std::uint32_t size = frame.end;
    const std::uint32_t block = core_.store.allocate(table + size);
    if (block == kNoBlock) return false;
    std::uint8_t* bytes = core_.store.data(block + table);
    std::memcpy(bytes, core_.store.data(from), size);
    std::uint32_t needed = 0;
    FrameError error = FrameError::kNone;
    Part* parts = reinterpret_cast<Part*>(core_.store.data(block));
    const ScanResult result =
        core_.framing.next(bytes, size, c.receive.framing, std::span<Part>(parts, frame.part_count),
                           frame, needed, error);
    if (result != ScanResult::kFrame) {
      core_.store.release(block);
      return false;
    }
    inbox.stage() = {c.key.fd,         c.key.sequence, block + table + frame.begin,
                     frame.length,     kInMessage,     block,
                     frame.part_count, block};
    return true;
  }

  // Makes [begin, end) of a block the connection's own: by staying in its own block when nothing of
  // that was handed on, else by copying into the smallest block that fits.
  bool keep(Connection& c, std::uint32_t block, std::uint32_t begin, std::uint32_t end,
            std::uint32_t needed) {
    const std::uint32_t size = end - begin;
    if (block == own_block_ && core_.store.unique(block)) {
      if (!core_.store.hold(core_.store.block_bytes(block))) return false;
      c.receive.block = block;
      c.receive.begin = begin;
      c.receive.end = end;
      return true;
    }
    const std::uint32_t wanted = wanted_bytes(size, needed);
    const std::uint32_t own = core_.store.allocate_held(wanted);
    if (own == kNoBlock) return false;
    std::memcpy(core_.store.data(own), core_.store.data(block + begin), size);
    c.receive.block = own;
    c.receive.begin = 0;
    c.receive.end = size;
    return true;
  }

  // Memory follows what a peer has really sent, not what it announces: at most twice as much.
  static std::uint32_t wanted_bytes(std::uint32_t size, std::uint32_t needed) {
    if (size <= kCopyDownBytes && needed <= kReadBlockBytes / 2) return size;
    return std::max(size, std::min(needed, size * 2)) + kPartsSlack * 2;
  }

  // The connection's block is full: a larger one, with the bytes moved to its start.
  bool grow(Connection& c) {
    const std::uint32_t size = c.receive.end - c.receive.begin;
    const std::uint32_t own = core_.store.allocate_held(size * 2 + kPartsSlack * 2);
    if (own == kNoBlock) {
      core_.close(c, CloseReason::kOverload);
      return false;
    }
    std::memcpy(core_.store.data(own), kept_bytes(c), size);
    drop_kept(c);
    c.receive.block = own;
    c.receive.end = size;
    return true;
  }

  const std::uint8_t* kept_bytes(Connection& c) {
    return core_.store.data(c.receive.block + c.receive.begin);
  }

  PipelineCore& core_;
  std::uint32_t block_ = kNoBlock;      // the shared read block
  std::uint32_t used_ = 0;              // bytes of it in use
  std::uint32_t own_block_ = kNoBlock;  // while parse() works on a connection's own block
};

}  // namespace millrace
