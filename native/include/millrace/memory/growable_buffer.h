#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "millrace/base/system_error.h"
#include "millrace/memory/mapped_file.h"
#include "millrace/memory/slab_allocator.h"

namespace millrace {

struct GrowableBufferOptions {
  // First block; nothing is allocated before the first append.
  std::size_t initial_bytes = 1024;
  // Above this the bytes move to a temporary file.
  std::size_t map_threshold_bytes = std::size_t{1} << 20;
  // Most bytes the buffer can hold at a time.
  std::size_t max_bytes = std::size_t{1} << 30;
  // Of the file; copied by nobody, so it must outlive the buffer.
  const char* directory = "/var/tmp";
  bool allow_memory_file_system = false;
};

// Bytes that are appended at one end and consumed at the other, in one piece: in a block of the
// slab that is doubled as it fills, and beyond a threshold in a mapped temporary file, where they
// stay until close(), grow without being copied, and take physical memory only as they are written.
// Not thread-safe. Owns its block or its file; the slab must outlive it. An append costs a copy of
// the bytes, and amortised one more while in the slab; in the file, a system call or three for
// every so many megabytes.
//
// An error leaves the buffer as it was, readable: ENOMEM (the slab is exhausted; its `syscall` is
// kAppend), EMSGSIZE (more than max_bytes), and what opening and extending the file may answer (see
// MappedFile).
class GrowableBuffer {
 public:
  static constexpr const char* kAppend = "append";

  explicit GrowableBuffer(SlabAllocator& slab, const GrowableBufferOptions& options = {})
      : slab_(&slab), options_(options) {}
  GrowableBuffer(const GrowableBuffer&) = delete;
  GrowableBuffer& operator=(const GrowableBuffer&) = delete;
  ~GrowableBuffer() { close(); }

  // The bytes may be some of the buffer's own.
  SystemError append(std::span<const std::byte> bytes) {
    const std::uintptr_t distance = reinterpret_cast<std::uintptr_t>(bytes.data()) -
                                    reinterpret_cast<std::uintptr_t>(at(begin_));
    const bool own = distance < length();
    std::span<std::byte> room;
    if (auto error = reserve(bytes.size(), room)) return error;
    const std::byte* const source = own ? at(begin_) + distance : bytes.data();
    if (!bytes.empty()) std::memcpy(room.data(), source, bytes.size());
    commit(bytes.size());
    return {};
  }

  // For those who write in place: room for at least so many bytes behind the last one; then
  // commit() with what was written. Bytes and room move.
  SystemError reserve(std::size_t bytes, std::span<std::byte>& room) {
    if (bytes > options_.max_bytes - length()) return {EMSGSIZE, kAppend};
    if (file_.is_open()) {
      if (auto error = file_.extend(end_ + bytes)) return error;
    } else if (end_ + bytes > block_bytes_ || length() + bytes > options_.map_threshold_bytes) {
      if (auto error = make_room(bytes)) return error;
    }
    const std::size_t left =
        std::min<std::size_t>(capacity_end() - end_, options_.max_bytes - length());
    room = {at(end_), left};
    return {};
  }

  // REQUIRES: bytes <= the room that reserve() answered, and nothing was called since.
  void commit(std::size_t bytes) noexcept { end_ += bytes; }

  // Forgets the first bytes, at most all. In the file their memory and disk space are given back.
  void consume(std::size_t bytes) noexcept {
    begin_ += std::min<std::size_t>(bytes, length());
    if (!file_.is_open()) {
      if (begin_ == end_) begin_ = end_ = 0;
      return;
    }
    file_.discard(begin_);
    // Empty: what is left of the window is used again before it is extended.
    if (begin_ == end_) begin_ = end_ = file_.start();
  }

  // Valid until the next append, reserve, consume or close.
  std::span<std::byte> bytes() noexcept { return {at(begin_), length()}; }

  std::size_t length() const noexcept { return end_ - begin_; }
  // Bytes the buffer can hold without another block or more disk space.
  std::size_t capacity() const noexcept { return capacity_end() - begin_; }
  bool mapped() const noexcept { return file_.is_open(); }

  // Gives everything back; the buffer is empty, and can be used again.
  void close() noexcept {
    release_block();
    file_.close();
    begin_ = end_ = 0;
  }

 private:
  std::byte* at(std::uint64_t position) const noexcept {
    if (file_.is_open()) return file_.at(position);
    return block_ == kNoBlock ? nullptr : slab_->data(block_) + position;
  }

  std::uint64_t capacity_end() const noexcept {
    return file_.is_open() ? file_.end() : block_bytes_;
  }

  // In the slab: by moving the bytes to the front if that leaves half the block free, else to a
  // block of twice the size, or to the file. Either way as many bytes can be appended before the
  // next move as this one copies.
  SystemError make_room(std::size_t bytes) {
    const std::size_t used = length();
    const std::size_t needed = used + bytes;
    if (needed > options_.map_threshold_bytes) return move_to_file(needed);
    if (needed <= block_bytes_ / 2) {
      std::memmove(at(0), at(begin_), used);
      begin_ = 0;
      end_ = used;
      return {};
    }
    const std::size_t wanted = std::max({needed, 2 * block_bytes_, options_.initial_bytes});
    const std::uint32_t block = slab_->allocate(wanted);
    if (block == kNoBlock) return {ENOMEM, kAppend};
    if (used != 0) std::memcpy(slab_->data(block), at(begin_), used);
    release_block();
    block_ = block;
    block_bytes_ = slab_->block_bytes(block);
    begin_ = 0;
    end_ = used;
    return {};
  }

  SystemError move_to_file(std::size_t needed) {
    const std::size_t used = length();
    const std::byte* const old = at(begin_);
    if (auto error =
            file_.open(options_.directory, options_.max_bytes, options_.allow_memory_file_system)) {
      return error;
    }
    if (auto error = file_.extend(needed)) {
      file_.close();
      return error;
    }
    if (used != 0) std::memcpy(file_.at(0), old, used);
    release_block();
    begin_ = 0;
    end_ = used;
    return {};
  }

  void release_block() noexcept {
    if (block_ != kNoBlock) slab_->free(block_);
    block_ = kNoBlock;
    block_bytes_ = 0;
  }

  SlabAllocator* slab_;
  GrowableBufferOptions options_;
  MappedFile file_;
  std::uint32_t block_ = kNoBlock;
  std::size_t block_bytes_ = 0;
  // Of the block, or on the tape of the file.
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace millrace
