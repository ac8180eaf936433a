#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "millrace/server/pipeline_core.h"

namespace millrace {

// The sender's bytes: what goes out at once, and the backlog of what the socket did not take, in a
// chain of blocks that the connection owns. A growing backlog takes growing blocks, a small one the
// smallest that fits.
//
// The sender's thread. Owns no memory of its own. One system call a run of pieces.
class Output {
 public:
  static constexpr int kMaxRun = 64;
  static constexpr std::uint32_t kBacklogBlockBytes = 32 * 1024;
  // Of one connection before the next one's turn.
  static constexpr std::uint32_t kWriteBudgetBytes = 256 * 1024;

  explicit Output(PipelineCore& core) : core_(core) {}

  // Activity is stamped with this.
  void set_now(std::uint64_t now_ms) { now_ms_ = now_ms; }

  // Bytes sent; -1 when the connection is gone.
  ssize_t send_some(Connection& c, iovec* run, int parts) {
    for (;;) {
      const ssize_t sent = send_once(static_cast<int>(c.key.fd), run, parts);
      if (sent >= 0) {
        c.touch(now_ms_);
        c.bytes_written.fetch_add(static_cast<std::uint64_t>(sent), std::memory_order_relaxed);
        count(core_.counters.bytes_written, static_cast<std::uint64_t>(sent));
        return sent;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return 0;
      core_.close(c, CloseReason::kReset);
      return -1;
    }
  }

  static void skip(iovec* run, int parts, std::size_t bytes) {
    for (int i = 0; i < parts && bytes != 0; ++i) {
      const std::size_t taken = std::min(bytes, run[i].iov_len);
      run[i].iov_base = static_cast<std::uint8_t*>(run[i].iov_base) + taken;
      run[i].iov_len -= taken;
      bytes -= taken;
    }
  }

  // Tells JavaScript how much has left, and anybody who asks how much has not.
  void credit(Connection& c, std::uint32_t bytes) {
    core_.sent[c.key.fd].fetch_add(bytes, std::memory_order_relaxed);
  }

  static std::uint32_t backlog(const Connection& c) {
    return c.backlog_bytes.load(std::memory_order_relaxed);
  }

  bool append(Connection& c, const std::uint8_t* bytes, std::size_t size) {
    while (size != 0) {
      std::size_t room =
          c.send.tail == kNoBlock ? 0 : core_.store.block_bytes(c.send.tail) - c.send.tail_end;
      if (room == 0) {
        // A growing backlog takes growing blocks; a small one the smallest that fits.
        const std::size_t wanted =
            std::min<std::size_t>(kBacklogBlockBytes, std::max<std::size_t>(size, backlog(c)));
        const std::uint32_t block = core_.store.allocate_held(wanted);
        if (block == kNoBlock) return false;
        if (c.send.tail == kNoBlock) {
          c.send.head = block;
          c.send.head_begin = 0;
        } else {
          core_.store.set_next(c.send.tail, block);
        }
        c.send.tail = block;
        c.send.tail_end = 0;
        room = core_.store.block_bytes(block);
      }
      const std::size_t taken = std::min(room, size);
      std::memcpy(core_.store.data(c.send.tail + c.send.tail_end), bytes, taken);
      c.send.tail_end += static_cast<std::uint32_t>(taken);
      c.backlog_bytes.fetch_add(static_cast<std::uint32_t>(taken), std::memory_order_relaxed);
      bytes += taken;
      size -= taken;
    }
    return true;
  }

  // Sends backlog, and takes what has left off the budget. False: some is left, as the budget is
  // spent, the socket is full or the connection gone.
  bool flush(Connection& c, std::uint32_t& budget) {
    while (backlog(c) != 0) {
      iovec run[kMaxRun];
      int parts = 0;
      std::uint32_t begin = c.send.head_begin;
      for (std::uint32_t b = c.send.head; b != kNoBlock && parts < kMaxRun;
           b = core_.store.next(b)) {
        const std::uint32_t end = b == c.send.tail
                                      ? c.send.tail_end
                                      : static_cast<std::uint32_t>(core_.store.block_bytes(b));
        run[parts++] = {core_.store.data(b + begin), end - begin};
        begin = 0;
      }
      const ssize_t sent = send_some(c, run, parts);
      if (sent <= 0) return false;
      credit(c, static_cast<std::uint32_t>(sent));
      consume(c, static_cast<std::uint32_t>(sent));
      budget -= std::min(budget, static_cast<std::uint32_t>(sent));
      if (budget == 0) return backlog(c) == 0;
    }
    return true;
  }

 private:
  static ssize_t send_once(int fd, iovec* run, int parts) {
    constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (parts == 1) return ::send(fd, run->iov_base, run->iov_len, kFlags);
    msghdr message{};
    message.msg_iov = run;
    message.msg_iovlen = static_cast<std::size_t>(parts);
    return ::sendmsg(fd, &message, kFlags);
  }

  void consume(Connection& c, std::uint32_t bytes) {
    c.backlog_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    while (bytes != 0) {
      const std::uint32_t block = c.send.head;
      const std::uint32_t end = block == c.send.tail
                                    ? c.send.tail_end
                                    : static_cast<std::uint32_t>(core_.store.block_bytes(block));
      const std::uint32_t taken = std::min(bytes, end - c.send.head_begin);
      c.send.head_begin += taken;
      bytes -= taken;
      if (c.send.head_begin != end) return;
      c.send.head = block == c.send.tail ? kNoBlock : core_.store.next(block);
      c.send.head_begin = 0;
      if (c.send.head == kNoBlock) c.send.tail = kNoBlock;
      core_.store.release_held(block);
    }
  }

  PipelineCore& core_;
  std::uint64_t now_ms_ = 0;
};

}  // namespace millrace
